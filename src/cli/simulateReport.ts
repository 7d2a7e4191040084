// The answer of `cooper simulate`: as data after the published schema, and as a table for people.
import type { SchedulingPlan } from '../model/plan.ts';
import { formatResources, parseAmount } from '../model/resources.ts';
import { columns } from './columns.ts';
import type { InvalidObject } from './simulateInput.ts';

type Quantities = Readonly<Record<string, string>>;

/** Published as `docs/schemas/simulate.schema.json`. */
export interface SimulateReport {
  readonly usdPerHour: number;
  readonly lowerBoundUsdPerHour: number;
  /** Price over bound; 1 when nothing is bought, null when no bound is known. */
  readonly ratio: number | null;
  readonly scheduleMs: number;
  readonly nodes: readonly {
    readonly provisioner: string;
    readonly instanceType: string;
    readonly zone: string;
    readonly capacityType: string;
    readonly usdPerHour: number;
    readonly instanceTypes: readonly string[];
    readonly requests: Quantities;
    readonly allocatable: Quantities;
    readonly pods: readonly string[];
  }[];
  readonly existing: readonly { readonly node: string; readonly pods: readonly string[] }[];
  readonly refused: readonly {
    readonly pod: string;
    readonly code: string;
    readonly reason: string;
    readonly nearest: string;
  }[];
  readonly invalid: readonly InvalidObject[];
}

/** The plan as data; lists keep the plan's order, pods by name. */
export function simulateReport(
  plan: SchedulingPlan,
  scheduleMs: number,
  invalid: readonly InvalidObject[],
): SimulateReport {
  const { usdPerHour, lowerBoundUsdPerHour } = plan;
  const byTarget = Map.groupBy(plan.nominations, ({ target }) => target.name);
  return {
    usdPerHour: roundUsd(usdPerHour),
    lowerBoundUsdPerHour: roundUsd(lowerBoundUsdPerHour),
    ratio: ratioOf(usdPerHour, lowerBoundUsdPerHour),
    scheduleMs: Number(scheduleMs.toFixed(3)),
    nodes: plan.nodeClaims.map(({ spec, instanceType, zone, capacityType, usdPerHour: price, ...rest }) => ({
      provisioner: spec.provisioner,
      instanceType,
      zone,
      capacityType,
      usdPerHour: roundUsd(price),
      instanceTypes: spec.instanceTypes,
      requests: formatResources(spec.requests),
      allocatable: formatResources(rest.allocatable),
      pods: rest.pods,
    })),
    existing: [...byTarget].map(([node, list]) => ({ node, pods: list.map(({ pod }) => pod).sort() })),
    refused: plan.refusals.map(({ pod, code, reason, nearest }) => ({ pod, code, reason, nearest })),
    invalid,
  };
}

/** Sums of prices carry rounding noise far below a millionth of a dollar. */
function roundUsd(usd: number): number {
  return Number(usd.toFixed(9));
}

function ratioOf(usdPerHour: number, bound: number): number | null {
  if (usdPerHour === 0) return 1;
  return bound > 0 ? Number((usdPerHour / bound).toFixed(6)) : null;
}

const HOURS_PER_MONTH = 730;
const BAR_CELLS = 10;

/** The report as lines of a table: nodes with bars of use, room taken on existing nodes, refusals, totals. */
export function simulateTable(report: SimulateReport): readonly string[] {
  const { nodes, existing, refused } = report;
  const rows = nodes.map((node) => [
    node.instanceType,
    node.zone,
    node.capacityType,
    `$${node.usdPerHour.toFixed(4)}`,
    String(node.pods.length),
    useBar(node, 'cpu'),
    useBar(node, 'memory'),
    node.provisioner,
  ]);
  const heads = ['NEW NODE', 'ZONE', 'CAPACITY', '$/HOUR', 'PODS', 'CPU', 'MEMORY', 'PROVISIONER'];
  const lines = nodes.length === 0 ? ['no new nodes'] : columns([heads, ...rows]);
  if (existing.length > 0) {
    const taken = existing.map(({ node, pods }) => [node, String(pods.length)]);
    lines.push('', ...columns([['EXISTING NODE', 'PODS'], ...taken]));
  }
  if (refused.length > 0) {
    const why = refused.map(({ pod, code, reason, nearest }) => [
      pod,
      code,
      nearest === '' || reason.includes(nearest) ? reason : `${reason}; ${nearest}`,
    ]);
    lines.push('', ...columns([['REFUSED POD', 'CODE', 'REASON'], ...why]));
  }
  return [...lines, '', ...totals(report)];
}

function totals({
  usdPerHour,
  lowerBoundUsdPerHour,
  ratio,
  scheduleMs,
  nodes,
  existing,
  refused,
}: SimulateReport) {
  const count = (lists: readonly { readonly pods: readonly string[] }[]): number =>
    lists.reduce((sum, { pods }) => sum + pods.length, 0);
  const bound =
    ratio === null
      ? ''
      : `; no plan can cost less than $${lowerBoundUsdPerHour.toFixed(4)} (ratio ${ratio.toFixed(3)})`;
  const placed = `${plural(count(nodes), 'pod')} on ${plural(nodes.length, 'new node')}`;
  const rest = `${plural(count(existing), 'pod')} on existing nodes, ${plural(refused.length, 'pod')} refused`;
  return [
    `${placed}, ${rest}`,
    `$${usdPerHour.toFixed(4)} per hour, $${(usdPerHour * HOURS_PER_MONTH).toFixed(2)} per month${bound}`,
    `planned in ${scheduleMs.toFixed(1)} ms`,
  ];
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function useBar(
  { requests, allocatable }: { readonly requests: Quantities; readonly allocatable: Quantities },
  name: string,
): string {
  const [asked = 0, all = 0] = [requests, allocatable].map(
    (held) => parseAmount(name, held[name] ?? '0') ?? 0,
  );
  const share = all === 0 ? 0 : asked / all;
  const full = Math.min(BAR_CELLS, Math.round(share * BAR_CELLS));
  return `${'█'.repeat(full)}${'░'.repeat(BAR_CELLS - full)} ${String(Math.round(share * 100)).padStart(3)}%`;
}
