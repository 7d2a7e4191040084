// Watching for drift: what launches would use now, stamps and conditions on claims, and rollouts that are halted.
import { DRIFT_FACTS_NONE, type Drift, type DriftFacts, type InstanceNetwork } from '../disruption/drift.ts';
import { type Drifting, decideDrifting, type Rollout } from '../disruption/rollout.ts';
import { CLAIM_ANNOTATION } from '../model/labels.ts';
import { hasCondition, type NodeClaim } from '../model/nodeClaim.ts';
import type { NodeClassTargets } from '../model/nodeClass.ts';
import type { Provisioner } from '../model/provisioner.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import type { Ports } from '../ports/ports.ts';
import { withCondition } from './claimConditions.ts';
import { deleteAndTell, tellKept } from './claimEvents.ts';
import { independently } from './concurrently.ts';
import type { LiveState } from './liveState.ts';
import { type NextRun, WHEN_CHANGED } from './nextRun.ts';
import { REPLACED_BY_MS } from './replacementOrders.ts';
import type { ControllerSettings } from './settings.ts';

/** What launches would use is asked for this often: subnets and groups are cached for a minute, images for ten. */
const LOOK_AGAIN_MS = 60_000;
/** While a rollout is under way: its replacements may fail at any time. */
const ROLLOUT_AGAIN_MS = 5_000;
/** An instance does not move; its security groups may be changed by hand. */
const NETWORK_AGAIN_MS = 600_000;

/** What is known of the account, and what was told. */
export class DriftWatch {
  facts: DriftFacts = DRIFT_FACTS_NONE;
  networkAtMs = Number.NEGATIVE_INFINITY;
  /** Provisioners whose gauges are shown. */
  readonly shown = new Set<string>();
  /** Rollouts that were told to be halted, by Provisioner. */
  readonly toldHalted = new Map<string, string>();
  readonly #upWithinMs: number;

  constructor({ registrationTtlMs }: Pick<ControllerSettings, 'registrationTtlMs'>) {
    this.#upWithinMs = Math.min(REPLACED_BY_MS, registrationTtlMs);
  }

  /** All that drift comes to, in the cluster as it is. */
  decide(snapshot: ClusterSnapshot): Drifting {
    return decideDrifting(snapshot, this.facts, this.#upWithinMs);
  }

  sizes(): Readonly<Record<string, number>> {
    return { driftNetworks: this.facts.networks.size, driftShown: this.shown.size };
  }
}

export interface WatchingDrift {
  readonly live: LiveState;
  readonly watch: DriftWatch;
  readonly settings: ControllerSettings;
}

/** One look: facts, then what they mean, written on the claims. */
export async function watchDrift(ports: Ports, watching: WatchingDrift): Promise<NextRun> {
  const { live, watch, settings } = watching;
  const before = live.snapshot();
  if (before.provisioners.every(({ disruption }) => disruption.drift.policy === 'Never')) return WHEN_CHANGED;
  await refreshFacts(ports, watch, before);
  const snapshot = live.snapshot();
  const drifting = watch.decide(snapshot);
  const failed = ({ name }: { readonly name: string }, failure: unknown): void => {
    ports.telemetry.log.error({ object: name, error: String(failure) }, 'drift not written');
  };
  for (const provisioner of snapshot.provisioners) {
    const rollout = drifting.rollouts.get(provisioner.name);
    if (rollout?.phase !== 'halted') watch.toldHalted.delete(provisioner.name);
    else await halt(ports, watching, { provisioner, rollout, drifting });
  }
  const written = { annotations: marksOf(snapshot, drifting), drifted: drifting.drifted };
  await independently(
    snapshot.nodeClaims.filter(({ deletionRequestedAtMs }) => deletionRequestedAtMs === null),
    settings.writesAtOnce,
    (claim) => write(ports, live, claim, written),
    failed,
  );
  show(ports, watch, snapshot, drifting);
  const isUnderWay = [...drifting.rollouts].some(
    ([name, { phase }]) =>
      phase !== 'halted' && drifting.due.some(({ claim }) => claim.spec.provisioner === name),
  );
  return { afterMs: isUnderWay ? ROLLOUT_AGAIN_MS : LOOK_AGAIN_MS };
}

/** Asks for what launches would use, and where instances are; what cannot be told stays as it was known. */
async function refreshFacts(ports: Ports, watch: DriftWatch, snapshot: ClusterSnapshot): Promise<void> {
  const { cloud } = ports;
  if (cloud.nodeClassTargets === undefined) return;
  const targets = new Map<string, NodeClassTargets>();
  const generations = new Map<string, number>();
  for (const nodeClass of snapshot.nodeClasses) {
    const { key, generation } = nodeClass;
    const told = await cloud.nodeClassTargets(nodeClass).catch(() => null);
    const known = told ?? watch.facts.targets.get(key);
    if (known === undefined) continue;
    targets.set(key, known);
    generations.set(key, told === null ? (watch.facts.generations?.get(key) ?? -1) : generation);
  }
  watch.facts = { networks: await networksNow(ports, watch, snapshot), targets, generations };
}

/** Where instances are; known before what that is compared with, or nodes that drift by it would seem to fit. */
async function networksNow(
  { cloud, clock }: Ports,
  watch: DriftWatch,
  snapshot: ClusterSnapshot,
): Promise<DriftFacts['networks']> {
  const nowMs = clock.nowMs();
  const isUnknown = snapshot.nodeClaims.some(
    (claim) => hasCondition(claim, 'Registered') && !watch.facts.networks.has(claim.status.providerId),
  );
  const waitedMs = nowMs - watch.networkAtMs;
  if (waitedMs < (isUnknown ? LOOK_AGAIN_MS : NETWORK_AGAIN_MS)) return watch.facts.networks;
  const networks = new Map<string, InstanceNetwork>();
  for (const { providerId, subnetId = '', securityGroupIds = [] } of await cloud.list())
    networks.set(providerId, { subnetId, securityGroupIds });
  watch.networkAtMs = nowMs;
  return networks;
}

type Annotations = Readonly<Record<string, string | null>>;

/** By claim name: annotations to be written, those that say so already left out. */
function marksOf(
  snapshot: ClusterSnapshot,
  { stamps, rollouts, drifted }: Drifting,
): Map<string, Annotations> {
  const marks = new Map<string, Annotations>();
  for (const { claim, madeFrom } of stamps) marks.set(claim.name, { [CLAIM_ANNOTATION.madeFrom]: madeFrom });
  for (const claim of snapshot.nodeClaims) {
    const held = claim.annotations?.[CLAIM_ANNOTATION.rolloutHalted];
    const rollout = rollouts.get(claim.spec.provisioner);
    const wanted = rollout?.phase === 'halted' && drifted.has(claim.name) ? rollout.id : undefined;
    if (held === wanted) continue;
    // A mark is all that is known of a halt: it stays until another rollout takes its place.
    if (wanted === undefined && (rollout === undefined || held === rollout.id)) continue;
    const change = { [CLAIM_ANNOTATION.rolloutHalted]: wanted ?? null };
    marks.set(claim.name, { ...marks.get(claim.name), ...change });
  }
  return marks;
}

/** Annotations, then the condition; tells of drift that is news. */
async function write(
  ports: Ports,
  live: LiveState,
  read: NodeClaim,
  {
    annotations,
    drifted,
  }: { readonly annotations: Map<string, Annotations>; readonly drifted: ReadonlyMap<string, Drift> },
): Promise<void> {
  const change = annotations.get(read.name);
  const claim =
    change === undefined
      ? read
      : live.recordNodeClaim(read, await ports.kube.annotateNodeClaim(read, change));
  if (claim === null || claim.uid !== read.uid || claim.deletionRequestedAtMs !== null) return;
  const drift = drifted.get(claim.name);
  const before = claim.status.conditions.find(({ type }) => type === 'Drifted');
  if (drift === undefined && before?.status !== 'True') return;
  const { reason, message } = drift ?? { reason: 'NotDrifted', message: '' };
  const status = withCondition(claim.status, {
    ...{ type: 'Drifted', reason, message, sinceMs: ports.clock.nowMs() },
    status: drift === undefined ? 'False' : 'True',
  });
  if (status === claim.status) return;
  live.recordNodeClaim(claim, await ports.kube.writeNodeClaimStatus(claim, status));
  if (drift === undefined || (before?.status === 'True' && before.reason === reason)) return;
  ports.telemetry.log.info({ nodeClaim: claim.name, reason, drift: message }, 'node has drifted');
  await tellKept(ports, live, claim, { type: 'Normal', reason: 'Drifted', message: `${reason}: ${message}` });
}

interface Halted {
  readonly provisioner: Provisioner;
  readonly rollout: Rollout;
  readonly drifting: Drifting;
}

/** Writes the halt on the claims that stay, and only then takes back what was bought and is not up. */
async function halt(
  ports: Ports,
  { live, watch }: WatchingDrift,
  { provisioner, rollout, drifting }: Halted,
): Promise<void> {
  const { id, failed } = rollout;
  const staying = live
    .snapshot()
    .nodeClaims.filter(
      ({ name, spec }) => spec.provisioner === provisioner.name && drifting.drifted.has(name),
    );
  const marks = marksOf(live.snapshot(), drifting);
  const because = failed.map(({ message }) => message).join('; ');
  const mend = `mend what drifted, or annotate the Provisioner with a new cooper.sh/rollout-attempt to try again`;
  const message = `rollout ${id} is halted${because === '' ? '' : `: ${because}`}; drifted nodes stay; ${mend}`;
  const isNews = watch.toldHalted.get(provisioner.name) !== id;
  for (const read of staying) {
    const change = marks.get(read.name);
    if (change === undefined) continue;
    const claim = live.recordNodeClaim(read, await ports.kube.annotateNodeClaim(read, change));
    if (claim !== null)
      await tellKept(ports, live, claim, {
        type: 'Warning',
        reason: 'RolloutHalted',
        message,
        disruption: 'Drifted',
      });
  }
  if (isNews) {
    watch.toldHalted.set(provisioner.name, id);
    const about = {
      kind: 'Provisioner' as const,
      namespace: '',
      name: provisioner.name,
      uid: provisioner.uid,
    };
    ports.telemetry.log.warn({ provisioner: provisioner.name, rollout: id, because }, 'rollout halted');
    await ports.kube.publishEvent({ about, type: 'Warning', reason: 'RolloutHalted', message });
  }
  const isMarked = live
    .snapshot()
    .nodeClaims.some(({ annotations }) => annotations?.[CLAIM_ANNOTATION.rolloutHalted] === id);
  // With nothing left to mark, nothing is left to roll out either.
  if (isMarked || staying.length === 0) await rollBack(ports, live, id);
}

/** Replacements that are not up hold no pods: they go at once. Those that were up are in use, and stay. */
async function rollBack(ports: Ports, live: LiveState, id: string): Promise<void> {
  for (const claim of live.snapshot().nodeClaims) {
    if (claim.annotations?.[CLAIM_ANNOTATION.rollout] !== id) continue;
    if (claim.deletionRequestedAtMs !== null || hasCondition(claim, 'Initialized')) continue;
    const message = `rollout ${id} is halted, and this replacement is not up: it is taken back`;
    await deleteAndTell(ports, live, claim, { type: 'Warning', reason: 'RolledBack', message });
  }
}

function show(
  { telemetry }: Ports,
  { shown }: DriftWatch,
  { provisioners, nodeClaims }: ClusterSnapshot,
  { drifted, rollouts }: Drifting,
): void {
  const { metrics } = telemetry;
  const names = new Set(provisioners.map(({ name }) => name));
  for (const provisioner of names) {
    const count = nodeClaims.filter(
      ({ name, spec }) => spec.provisioner === provisioner && drifted.has(name),
    );
    metrics.gauge('cooper_nodeclaims_drifted', { provisioner }, count.length);
    const isHalted = rollouts.get(provisioner)?.phase === 'halted';
    metrics.gauge('cooper_rollouts_halted', { provisioner }, isHalted ? 1 : 0);
    shown.add(provisioner);
  }
  for (const provisioner of [...shown]) {
    if (names.has(provisioner)) continue;
    metrics.forgetGauge?.('cooper_nodeclaims_drifted', { provisioner });
    metrics.forgetGauge?.('cooper_rollouts_halted', { provisioner });
    shown.delete(provisioner);
  }
}
