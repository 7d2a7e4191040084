// Notices when nodes of some types go on replacing each other for the same workloads, and says so.
import type { ConsolidationAction } from '../model/consolidation.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import { type Pod, podKey } from '../model/pod.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';

/** Prices and pods change: what was given up longer ago may be right again. */
const REMEMBERED_MS = 3_600_000;
/** Replacements remembered of one workload at most: the oldest are forgotten first. */
const REMEMBERED_MOST = 50;

/** A node of one type has gone for one of another. */
interface Replacement {
  readonly from: string;
  readonly to: string;
  readonly nodeClaim: string;
  readonly atMs: number;
}

type Replaced = Pick<ConsolidationAction, 'nodeClaims' | 'replacements' | 'evicted'>;

/** By Provisioner and workload: which types have been replaced by which within the last hour. */
export class ReplacementLoops {
  readonly #byWorkload = new Map<string, Replacement[]>();
  /** By claim name: nodes that would have closed a loop, until when they are left alone, and why. */
  readonly #leftAlone = new Map<string, { readonly untilMs: number; readonly message: string }>();

  /** Remembers an action that is carried out. */
  note(action: Replaced, snapshot: ClusterSnapshot): void {
    const atMs = snapshot.takenAtMs;
    for (const { workload, from, nodeClaim, to } of stepsOf(action, snapshot)) {
      const held = this.#byWorkload.get(workload) ?? [];
      held.push({ from, to, nodeClaim, atMs });
      this.#byWorkload.set(workload, held.slice(-REMEMBERED_MOST));
    }
  }

  /**
   * True when the action would bring back a type that its nodes have replaced, for the same workload, perhaps by way
   * of others. Its nodes are left alone for an hour then.
   */
  stops(action: Replaced, snapshot: ClusterSnapshot): boolean {
    this.#prune(snapshot.takenAtMs);
    for (const { workload, from, nodeClaim, to } of stepsOf(action, snapshot)) {
      const way = this.#way(workload, to, from);
      if (way === null) continue;
      const message = loopText({ from, to, nodeClaim }, way);
      const untilMs = snapshot.takenAtMs + REMEMBERED_MS;
      for (const name of action.nodeClaims) this.#leftAlone.set(name, { untilMs, message });
      return true;
    }
    return false;
  }

  /** By claim name: why nodes are left alone now. */
  leftAlone(nowMs: number): ReadonlyMap<string, string> {
    this.#prune(nowMs);
    return new Map([...this.#leftAlone].map(([name, { message }]) => [name, message]));
  }

  /** How much is remembered. */
  get size(): number {
    return this.#byWorkload.size + this.#leftAlone.size;
  }

  /** The replacements that have led from one type to the other; null when none have. */
  #way(workload: string, from: string, to: string): readonly Replacement[] | null {
    const replacements = this.#byWorkload.get(workload) ?? [];
    const ways: (readonly Replacement[])[] = [[]];
    const seen = new Set([from]);
    for (let way = ways.shift(); way !== undefined; way = ways.shift()) {
      const at = way.at(-1)?.to ?? from;
      if (at === to) return way;
      for (const next of replacements) {
        if (next.from !== at || seen.has(next.to)) continue;
        seen.add(next.to);
        ways.push([...way, next]);
      }
    }
    return null;
  }

  #prune(nowMs: number): void {
    for (const [workload, held] of [...this.#byWorkload]) {
      const fresh = held.filter(({ atMs }) => nowMs - atMs < REMEMBERED_MS);
      if (fresh.length === 0) this.#byWorkload.delete(workload);
      else this.#byWorkload.set(workload, fresh);
    }
    for (const [name, { untilMs }] of [...this.#leftAlone])
      if (untilMs <= nowMs) this.#leftAlone.delete(name);
  }
}

interface LoopStep {
  readonly workload: string;
  readonly from: string;
  readonly nodeClaim: string;
  readonly to: string;
}

/** Each workload whose pods go from a node of one type to a new one of another type. */
function stepsOf({ nodeClaims, replacements, evicted }: Replaced, snapshot: ClusterSnapshot): LoopStep[] {
  if (replacements.length === 0) return [];
  const moved = new Set(evicted);
  const going = new Map<string, NodeClaim>();
  for (const claim of snapshot.nodeClaims)
    if (nodeClaims.includes(claim.name)) going.set(claim.status.nodeName, claim);
  const pods = new Map<string, Pod>();
  for (const pod of snapshot.pods)
    if (going.has(pod.nodeName) && moved.has(podKey(pod))) pods.set(podKey(pod), pod);
  const steps = new Map<string, LoopStep>();
  for (const { spec, instanceType, capacityType, pods: keys } of replacements) {
    const to = `${instanceType} (${capacityType})`;
    for (const key of keys) {
      const pod = pods.get(key);
      const claim = pod === undefined ? undefined : going.get(pod.nodeName);
      if (pod === undefined || claim === undefined) continue;
      const from = `${claim.status.instanceType} (${claim.status.capacityType})`;
      const workload = `${spec.provisioner}|${pod.namespace}/${pod.owner?.kind}/${pod.owner?.name}`;
      if (from !== to) steps.set(`${workload}|${from}|${to}`, { workload, from, nodeClaim: claim.name, to });
    }
  }
  return [...steps.values()];
}

function loopText(
  { from, to, nodeClaim }: Pick<Replacement, 'from' | 'to' | 'nodeClaim'>,
  way: readonly Replacement[],
): string {
  const before = way.map((one) => `${one.nodeClaim}, ${one.from}, by ${one.to}`).join(', then ');
  return `it would be a loop: ${nodeClaim}, ${from}, would be replaced by ${to}, within the hour after ${before}`;
}
