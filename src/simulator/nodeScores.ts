// How much the kube-scheduler likes each node that would do, by the weights of its default profile.
import { labelsSatisfy } from '../model/requirementSet.ts';
import { toleratesTaint } from '../model/taint.ts';
import type { CompiledSpec } from './nodeFit.ts';
import type { LedgerEntry } from './nodeLedger.ts';
import type { SoftTopology } from './softTopology.ts';

const MOST = 100;

/** Source: kube-scheduler v1.36, default plugins. Image locality is left out: no node is known to hold an image. */
const WEIGHT = { softTaints: 3, preferredLabels: 2, spread: 2, podAffinity: 2 } as const;

/** What a pod counts for in LeastAllocated when it does not say. Source: kube-scheduler, non-zero requests. */
const UNSAID = { cpu: 100, memory: 200 * 1024 * 1024 } as const;

/** What one node alone says, before it is compared with the others. */
interface OwnScore {
  readonly version: number;
  readonly room: number;
  readonly softTaints: number;
  readonly preferred: number;
}

/** A score for each node, all of which would do; only their order counts. */
export function scoreNodes(
  compiled: CompiledSpec,
  feasible: readonly LedgerEntry[],
  soft: SoftTopology | null,
): readonly number[] {
  const own = feasible.map((entry) => ownScore(compiled, entry));
  const mostTaints = Math.max(1, ...own.map(({ softTaints }) => softTaints));
  const mostPreferred = Math.max(1, ...own.map(({ preferred }) => preferred));
  const spread = soft?.spreadScores(feasible);
  const near = soft?.affinityScores(feasible);
  return own.map(
    ({ room, softTaints, preferred }, at) =>
      room +
      WEIGHT.softTaints * (MOST - Math.floor((MOST * softTaints) / mostTaints)) +
      WEIGHT.preferredLabels * Math.floor((MOST * preferred) / mostPreferred) +
      WEIGHT.spread * (spread?.[at] ?? 0) +
      WEIGHT.podAffinity * (near?.[at] ?? 0),
  );
}

function ownScore(compiled: CompiledSpec, entry: LedgerEntry): OwnScore {
  const held = compiled.scores.get(entry) as OwnScore | undefined;
  if (held?.version === entry.version) return held;
  const node = entry.node;
  const untolerated = (node?.taints ?? []).filter(
    (taint) =>
      taint.effect === 'PreferNoSchedule' &&
      !compiled.spec.tolerations.some((one) => toleratesTaint(one, taint)),
  );
  let preferred = 0;
  for (const { weight, requirements } of compiled.preferred) {
    if (labelsSatisfy(node?.labels ?? {}, requirements)) preferred += weight;
  }
  const room = leastAllocated(compiled, entry) + balance(compiled, entry);
  const score = { version: entry.version, room, softTaints: untolerated.length, preferred };
  compiled.scores.set(entry, score);
  return score;
}

/** Mean of the free shares of CPU and memory. Source: NodeResourcesFit, LeastAllocated. */
function leastAllocated({ spec }: CompiledSpec, { node, used, unsaid }: LedgerEntry): number {
  let sum = 0;
  let resources = 0;
  for (const name of ['cpu', 'memory'] as const) {
    const whole = node?.allocatable[name] ?? 0;
    if (whole === 0) continue;
    const taken = (used.get(name) ?? 0) + unsaid[name] * UNSAID[name] + (spec.requests[name] ?? UNSAID[name]);
    sum += taken > whole ? 0 : Math.floor(((whole - taken) * MOST) / whole);
    resources += 1;
  }
  return resources === 0 ? 0 : Math.floor(sum / resources);
}

/** Does the pod make CPU and memory more evenly used? Source: NodeResourcesBalancedAllocation, v1.36. */
function balance({ spec }: CompiledSpec, entry: LedgerEntry): number {
  const { cpu = 0, memory = 0 } = spec.requests;
  if (cpu === 0 && memory === 0) return 0;
  const gain = evenness(entry, { cpu, memory }) - evenness(entry, { cpu: 0, memory: 0 });
  return MOST / 2 + Math.trunc((MOST / 2 + gain) / 2);
}

function evenness(
  { node, used }: LedgerEntry,
  added: { readonly cpu: number; readonly memory: number },
): number {
  const shares = (['cpu', 'memory'] as const).flatMap((name) => {
    const whole = node?.allocatable[name] ?? 0;
    return whole === 0 ? [] : [Math.min(1, ((used.get(name) ?? 0) + added[name]) / whole)];
  });
  const [first = 0, second = first] = shares;
  return Math.trunc((1 - Math.abs(first - second) / 2) * MOST);
}
