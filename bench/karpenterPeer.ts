// Builds Karpenter's scheduler behind our small harness, once, and has it solve problems.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Report } from './figure.ts';
import { type Problem, peerJson } from './problem.ts';

const SOURCES = fileURLToPath(new URL('./karpenter-peer/', import.meta.url));

export interface PeerAnswer {
  readonly allMs: readonly number[];
  /** CPU time of all threads meanwhile, which other load on the machine disturbs less. */
  readonly allCpuMs: readonly number[];
  readonly peakRssMib: number;
  readonly usdPerHour: number;
  readonly nodes: number;
  readonly placed: number;
  readonly unscheduled: Readonly<Record<string, string>>;
}

/** Solves with one worker, as Karpenter runs in production; null when the peer is not there. */
export type Peer = (problem: Problem, repeats: number) => Promise<PeerAnswer | null>;

let built: Promise<Peer> | null = null;

/** The peer, built on first use; one that answers null when it cannot be built. */
export function karpenterPeer(report: Report): Promise<Peer> {
  built ??= buildPeer(report);
  return built;
}

async function buildPeer(report: Report): Promise<Peer> {
  const files = readdirSync(SOURCES).filter((name) => /\.go$|^go\.(mod|sum)$/.test(name));
  const hash = createHash('sha256');
  for (const name of files.sort()) hash.update(name).update(readFileSync(join(SOURCES, name)));
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  const folder = join(cache, 'cooper', 'karpenter-peer', hash.digest('hex').slice(0, 16));
  const binary = join(folder, 'karpenter-peer');
  if (!existsSync(binary)) {
    report.note('building the Karpenter peer, which takes minutes the first time');
    mkdirSync(folder, { recursive: true });
    const draft = `${binary}.${process.pid}`;
    const { code, stderr } = await runCommand('go', ['build', '-o', draft, '.'], { cwd: SOURCES, stdin: '' });
    if (code !== 0) {
      report.note(`no Karpenter peer, its figures are left out: ${stderr.trim().split('\n').at(-1)}`);
      return () => Promise.resolve(null);
    }
    renameSync(draft, binary);
  }
  return async (problem, repeats) => {
    const stdin = peerJson(problem);
    const args = ['-workers', '1', '-repeats', String(repeats)];
    const { code, stdout, stderr } = await runCommand(binary, args, { cwd: folder, stdin });
    if (code !== 0) throw new Error(`the Karpenter peer failed on ${problem.name}: ${stderr.trim()}`);
    return JSON.parse(stdout) as PeerAnswer;
  };
}

export interface CommandResult {
  /** -1 when the program is not installed. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. */
export function runCommand(
  program: string,
  args: readonly string[],
  { cwd, stdin }: { readonly cwd: string; readonly stdin: string },
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.stdin.on('error', () => undefined);
    child.stdin.end(stdin);
    const texts = (): { stdout: string; stderr: string } => ({
      stdout: Buffer.concat(out).toString(),
      stderr: Buffer.concat(err).toString(),
    });
    child.on('error', (error) => resolve({ code: -1, ...texts(), stderr: error.message }));
    child.on('close', (code) => resolve({ code: code ?? 1, ...texts() }));
  });
}
