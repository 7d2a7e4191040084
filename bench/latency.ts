// From a lone pod turning Unschedulable to its CreateFleet call: real API server, kube-scheduler and EC2 stand-in.
import type { KubeObject, PodObject } from '../test/e2e/harness/kube.ts';
import { reasonToSkip } from '../test/e2e/harness/prerequisites.ts';
import { provisioner, startStory } from '../test/e2e/harness/story.ts';
import type { World } from '../test/e2e/harness/world.ts';
import type { Report } from './figure.ts';

const PODS = 21;
const GOAL_MS = 250;
/** Too much for what is left on the node before: every pod needs a node of its own. */
const CPU = '1200m';

/** The figure `latency/pending-to-create-fleet`: the median over pods that come one at a time. */
export async function benchLatency({ figure, note }: Report): Promise<void> {
  const skip = await reasonToSkip();
  if (skip !== false) {
    note(`latency: left out, ${skip}`);
    return;
  }
  const world = await startStory({ namespaces: ['web'], controllerEnv: { LOG_LEVEL: 'info' } });
  try {
    await world.apply(provisioner({ ttlSecondsAfterEmpty: 3600 }));
    world.controller.start();
    await world.controller.waitForLog(({ msg }) => msg === 'cluster state is complete', {
      what: 'a complete cluster state',
      timeoutMs: 60_000,
    });
    const waits = await measure(world);
    const sorted = [...waits].sort((left, right) => left - right);
    note(`latency: ms of each pod, in order: ${waits.map((ms) => Math.round(ms)).join(' ')}`);
    const median = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
    const worst = sorted.at(-1) ?? Number.NaN;
    const common = { unit: 'ms', peer: null, ratio: null };
    const goal = `at most ${GOAL_MS} ms`;
    figure({
      name: 'latency/pending-to-create-fleet/p50',
      value: median,
      ...common,
      goal,
      holds: median <= GOAL_MS,
    });
    figure({ name: 'latency/pending-to-create-fleet/max', value: worst, ...common, goal: '', holds: null });
  } finally {
    await world.stop();
  }
}

/** Milliseconds for each pod, from the event with its Unschedulable condition to EC2 receiving its CreateFleet. */
async function measure(world: World): Promise<readonly number[]> {
  const unschedulableAtMs = new Map<string, number>();
  const watch = world.kube.watch<PodObject>('/api/v1/namespaces/web/pods', ({ object }) => {
    const condition = object.status.conditions?.find(({ type }) => type === 'PodScheduled');
    const { name } = object.metadata;
    if (condition?.status === 'False' && !unschedulableAtMs.has(name))
      unschedulableAtMs.set(name, Date.now());
  });
  const waits: number[] = [];
  let lastCall = 0;
  for (let index = 0; index < PODS; index++) {
    const name = `lone-${index}`;
    await world.kube.create<KubeObject>('/api/v1/namespaces/web/pods', lonePod(name));
    const call = await world.until(async () => (await world.moto.calls('CreateFleet', lastCall))[0], {
      what: `CreateFleet for ${name}`,
      timeoutMs: 30_000,
      intervalMs: 200,
    });
    lastCall = call.id;
    waits.push(call.startedAtMs - (unschedulableAtMs.get(name) ?? Number.NaN));
    await world.until(async () => (await world.pods('web')).every((pod) => pod.status.phase === 'Running'), {
      what: `${name} to run`,
      timeoutMs: 60_000,
      intervalMs: 200,
    });
  }
  watch.stop();
  return waits;
}

function lonePod(name: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'web' },
    spec: {
      containers: [{ name: 'main', image: 'app', resources: { requests: { cpu: CPU, memory: '256Mi' } } }],
    },
  };
}
