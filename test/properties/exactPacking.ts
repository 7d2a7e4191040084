// Small packing problems solved exactly by HiGHS, to hold the packer's lower bound and price against.
import highsModule from 'highs';
import { LABEL } from '../../src/model/labels.ts';
import type { Pod } from '../../src/model/pod.ts';
import type { Resources } from '../../src/model/resources.ts';
import { acceptsLabels } from '../../src/scheduling/checker/labelMatch.ts';
import type { RandomCluster } from './clusters.ts';

/** One thing that can be bought, and which pods it may hold. */
interface Column {
  readonly usdPerHour: number;
  /** What is left for pods once the daemons run. */
  readonly room: Resources;
  /** CPU that is included in the price, and the price of more per millicore; all of it but for burstable types. */
  readonly includedMillis: number;
  readonly usdPerMilliHour: number;
  readonly accepts: readonly boolean[];
}

const RESOURCES = ['cpu', 'memory', 'pods'] as const;
/** Memory in MiB and CPU in vCPU keep the solver's numbers of one size. */
const SCALE: Readonly<Record<string, number>> = { cpu: 1e-3, memory: 2 ** -20, pods: 1 };

/** Columns for clusters with one Provisioner and pods without rules among them. */
function columnsOf({ snapshot, catalogue, pods }: RandomCluster): Column[] {
  const types = catalogue.get('default') ?? [];
  return types.flatMap((type) =>
    type.offerings.flatMap((offering) => {
      const labels = {
        ...Object.fromEntries(type.requirements.map(({ key, values }) => [key, values[0] ?? ''])),
        [LABEL.zone]: offering.zone,
        [LABEL.capacityType]: offering.capacityType,
      };
      const accepts = pods.map((pod) => acceptsLabels(pod.spec, labels));
      if (!offering.available || !accepts.includes(true)) return [];
      const daemons = snapshot.daemonSets.filter(({ spec }) => acceptsLabels(spec, labels));
      const taken = (name: string): number =>
        daemons.reduce((sum, { spec }) => sum + (spec.requests[name] ?? 0), 0);
      const room = Object.fromEntries(
        RESOURCES.map((name) => [name, (type.allocatable[name] ?? 0) - taken(name)] as const),
      );
      const included = type.burst === undefined ? (type.allocatable.cpu ?? 0) : type.burst.baselineMillis;
      return [
        {
          usdPerHour: offering.usdPerHour,
          room,
          includedMillis: included - taken('cpu'),
          usdPerMilliHour: (type.burst?.usdPerVcpuHour ?? 0) / 1000,
          accepts,
        },
      ];
    }),
  );
}

const requested = (pod: Pod, name: string): number => (pod.spec.requests[name] ?? 0) * (SCALE[name] ?? 1);

/**
 * The least price of all plans, in USD per hour: node k of at most one a pod is column c (y), pod i is on node k (x).
 * Variables: y_k_c, x_i_k, and s_k for the surcharge of node k.
 */
function integerProgram(pods: readonly Pod[], columns: readonly Column[]): string {
  const nodes = pods.map((_, k) => k);
  const cost = nodes.flatMap((k) => [
    `s_${k}`,
    ...columns.map(({ usdPerHour }, c) => `${usdPerHour} y_${k}_${c}`),
  ]);
  const rows: string[] = [];
  for (const k of nodes) {
    rows.push(`${columns.map((_, c) => `y_${k}_${c}`).join(' + ')} <= 1`);
    for (const name of RESOURCES) {
      const load = pods.map((pod, i) => `${requested(pod, name)} x_${i}_${k}`).join(' + ');
      const room = columns.map(({ room: left }, c) =>
        signed(-(left[name] ?? 0) * (SCALE[name] ?? 1), `y_${k}_${c}`),
      );
      rows.push(`${load} ${room.join(' ')} <= 0`);
    }
    for (const [c, { usdPerMilliHour, includedMillis }] of columns.entries()) {
      if (usdPerMilliHour === 0) continue;
      // s_k >= rate * (load - included) when the node is this column; slack by the whole load otherwise.
      const whole =
        pods.reduce((sum, pod) => sum + (pod.spec.requests.cpu ?? 0), 0) + Math.abs(includedMillis);
      const load = pods.map((pod, i) =>
        signed(-usdPerMilliHour * (pod.spec.requests.cpu ?? 0), `x_${i}_${k}`),
      );
      const open = signed(-usdPerMilliHour * whole, `y_${k}_${c}`);
      rows.push(`s_${k} ${load.join(' ')} ${open} >= ${-usdPerMilliHour * (includedMillis + whole)}`);
    }
    for (const [i] of pods.entries()) {
      const open = columns.flatMap(({ accepts }, c) => (accepts[i] ? [signed(-1, `y_${k}_${c}`)] : []));
      rows.push(`x_${i}_${k} ${open.join(' ')} <= 0`);
    }
  }
  for (const [i] of pods.entries()) rows.push(`${nodes.map((k) => `x_${i}_${k}`).join(' + ')} = 1`);
  const binaries = nodes.flatMap((k) => [
    ...columns.map((_, c) => `y_${k}_${c}`),
    ...pods.map((_, i) => `x_${i}_${k}`),
  ]);
  return program(cost, rows, `Binary\n ${binaries.join('\n ')}\n`);
}

/** The covering relaxation: any fraction of a node, any fraction of a pod (z_i_c) on the columns that accept it. */
function relaxation(pods: readonly Pod[], columns: readonly Column[]): string {
  const cost = columns.flatMap(({ usdPerHour }, c) => [`${usdPerHour} n_${c}`, `s_${c}`]);
  const rows: string[] = [];
  for (const [c, { room, accepts, usdPerMilliHour, includedMillis }] of columns.entries()) {
    for (const name of RESOURCES) {
      const load = pods.flatMap((pod, i) => (accepts[i] ? [`${requested(pod, name)} z_${i}_${c}`] : []));
      rows.push(`${load.join(' + ')} ${signed(-(room[name] ?? 0) * (SCALE[name] ?? 1), `n_${c}`)} <= 0`);
    }
    if (usdPerMilliHour === 0) continue;
    const load = pods.flatMap((pod, i) =>
      accepts[i] ? [signed(-usdPerMilliHour * (pod.spec.requests.cpu ?? 0), `z_${i}_${c}`)] : [],
    );
    rows.push(`s_${c} ${load.join(' ')} ${signed(usdPerMilliHour * includedMillis, `n_${c}`)} >= 0`);
  }
  for (const [i] of pods.entries()) {
    const parts = columns.flatMap(({ accepts }, c) => (accepts[i] ? [`z_${i}_${c}`] : []));
    rows.push(`${parts.join(' + ')} = 1`);
  }
  return program(cost, rows, '');
}

function signed(factor: number, variable: string): string {
  return `${factor < 0 ? '-' : '+'} ${Math.abs(factor)} ${variable}`;
}

function program(cost: readonly string[], rows: readonly string[], kinds: string): string {
  const named = rows.map((row, index) => ` r${index}: ${row}`);
  return `Minimize\n obj: ${cost.join(' + ')}\nSubject To\n${named.join('\n')}\n${kinds}End\n`;
}

export interface ExactPrices {
  /** What the cheapest plan costs. */
  readonly optimum: number;
  /** Value of the covering relaxation. */
  readonly relaxed: number;
}

/** Solves clusters of one Provisioner `default` without nodes, whose pods have no rules among them, only selectors. */
export async function exactSolver(): Promise<(cluster: RandomCluster) => ExactPrices> {
  // Its types describe the CommonJS build, whose default export is one level deeper than that of the build we get.
  const loadHighs = highsModule as unknown as typeof highsModule.default;
  const highs = await loadHighs();
  const solve = (text: string): number => {
    const { Status, ObjectiveValue } = highs.solve(text);
    if (Status !== 'Optimal') throw new Error(`HiGHS says ${Status}`);
    return ObjectiveValue;
  };
  return (cluster) => {
    const columns = columnsOf(cluster);
    return {
      optimum: solve(integerProgram(cluster.pods, columns)),
      relaxed: solve(relaxation(cluster.pods, columns)),
    };
  };
}
