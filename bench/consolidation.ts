// Consolidation of clusters that a scale-down has left fragmented: price over the bound, evictions, time.
import { shippedCatalogue } from '../src/aws/shippedCatalogue.ts';
import { consolidate, decided } from '../src/disruption/consolidation.ts';
import { NO_CONSOLIDATION } from '../src/model/disruptionPolicy.ts';
import { LABEL } from '../src/model/labels.ts';
import type { Pod } from '../src/model/pod.ts';
import type { Catalogue, ClusterSnapshot } from '../src/model/snapshot.ts';
import { schedule } from '../src/scheduling/scheduler.ts';
import { aPod, aProvisioner, aSnapshot, MIB } from '../test/builders.ts';
import { carriedOut, consolidated, QUIET, totalUsdPerHour } from '../test/disruption/consolidated.ts';
import { Chance } from './chance.ts';
import { boundedFigure, plainFigure, type Report } from './figure.ts';

const CPU_MILLIS = [100, 250, 500, 1000, 1500] as const;
const MEMORY_MI = [100, 256, 512, 1024, 2048, 4096] as const;
const CLASSES = 40;
/** Pods that stay. */
const KEPT_SHARE = 0.4;
const HOUR_MS = 3_600_000;
const STEPS_MOST = 500;

/** About so many nodes before the scale-down, for so many pods. */
const SIZES: readonly { readonly nodes: number; readonly pods: number }[] = [
  { nodes: 100, pods: 1_250 },
  { nodes: 1000, pods: 12_500 },
];

/** The figures `consolidation/…`. */
export async function benchConsolidation({ figure, note }: Report): Promise<void> {
  const types = shippedCatalogue('us-east-1', {
    zones: ['us-east-1a', 'us-east-1b', 'us-east-1c'],
  }).filter(({ name }) => /^[cmr][5-7][a-z]*\.(large|xlarge|2xlarge)$/.test(name));
  const catalogue: Catalogue = new Map([['default', types]]);
  for (const { nodes, pods } of SIZES) {
    const before = fragmented(pods, catalogue);
    const rest = toRest(before, catalogue);
    const bound = lowerBound(before, catalogue);
    const name = `consolidation/${nodes}`;
    note(
      `${name}: ${before.nodes.length} nodes at ${totalUsdPerHour(before).toFixed(2)} $/h become ` +
        `${rest.after.nodes.length} at ${totalUsdPerHour(rest.after).toFixed(2)}, at least ${bound.toFixed(2)}`,
    );
    const ratio = totalUsdPerHour(rest.after) / bound;
    figure(boundedFigure({ name: `${name}/price-over-bound`, value: ratio, unit: '' }, { atMost: 1.1 }));
    figure(plainFigure(`${name}/evictions`, rest.evictions, 'pods'));
    figure(plainFigure(`${name}/decisions`, rest.cpuMs.length, ''));
    figure(plainFigure(`${name}/cpu`, rest.cpuMs.reduce((sum, one) => sum + one, 0) / 1000, 's'));
    figure(plainFigure(`${name}/slowest-decision`, Math.max(...rest.cpuMs) / 1000, 's of CPU'));
  }
}

/** A cluster bought for all pods of which most have gone; nodes that nothing is left on have gone too. */
function fragmented(count: number, catalogue: Catalogue): ClusterSnapshot {
  const chance = new Chance(42);
  const classes = Array.from({ length: CLASSES }, () => ({
    cpuMillis: chance.among(CPU_MILLIS),
    memoryBytes: chance.among(MEMORY_MI) * MIB,
  }));
  const pods = Array.from({ length: count }, (_, index): Pod => {
    const app = `app${chance.below(CLASSES)}`;
    const fields = classes[Number(app.slice(3))] ?? {};
    const owner = { kind: 'ReplicaSet', name: app, uid: app };
    return aPod({ name: `${app}-${index}`, labels: { app }, owner, ...fields });
  });
  const everyNode = { nodes: { kind: 'percent' as const, amount: 100 }, reasons: null, window: null };
  const empty = aSnapshot({
    provisioners: [
      aProvisioner({
        requirements: [
          { key: LABEL.capacityType, operator: 'In', values: ['on-demand'] },
          { key: LABEL.arch, operator: 'In', values: ['amd64'] },
        ],
        disruption: {
          ...NO_CONSOLIDATION,
          consolidation: 'WhenEmptyOrUnderutilized',
          budgets: [everyNode],
        },
      }),
    ],
    pods,
  });
  const full = carriedOut(empty, catalogue, schedule(empty, catalogue, pods));
  const kept = full.pods.filter(() => chance.next() < KEPT_SHARE);
  return withoutEmptyNodes({ ...full, pods: kept, takenAtMs: HOUR_MS });
}

function withoutEmptyNodes(snapshot: ClusterSnapshot): ClusterSnapshot {
  const used = new Set(snapshot.pods.map(({ nodeName }) => nodeName));
  return {
    ...snapshot,
    nodes: snapshot.nodes.filter(({ name }) => used.has(name)),
    nodeClaims: snapshot.nodeClaims.filter(({ status }) => used.has(status.nodeName)),
  };
}

interface Rest {
  readonly after: ClusterSnapshot;
  readonly evictions: number;
  /** Of each decision, the last one too, which finds nothing more. */
  readonly cpuMs: readonly number[];
}

function toRest(before: ClusterSnapshot, catalogue: Catalogue): Rest {
  const cpuMs: number[] = [];
  let snapshot = before;
  let evictions = 0;
  while (cpuMs.length < STEPS_MOST) {
    const cpu = process.cpuUsage();
    const { action } = decided(consolidate({ snapshot, catalogue, view: QUIET }));
    const used = process.cpuUsage(cpu);
    cpuMs.push((used.user + used.system) / 1000);
    if (action === null) break;
    evictions += action.evicted.length;
    snapshot = { ...consolidated(snapshot, catalogue, action), takenAtMs: snapshot.takenAtMs + HOUR_MS };
  }
  return { after: snapshot, evictions, cpuMs };
}

/** No cluster for these pods can cost less. */
function lowerBound(snapshot: ClusterSnapshot, catalogue: Catalogue): number {
  const pods = snapshot.pods.map((pod) => ({
    ...pod,
    nodeName: '',
    phase: 'Pending' as const,
    ready: false,
  }));
  const empty = { ...snapshot, nodes: [], nodeClaims: [], pods };
  return schedule(empty, catalogue, pods).lowerBoundUsdPerHour;
}
