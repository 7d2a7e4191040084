// The part of a kubelet that runs pods: those bound to its nodes become Running, those deleted go.
import { type Kube, KubeError, type PodObject } from './kube.ts';

export interface PodTimings {
  /** From binding to Running and Ready. */
  readonly podStartMs: number;
  /** From the request for deletion to the pod being gone; cut short by the pod's own grace period. */
  readonly podStopMs: number;
}

/** A pod with this annotation ends with success so many milliseconds after its start, as a Job's pod does. */
export const EXITS_AFTER_ANNOTATION = 'cooper.test/exits-after-ms';

export interface PodRunner {
  /** Looks at the pods again, after a node has come or gone. */
  review(): void;
  stop(): void;
}

interface PodRunnerSpec {
  readonly kube: Kube;
  /** Asked at each step: is there a kubelet behind this node? */
  readonly serves: (nodeName: string) => boolean;
  readonly timings: () => PodTimings;
  readonly report: (problem: string) => void;
}

/** Follows all pods of the cluster and runs those on nodes that `serves` says are ours. */
export function runPods(spec: PodRunnerSpec): PodRunner {
  const pods = new Map<string, PodObject>();
  const timers = new Map<string, NodeJS.Timeout>();

  const once = (step: string, pod: PodObject, afterMs: number, act: () => Promise<unknown>): void => {
    const key = `${step}/${pod.metadata.uid}`;
    if (timers.has(key)) return;
    const attempt = (): void => {
      if (!pods.has(pod.metadata.uid) || !spec.serves(pod.spec.nodeName ?? '')) {
        timers.delete(key);
        return;
      }
      act().catch((error: unknown) => {
        if (isPassing(error)) timers.delete(key);
        else spec.report(`${step} of pod ${pod.metadata.namespace}/${pod.metadata.name}: ${String(error)}`);
      });
    };
    timers.set(key, setTimeout(attempt, afterMs));
  };

  const consider = (pod: PodObject): void => {
    if (!spec.serves(pod.spec.nodeName ?? '')) return;
    const timings = spec.timings();
    const ended = pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed';
    if (pod.metadata.deletionTimestamp !== undefined) {
      const graceMs = 1000 * (pod.metadata.deletionGracePeriodSeconds ?? 30);
      once('stop', pod, ended ? 0 : Math.min(graceMs, timings.podStopMs), () => remove(spec.kube, pod));
    } else if (pod.status.phase === 'Pending') {
      once('start', pod, timings.podStartMs, () => patchStatus(spec.kube, pod, runningStatus(pod)));
    } else if (pod.status.phase === 'Running') {
      const exitsAfterMs = pod.metadata.annotations?.[EXITS_AFTER_ANNOTATION];
      if (exitsAfterMs !== undefined) {
        once('exit', pod, Number(exitsAfterMs), () => patchStatus(spec.kube, pod, succeededStatus(pod)));
      }
    }
  };

  const watch = spec.kube.watch<PodObject>('/api/v1/pods', ({ type, object }) => {
    if (type === 'DELETED') {
      pods.delete(object.metadata.uid);
      return;
    }
    pods.set(object.metadata.uid, object);
    consider(object);
  });
  return {
    review: () => {
      for (const pod of pods.values()) consider(pod);
    },
    stop: () => {
      watch.stop();
      for (const timer of timers.values()) clearTimeout(timer);
    },
  };
}

/** The pod has gone or changed under our hands, or the API server is ending: nothing to tell. */
function isPassing(error: unknown): boolean {
  return !(error instanceof KubeError) || error.status === 404 || error.status === 409;
}

function podPath(pod: PodObject): string {
  return `/api/v1/namespaces/${pod.metadata.namespace}/pods/${pod.metadata.name}`;
}

function remove(kube: Kube, pod: PodObject): Promise<void> {
  return kube.delete(podPath(pod), { gracePeriodSeconds: 0, preconditions: { uid: pod.metadata.uid } });
}

function patchStatus(kube: Kube, pod: PodObject, status: object): Promise<unknown> {
  return kube.patch(`${podPath(pod)}/status`, { metadata: { uid: pod.metadata.uid }, status }, 'strategic');
}

let addresses = 0;

function nextPodIp(): string {
  addresses += 1;
  return `10.1.${(addresses >> 8) & 255}.${addresses & 255}`;
}

function runningStatus(pod: PodObject): object {
  const at = new Date().toISOString();
  const types = ['PodReadyToStartContainers', 'Initialized', 'ContainersReady', 'Ready'];
  const podIP = nextPodIp();
  return {
    phase: 'Running',
    startTime: at,
    podIP,
    podIPs: [{ ip: podIP }],
    conditions: types.map((type) => ({ type, status: 'True', lastTransitionTime: at })),
    containerStatuses: pod.spec.containers.map(({ name, image }) => ({
      name,
      image,
      imageID: image,
      ready: true,
      started: true,
      restartCount: 0,
      state: { running: { startedAt: at } },
    })),
  };
}

function succeededStatus(pod: PodObject): object {
  const at = new Date().toISOString();
  return {
    phase: 'Succeeded',
    conditions: ['ContainersReady', 'Ready'].map((type) => ({
      type,
      status: 'False',
      reason: 'PodCompleted',
      lastTransitionTime: at,
    })),
    containerStatuses: pod.spec.containers.map(({ name, image }) => ({
      name,
      image,
      imageID: image,
      ready: false,
      started: false,
      restartCount: 0,
      state: { terminated: { exitCode: 0, reason: 'Completed', startedAt: at, finishedAt: at } },
    })),
  };
}
