// Programs that do one thing and end: run them, get what they say.
import { spawn } from 'node:child_process';

export interface CommandOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Shows its standard error as it comes: for what takes minutes. */
  readonly showProgress?: boolean;
}

/** What the program wrote to its standard output. Throws with its standard error when it fails. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
      if (options.showProgress) process.stderr.write(text);
    });
    child.once('error', (error) => reject(new Error(`${command} could not be run: ${error.message}`)));
    child.once('close', (code, signal) => {
      if (code === 0) resolve(out);
      else reject(new Error(`${command} ${args.join(' ')}: ${signal ?? `exit code ${code}`}\n${err || out}`));
    });
    child.stdin.on('error', () => undefined); // it may end without reading
    child.stdin.end(options.stdin ?? '');
  });
}

/** Whether a program of that name answers at all. */
export async function hasCommand(command: string, versionArg: string): Promise<boolean> {
  return runCommand(command, [versionArg]).then(
    () => true,
    () => false,
  );
}
