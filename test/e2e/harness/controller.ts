// Cooper itself as a child process: started, killed, started again; its log lines as objects.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ServerProcess, startServer } from './serverProcess.ts';
import { until } from './until.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

const FROM_SOURCES = [
  process.execPath,
  '--import',
  join(import.meta.dirname, 'exitWithStdin.ts'),
  join(ROOT, 'src', 'main.ts'),
] as const;

/** A line of the log; `msg` is constant, facts are fields (pino). */
export interface LogLine {
  readonly level: number;
  readonly time: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface ControllerSpec {
  readonly logDir: string;
  readonly env: Readonly<Record<string, string>>;
  /** What is started in place of this checkout's sources: a program, and what comes before `args`. */
  readonly command?: readonly [program: string, ...before: string[]];
  /** Arguments after `node src/main.ts`; `['run']` by default. */
  readonly args?: readonly string[];
}

/** One controller, over as many processes as the test starts. */
export class Controller {
  readonly #spec: ControllerSpec;
  #process: ServerProcess | null = null;

  constructor(spec: ControllerSpec) {
    this.#spec = spec;
  }

  /** Starts it unless it runs. Extra environment is for this start alone. Does not wait for readiness. */
  start(extraEnv: Readonly<Record<string, string>> = {}): void {
    if (this.#process?.isRunning()) return;
    const [command, ...before] = this.#spec.command ?? FROM_SOURCES;
    this.#process = startServer({
      name: 'cooper',
      command,
      args: [...before, ...(this.#spec.args ?? ['run'])],
      cwd: ROOT,
      env: { ...this.#spec.env, ...extraEnv },
      logDir: this.#spec.logDir,
    });
  }

  isRunning(): boolean {
    return this.#process?.isRunning() ?? false;
  }

  get pid(): number | null {
    return this.#process?.pid ?? null;
  }

  /** Waits for the end of the present process; throws, with the tail of its log, when it has not come in time. */
  async exit(timeoutMs = 120_000): Promise<{ readonly code: number | null; readonly signal: string | null }> {
    const current = this.#process;
    if (current === null) throw new Error('the controller was never started');
    await until(() => !current.isRunning(), {
      what: 'the controller to end by itself',
      timeoutMs,
      intervalMs: 20,
      diagnose: () => this.logTail(),
    });
    return current.exited;
  }

  /** SIGKILL by default: no chance to tidy up. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#process?.kill(signal);
  }

  /** SIGTERM, then SIGKILL after `graceMs`. */
  async stop(graceMs = 10_000): Promise<void> {
    await this.#process?.stop(graceMs);
  }

  async restart(extraEnv: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.kill();
    this.start(extraEnv);
  }

  /** The log of all starts so far, oldest first; lines that are no JSON are left out. */
  logs(): readonly LogLine[] {
    const file = join(this.#spec.logDir, 'cooper.log');
    if (!existsSync(file)) return [];
    return readFileSync(file, 'utf8').split('\n').flatMap(parseLine);
  }

  /** Waits for a log line; `after` leaves out the lines that were there (`logs().length` taken before). */
  waitForLog(
    matches: (line: LogLine) => boolean,
    wait: { readonly what: string; readonly timeoutMs: number; readonly after?: number },
  ): Promise<LogLine> {
    return until(
      () =>
        this.logs()
          .slice(wait.after ?? 0)
          .find(matches),
      {
        what: `the log line: ${wait.what}`,
        timeoutMs: wait.timeoutMs,
        diagnose: () => this.logTail(),
      },
    );
  }

  logTail(lines = 30): string {
    return this.#process?.logTail(lines) ?? 'the controller was never started';
  }
}

function parseLine(line: string): LogLine[] {
  if (!line.startsWith('{')) return [];
  try {
    return [JSON.parse(line) as LogLine];
  } catch {
    return []; // the last line may be half written
  }
}
