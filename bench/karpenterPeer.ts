// Builds Karpenter's code behind our small harness, once, and has it solve problems and consolidate clusters.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Report } from './figure.ts';
import { type PeerCluster, type Problem, peerClusterJson, peerJson } from './problem.ts';

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

/** What Karpenter's emptiness, multi-node and single-node consolidation come to. */
export interface PeerEnding {
  /** Whether no command was left; otherwise its time was up. */
  readonly finished: boolean;
  readonly nodes: number;
  readonly usdPerHour: number;
  /** Pods moved; one that is moved twice counts twice. */
  readonly evictions: number;
  readonly peakRssMib: number;
  /** Each decision, the last one too, which finds nothing more. */
  readonly decisions: readonly {
    readonly method: string;
    readonly removed: number;
    readonly added: number;
    readonly evicted: number;
    /** Replacements narrowed to spot where none is sold, bought on demand instead. */
    readonly onDemandInstead: number;
    /** Whether a method has reached the time limit that it has in production too. */
    readonly timedOut: boolean;
    /** Of the cluster afterwards. */
    readonly usdPerHour: number;
    readonly wallMs: number;
    readonly cpuMs: number;
  }[];
}

export interface ConsolidationLimits {
  /** CPU time of decisions: once it is spent no other begins, however busy the machine is. */
  readonly minutes: number;
  /** Whether spot nodes may be replaced by spot nodes: Karpenter's feature gate, off unless asked for. */
  readonly spotToSpot: boolean;
}

/** Karpenter with one worker, as it runs in production; answers are null when the peer is not there. */
export interface Peer {
  solve(problem: Problem, repeats: number): Promise<PeerAnswer | null>;
  consolidate(cluster: PeerCluster, limits: ConsolidationLimits): Promise<PeerEnding | null>;
}

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
      return { solve: () => Promise.resolve(null), consolidate: () => Promise.resolve(null) };
    }
    renameSync(draft, binary);
  }
  const ask = async (args: readonly string[], stdin: string): Promise<unknown> => {
    const { code, stdout, stderr } = await runCommand(binary, args, { cwd: folder, stdin });
    if (code !== 0) throw new Error(`the Karpenter peer failed on ${args.join(' ')}: ${stderr.trim()}`);
    return JSON.parse(stdout);
  };
  return {
    solve: async (problem, repeats) => {
      const args = ['solve', '-workers', '1', '-repeats', String(repeats)];
      return (await ask(args, peerJson(problem))) as PeerAnswer;
    },
    consolidate: async (cluster, { minutes, spotToSpot }) => {
      const args = ['consolidate', '-workers', '1', '-limit', `${minutes}m`, `-spot-to-spot=${spotToSpot}`];
      return (await ask(args, peerClusterJson(cluster))) as PeerEnding;
    },
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
