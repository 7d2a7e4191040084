// Asks EC2 what an instance has written to its console. That it cannot be had is an answer, and no error.
import type { ConsoleTail } from '../ports/cloudProvider.ts';
import { awsFault, faultAdvice } from './awsFault.ts';
import { consoleExcerpt } from './consoleExcerpt.ts';
import type { Ec2Api } from './ec2Api.ts';
import { instanceId } from './instances.ts';

/** An event holds 1,024 characters, and says more than this. */
const MOST_CHARACTERS = 600;

export async function consoleTail(ec2: Ec2Api, providerId: string): Promise<ConsoleTail> {
  try {
    const text = await ec2.getConsoleOutput(instanceId(providerId));
    const lines = consoleExcerpt(text, MOST_CHARACTERS);
    return lines.length > 0 ? { kind: 'lines', lines } : { kind: 'none', because: 'EC2 has no output of it' };
  } catch (caught) {
    const fault = awsFault(caught);
    return { kind: 'none', because: `${fault.code}: ${faultAdvice(fault)}` };
  }
}
