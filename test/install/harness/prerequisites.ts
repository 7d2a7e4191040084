// What the installation tests need beyond the end-to-end tests, and what to do when it is not there.
import { hasCommand } from '../../e2e/harness/command.ts';
import { reasonToSkip } from '../../e2e/harness/prerequisites.ts';

interface Tool {
  readonly command: string;
  readonly versionArg: string;
  readonly mend: string;
}

export const BUILDAH: Tool = {
  command: 'buildah',
  versionArg: '--version',
  mend: 'on Debian: apt-get install buildah',
};
export const TERRAFORM: Tool = {
  command: 'terraform',
  versionArg: 'version',
  mend: 'install Terraform 1.11 or newer',
};

/** As for the end-to-end tests: a reason to leave a suite out, or false; in CI a missing tool is an error. */
export async function reasonToSkipInstall(tools: readonly Tool[]): Promise<string | false> {
  const reason = await reasonToSkip();
  if (reason !== false) return reason;
  const missing: string[] = [];
  for (const { command, versionArg, mend } of tools) {
    if (!(await hasCommand(command, versionArg))) missing.push(`no ${command} on the PATH: ${mend}`);
  }
  if (missing.length === 0) return false;
  const ci = process.env.CI ?? '';
  if (ci !== '' && ci !== 'false') throw new Error(missing.join('; '));
  console.error(`skipped: ${missing.join('; ')}`);
  return missing.join('; ');
}
