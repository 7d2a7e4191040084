// Once nodes of a Provisioner never come up, it launches one at a time, after a pause, until one does.
import { FAILURES_MOST, PAUSE_FIRST_MS } from '../../controllers/launchBreaker.ts';
import type { ClusterEvent } from '../../model/clusterEvent.ts';
import { hasCondition, type NodeClaim } from '../../model/nodeClaim.ts';
import type { Provisioner } from '../../model/provisioner.ts';
import type { Simulation } from '../simulation.ts';
import type { Invariant } from './invariant.ts';
import { claimsOfTwoLeaders } from './twoLeaders.ts';

/** A plan made before the last of them was given up may be stored after it, though calls fail and are repeated. */
const UNDER_WAY_MS = 60_000;
/** Claims stored within this time of each other belong to one plan: those that come up speak for the others. */
const TOGETHER_MS = 60_000;

interface Known {
  failed: number;
  stoppedAtMs: number;
  /** What they booted: another one is worth a try at once. */
  readonly imageId: string;
}

export const launchesStop: Invariant = ({ simulation, report }) => {
  const { store, clock, history } = simulation;
  const isOfTwoLeaders = claimsOfTwoLeaders(simulation);
  const clockIsTrue = simulation.setup.faults.mishaps.clockJumpMs === Number.POSITIVE_INFINITY;
  const byProvisioner = new Map<string, Known>();
  /** Uids: a restart may give one back that is going already. */
  const counted = new Set<string>();
  history.listen(({ kind, subject, facts }) => {
    if (kind !== 'Decision' || facts.kind !== 'Disrupted') return;
    if (facts.disruption !== 'NeverRegistered' && facts.disruption !== 'NeverInitialized') return;
    const claim = store.get('nodeClaim', subject);
    if (claim === undefined || counted.has(claim.uid) || othersAreUp(simulation, claim)) return;
    counted.add(claim.uid);
    const { imageId } = claim.status;
    if (!isLaunched(simulation, imageId)) return;
    const before = byProvisioner.get(claim.spec.provisioner);
    const known = before?.imageId === imageId ? before : { failed: 0, stoppedAtMs: 0, imageId };
    known.failed += 1;
    if (known.failed === FAILURES_MOST) known.stoppedAtMs = clock.nowMs();
    byProvisioner.set(claim.spec.provisioner, known);
  });
  store.subscribe((event, before) => {
    if (event.kind === 'provisioner' && isMended(event, before)) byProvisioner.delete(event.key);
    if (event.kind !== 'nodeClaim' || event.type !== 'upsert') return;
    const claim = event.object;
    const { provisioner } = claim.spec;
    const wasUp = before !== undefined && hasCondition(before as NodeClaim, 'Initialized');
    if (hasCondition(claim, 'Initialized') && !wasUp) byProvisioner.delete(provisioner);
    const known = byProvisioner.get(provisioner);
    if (before !== undefined || known === undefined || known.failed < FAILURES_MOST) return;
    if (!isLaunched(simulation, known.imageId)) return;
    const sinceMs = clock.nowMs() - known.stoppedAtMs;
    if (sinceMs < UNDER_WAY_MS || isOfTwoLeaders(claim.uid)) return;
    const others = comingUp(simulation, claim);
    if (clockIsTrue && sinceMs < PAUSE_FIRST_MS - UNDER_WAY_MS)
      report(`${claim.name} was stored ${sinceMs} ms after ${known.failed} nodes never came up`);
    else if (others.length > 0)
      report(`${claim.name} was stored while ${others.join(', ')} is tried: ${known.failed} never came up`);
  });
  return undefined;
};

/** A change of the spec, and not of the status. */
function isMended(event: ClusterEvent, before: unknown): boolean {
  const generation = event.kind === 'provisioner' && event.type === 'upsert' ? event.object.generation : -1;
  return generation !== (before as Provisioner | undefined)?.generation;
}

function isLaunched({ cloud }: Simulation, imageId: string): boolean {
  return cloud.targets.now().imageIds.includes(imageId);
}

function othersAreUp({ store }: Simulation, failed: NodeClaim): boolean {
  return [...store.values('nodeClaim')].some(
    (claim) =>
      claim.spec.provisioner === failed.spec.provisioner &&
      claim.createdAtMs >= failed.createdAtMs - TOGETHER_MS &&
      hasCondition(claim, 'Initialized'),
  );
}

function comingUp({ store }: Simulation, { name, spec }: NodeClaim): readonly string[] {
  return [...store.values('nodeClaim')]
    .filter(
      (claim) =>
        claim.name !== name &&
        claim.spec.provisioner === spec.provisioner &&
        claim.deletionRequestedAtMs === null &&
        !hasCondition(claim, 'Initialized'),
    )
    .map((claim) => claim.name);
}
