// Simulated Deployments and Jobs: they keep as many pods as their curve asks for, and choose which ones go first.
import { isTerminal, type Pod, type PodSpec, podKey } from '../model/pod.ts';
import type { Rollout } from '../model/workloads.ts';
import type { DisruptionBudgets } from './disruptionBudgets.ts';
import { requestPodDeletion } from './kubeWrites.ts';
import type { ObjectStore } from './objectStore.ts';
import type { Random } from './random.ts';
import type { VirtualClock } from './virtualClock.ts';

/** How long a controller takes to make up for a pod that is gone. */
const REACTION_MS = 20;
/** Finished pods of Jobs are deleted after this long (`ttlSecondsAfterFinished`). */
const FINISHED_TTL_MS = 60_000;
const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';

/** From this time on, this many pods. For Jobs: at this time, this many new ones. */
export interface ReplicaStep {
  readonly atMs: number;
  readonly replicas: number;
}

/** One pod of a Job, created at that time; null runs to the end. */
export interface Arrival {
  readonly atMs: number;
  readonly runTimeMs: number | null;
}

export interface WorkloadSpec {
  readonly kind: 'Deployment' | 'Job';
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly pod: PodSpec;
  /** In time order; times are since the epoch. */
  readonly steps: readonly ReplicaStep[];
  /** How long a pod runs before it succeeds; null for ever. */
  readonly runTimeMs: number | null;
  /** Pods of a Job with run times of their own, in time order; absent for most. */
  readonly arrivals?: readonly Arrival[];
}

export interface WorkloadParts {
  readonly clock: VirtualClock;
  readonly store: ObjectStore;
  readonly budgets: DisruptionBudgets;
  readonly random: Random;
}

interface Workload {
  readonly spec: WorkloadSpec;
  readonly uid: string;
  readonly ownerName: string;
  readonly live: Map<string, Pod>;
  wanted: number;
  /** When it was last rolled, and the pods that go once others are ready in their place. */
  restartedAtMs: number | null;
  readonly outdated: Set<string>;
  isSyncDue: boolean;
}

export class Workloads {
  readonly #parts: WorkloadParts;
  readonly #byUid = new Map<string, Workload>();
  /** By uid of the pod, of those that arrived with a run time of their own. */
  readonly #runTimes = new Map<string, number | null>();

  constructor(parts: WorkloadParts) {
    this.#parts = parts;
    parts.store.subscribe((event, before) => {
      if (event.kind !== 'pod') return;
      if (event.type === 'upsert') this.#podChanged(event.object);
      else this.#podGone(before as Pod);
    });
  }

  /** Starts the workload: its first step may be now. */
  add(spec: WorkloadSpec): void {
    const { random } = this.#parts;
    const workload: Workload = {
      spec,
      uid: random.uuid(),
      ownerName: spec.kind === 'Job' ? spec.name : `${spec.name}-${random.suffix(9)}`,
      live: new Map(),
      wanted: 0,
      restartedAtMs: null,
      outdated: new Set(),
      isSyncDue: false,
    };
    this.#byUid.set(workload.uid, workload);
    this.#takeStepLater(workload, 0);
    this.#takeArrivalLater(workload, 0);
  }

  runTimeOf(pod: Pod): number | null {
    const own = this.#runTimes.get(pod.uid);
    if (own !== undefined) return own;
    return this.#byUid.get(pod.owner?.uid ?? '')?.spec.runTimeMs ?? null;
  }

  /** How many pods the Deployment with that uid wants; null for others, which have no scale. */
  wantedOf(ownerUid: string): number | null {
    const workload = this.#byUid.get(ownerUid);
    return workload?.spec.kind === 'Deployment' ? workload.wanted : null;
  }

  /** The Deployment of the pod as the API server shows it; all of them surge. */
  rolloutOf({ owner }: Pick<Pod, 'owner'>): Rollout | null {
    const workload = this.#byUid.get(owner?.uid ?? '');
    if (workload?.spec.kind !== 'Deployment') return null;
    const { namespace, name } = workload.spec;
    const { uid, wanted: replicas, restartedAtMs } = workload;
    return { namespace, name, uid, replicas, surges: true, restartedAtMs };
  }

  /** Rolls the Deployment: each pod goes once another one is ready in its place. */
  restart(uid: string, atMs: number): 'restarted' | 'gone' {
    const workload = this.#byUid.get(uid);
    if (workload?.spec.kind !== 'Deployment') return 'gone';
    workload.restartedAtMs = atMs;
    for (const key of workload.live.keys()) workload.outdated.add(key);
    this.#syncLater(workload);
    return 'restarted';
  }

  /** Pods wanted by all workloads together just now. */
  wanted(): number {
    let wanted = 0;
    for (const workload of this.#byUid.values()) wanted += workload.wanted;
    return wanted;
  }

  /** Only one step of each workload lies on the heap at a time: a month of curves has many. */
  #takeStepLater(workload: Workload, index: number): void {
    const step = workload.spec.steps[index];
    if (step === undefined) return;
    this.#parts.clock.at(step.atMs, () => {
      this.#scale(workload, step.replicas);
      this.#takeStepLater(workload, index + 1);
    });
  }

  #takeArrivalLater(workload: Workload, index: number): void {
    const arrival = workload.spec.arrivals?.[index];
    if (arrival === undefined) return;
    this.#parts.clock.at(arrival.atMs, () => {
      this.#createPod(workload, arrival.runTimeMs);
      this.#takeArrivalLater(workload, index + 1);
    });
  }

  #scale(workload: Workload, replicas: number): void {
    if (workload.spec.kind === 'Job') {
      for (let count = 0; count < replicas; count += 1) this.#createPod(workload);
      return;
    }
    workload.wanted = replicas;
    this.#parts.budgets.setScale(workload.uid, replicas);
    this.#sync(workload);
  }

  #syncLater(workload: Workload): void {
    if (workload.isSyncDue || workload.spec.kind === 'Job') return;
    workload.isSyncDue = true;
    this.#parts.clock.after(REACTION_MS, () => {
      workload.isSyncDue = false;
      this.#sync(workload);
    });
  }

  #sync(workload: Workload): void {
    this.#replaceOutdated(workload);
    const surge = workload.outdated.size > 0 && workload.wanted > 0 ? 1 : 0;
    const missing = workload.wanted + surge - workload.live.size;
    for (let count = 0; count < missing; count += 1) this.#createPod(workload);
    if (missing >= 0) return;
    const ranked = inDeletionOrder([...workload.live.values()]);
    for (const pod of ranked.slice(0, -missing)) {
      requestPodDeletion(this.#parts.store, pod, this.#parts.clock.nowMs());
    }
  }

  /** As many outdated pods go as there are ready ones beyond what is wanted. */
  #replaceOutdated({ live, outdated, wanted }: Workload): void {
    for (const key of outdated) if (!live.has(key)) outdated.delete(key);
    let spare = [...live.values()].filter(({ ready }) => ready).length - wanted;
    for (const key of outdated) {
      const pod = live.get(key);
      if (pod === undefined || (pod.ready && spare <= 0)) continue;
      if (pod.ready) spare -= 1;
      else if (live.size <= wanted) continue;
      requestPodDeletion(this.#parts.store, pod, this.#parts.clock.nowMs());
    }
  }

  #createPod(workload: Workload, runTimeMs?: number | null): void {
    const { clock, store, random } = this.#parts;
    const { spec } = workload;
    const name = `${workload.ownerName}-${random.suffix(5)}`;
    const key = `${spec.namespace}/${name}`;
    if (store.get('pod', key) !== undefined) {
      this.#createPod(workload, runTimeMs);
      return;
    }
    const uid = random.uuid();
    if (runTimeMs !== undefined) this.#runTimes.set(uid, runTimeMs);
    store.put('pod', key, {
      namespace: spec.namespace,
      name,
      uid,
      labels: spec.labels,
      annotations: spec.annotations,
      spec: spec.pod,
      owner: {
        kind: spec.kind === 'Job' ? 'Job' : 'ReplicaSet',
        name: workload.ownerName,
        uid: workload.uid,
      },
      createdAtMs: clock.nowMs(),
      phase: 'Pending',
      ready: false,
      nodeName: '',
      nominatedNodeName: '',
      unschedulableSinceMs: null,
      schedulingGated: false,
      deletionRequestedAtMs: null,
      mirror: false,
    });
  }

  #podChanged(pod: Pod): void {
    const workload = this.#byUid.get(pod.owner?.uid ?? '');
    if (workload === undefined) return;
    if (pod.deletionRequestedAtMs === null && !isTerminal(pod)) {
      workload.live.set(podKey(pod), pod);
      if (workload.outdated.size > 0 && pod.ready) this.#syncLater(workload);
      return;
    }
    if (workload.live.delete(podKey(pod))) this.#syncLater(workload);
    if (isTerminal(pod) && pod.deletionRequestedAtMs === null) {
      this.#parts.clock.after(FINISHED_TTL_MS, () => this.#parts.store.remove('pod', podKey(pod)));
    }
  }

  /** A Job makes up for a pod that went before it had finished. */
  #podGone(pod: Pod): void {
    const workload = this.#byUid.get(pod.owner?.uid ?? '');
    if (workload === undefined) return;
    if (workload.live.delete(podKey(pod))) this.#syncLater(workload);
    if (workload.spec.kind === 'Job' && !isTerminal(pod))
      this.#createPod(workload, this.#runTimes.get(pod.uid));
    this.#runTimes.delete(pod.uid);
  }
}

/**
 * Which pods a ReplicaSet deletes first.
 * Source: Kubernetes, "ReplicaSet: Scaling a ReplicaSet": unbound, pending, unready, cheaper to delete,
 * sharing a node with more siblings, younger.
 */
function inDeletionOrder(pods: readonly Pod[]): readonly Pod[] {
  const siblings = new Map<string, number>();
  for (const pod of pods) siblings.set(pod.nodeName, (siblings.get(pod.nodeName) ?? 0) + 1);
  const ranks = (pod: Pod): readonly number[] => [
    pod.nodeName === '' ? 0 : 1,
    pod.phase === 'Pending' ? 0 : 1,
    pod.ready ? 1 : 0,
    Number(pod.annotations[DELETION_COST] ?? '0'),
    -(siblings.get(pod.nodeName) ?? 0),
    -pod.createdAtMs,
  ];
  return pods
    .map((pod) => ({ pod, ranks: ranks(pod) }))
    .sort((left, right) => compareRanks(left.ranks, right.ranks))
    .map(({ pod }) => pod);
}

function compareRanks(left: readonly number[], right: readonly number[]): number {
  for (let index = 0; index < left.length; index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
