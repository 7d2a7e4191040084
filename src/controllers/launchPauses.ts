// Provisioners whose launches are paused, left out of what may be bought, with the reason that pods are told.
import type { InstanceType } from '../model/instanceType.ts';
import { hasCondition, type NodeClaim } from '../model/nodeClaim.ts';
import { nodeClassKey } from '../model/nodeClass.ts';
import type { PlannedNodeClaim } from '../model/plan.ts';
import type { LaunchFailures, Provisioner } from '../model/provisioner.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import type { CatalogueReading, NotReady } from './catalogue.ts';
import { type LaunchLeave, launchLeave } from './launchBreaker.ts';
import type { LaunchFailuresMemory } from './launchFailures.ts';

/** What each Provisioner that is not free may launch; those that are free are not in it. */
export type LaunchLeaves = ReadonlyMap<string, { readonly leave: LaunchLeave; readonly problem: NotReady }>;

const ALL_FREE: LaunchLeaves = new Map();

export function launchLeaves(snapshot: ClusterSnapshot, failures: LaunchFailuresMemory): LaunchLeaves {
  const paused = snapshot.provisioners.filter((one) => (failures.of(one)?.pauses ?? 0) > 0);
  if (paused.length === 0) return ALL_FREE;
  const classes = new Map(snapshot.nodeClasses.map((one) => [one.key, one]));
  const leaves = new Map<string, { readonly leave: LaunchLeave; readonly problem: NotReady }>();
  for (const provisioner of paused) {
    const known = failures.of(provisioner);
    const nodeClass = classes.get(nodeClassKey(provisioner.nodeClassRef));
    if (known === null || nodeClass === undefined) continue;
    const own = snapshot.nodeClaims.filter((claim) => isComingUp(claim, provisioner));
    const leave = launchLeave(known, failures.launchedBy(provisioner, nodeClass), {
      comingUp: own.length,
      nowMs: snapshot.takenAtMs,
    });
    if (leave === 'free') continue;
    const tried = snapshot.takenAtMs < known.retryAtMs ? undefined : own[0];
    leaves.set(provisioner.name, { leave, problem: problemOf(provisioner, known, tried) });
  }
  return leaves;
}

function isComingUp(claim: NodeClaim, { name }: Provisioner): boolean {
  const { spec, deletionRequestedAtMs } = claim;
  return spec.provisioner === name && deletionRequestedAtMs === null && !hasCondition(claim, 'Initialized');
}

/** The same words until something changes: pods are told once. */
function problemOf(
  { name, nodeClassRef }: Provisioner,
  { nodes, retryAtMs, hint }: LaunchFailures,
  tried: NodeClaim | undefined,
): NotReady {
  const last = `Provisioner ${name}: its last ${nodes} nodes never came up (${hint})`;
  const next =
    tried === undefined
      ? `so nothing is launched until ${new Date(retryAtMs).toISOString()}, and then one node to see`
      : `so NodeClaim ${tried.name} is tried alone`;
  const what = `mend ${nodeClassRef.kind} ${nodeClassRef.name}, or what its nodes boot with`;
  const mend = `${what}; a change of it is tried at once`;
  return { reason: 'NodesNeverJoined', message: `${last}, ${next}; ${mend}` };
}

/** Leaves out Provisioners that may launch nothing; with `evenOne: false` also those that may try one node. */
export function withoutPaused(
  reading: CatalogueReading,
  leaves: LaunchLeaves,
  { evenOne }: { readonly evenOne: boolean },
): CatalogueReading {
  if (leaves.size === 0) return reading;
  const catalogue = new Map<string, readonly InstanceType[]>(reading.catalogue);
  const notReady = new Map(reading.notReady);
  for (const [name, { leave, problem }] of leaves) {
    if (notReady.has(name) || (leave === 'one' && evenOne)) continue;
    catalogue.delete(name);
    notReady.set(name, problem);
  }
  return { catalogue, notReady };
}

/** What of the planned nodes may be launched, and what is held back: of a Provisioner on trial only the first. */
export function withinLeaves(
  planned: readonly PlannedNodeClaim[],
  leaves: LaunchLeaves,
): { readonly launched: readonly PlannedNodeClaim[]; readonly held: readonly PlannedNodeClaim[] } {
  if (leaves.size === 0) return { launched: planned, held: [] };
  const launched: PlannedNodeClaim[] = [];
  const held: PlannedNodeClaim[] = [];
  const onTrial = new Set<string>();
  for (const claim of planned) {
    const { provisioner } = claim.spec;
    const leave = leaves.get(provisioner)?.leave ?? 'free';
    const mayGo = leave === 'free' || (leave === 'one' && !onTrial.has(provisioner));
    onTrial.add(provisioner);
    (mayGo ? launched : held).push(claim);
  }
  return { launched, held };
}
