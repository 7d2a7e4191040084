// Child processes that run until they are stopped, each with a log file, each ended by its own pid.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ServerSpec {
  /** For messages, and for the log file `<logDir>/<name>.log`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment but PATH and HOME, which are passed on. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly logDir: string;
}

export interface ServerProcess {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Resolves when the process has ended. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  isRunning(): boolean;
  /** Sends the signal and waits for the end. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** SIGTERM, and SIGKILL after `graceMs` (5000). Nothing happens when it has ended already. */
  stop(graceMs?: number): Promise<void>;
  /** Its standard output and error so far, the last `lines` (20) of it. */
  logTail(lines?: number): string;
}

/**
 * Starts a server. Its standard input is a pipe that closes when this process dies, however it dies; the servers of
 * this harness end when that happens.
 */
export function startServer(spec: ServerSpec): ServerProcess {
  const logFile = join(spec.logDir, `${spec.name}.log`);
  const log = openSync(logFile, 'a');
  const child = spawn(spec.command, [...spec.args], {
    stdio: ['pipe', log, log],
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...spec.env },
    ...(spec.cwd === undefined ? {} : { cwd: spec.cwd }),
  });
  closeSync(log);
  if (child.pid === undefined)
    throw new Error(`${spec.name} could not be started: no program ${spec.command}`);
  child.stdin?.on('error', () => undefined); // the pipe breaks when the child goes first
  return supervise(spec.name, child, logFile);
}

function supervise(name: string, child: ChildProcess, logFile: string): ServerProcess {
  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null;
  const exited: ServerProcess['exited'] = new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    if (!isRunning()) return;
    child.kill(signal);
    await exited;
  };
  return {
    name,
    pid: child.pid ?? -1,
    logFile,
    exited,
    isRunning,
    kill,
    async stop(graceMs = 5000) {
      if (!isRunning()) return;
      child.kill('SIGTERM');
      const timer = new AbortController();
      const patience = sleep(graceMs, 'late' as const, { signal: timer.signal }).catch(() => null);
      if ((await Promise.race([exited, patience])) === 'late') await kill('SIGKILL');
      timer.abort();
    },
    logTail: (lines = 20) => tailOf(name, logFile, lines),
  };
}

function tailOf(name: string, logFile: string, lines: number): string {
  const text = readFileSync(logFile, 'utf8').trimEnd();
  return `--- the last ${lines} lines of ${name} (${logFile})\n${text.split('\n').slice(-lines).join('\n')}`;
}

/** Below the range from which the system takes ports for outgoing connections: those come and go at any time. */
const PORT_RANGE = { first: 20_000, count: 12_000 } as const;

/** So many different TCP ports of 127.0.0.1 that nobody listens on just now. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = PORT_RANGE.first + randomInt(PORT_RANGE.count);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  const listener = createServer();
  return new Promise((resolve) => {
    listener.once('error', () => resolve(false));
    listener.listen(port, '127.0.0.1', () => listener.close(() => resolve(true)));
  });
}
