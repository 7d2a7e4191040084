// What the end-to-end tests need from the machine beyond Node.js, and what to do when it is not there.
import { hasCommand } from './command.ts';

const TOOLS = [
  { command: 'go', versionArg: 'version', mend: 'install Go 1.26 or newer' },
  { command: 'python3', versionArg: '--version', mend: 'install Python 3.11 or newer' },
] as const;

/**
 * false when the end-to-end tests can run, else the reason for leaving them out, to be given to `describe` as `skip`.
 * In CI (`CI=true`) nothing is left out: there a missing tool is an error.
 */
export async function reasonToSkip(): Promise<string | false> {
  const missing: string[] = [];
  for (const tool of TOOLS) {
    if (!(await hasCommand(tool.command, tool.versionArg))) {
      missing.push(`no ${tool.command} on the PATH: ${tool.mend}`);
    }
  }
  if (missing.length === 0) return false;
  const reason = `end-to-end tests need a real control plane and EC2 stand-in; ${missing.join('; ')}`;
  const ci = process.env.CI ?? '';
  if (ci !== '' && ci !== 'false') throw new Error(reason);
  console.error(`skipped: ${reason}`);
  return reason;
}
