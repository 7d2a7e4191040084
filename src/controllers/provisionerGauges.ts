// The figures of each Provisioner as gauges, and none of those that are gone.
import type { NodeClaim } from '../model/nodeClaim.ts';
import { NODES_LIMIT, PRICE_LIMIT, type Provisioner } from '../model/provisioner.ts';
import type { Resources } from '../model/resources.ts';
import type { MetricLabels, Metrics } from '../ports/telemetry.ts';

interface Series {
  readonly name: string;
  readonly labels: MetricLabels;
  readonly value: number;
}

/** By key: the series that are shown now. */
export type ShownGauges = Map<string, Series>;

export interface ProvisionerFigures {
  readonly provisioners: readonly Provisioner[];
  readonly nodeClaims: readonly NodeClaim[];
  /** By Provisioner name: capacity in use. */
  readonly used: ReadonlyMap<string, Resources>;
  /** Names of those whose launches are paused since their nodes never come up. */
  readonly paused: ReadonlySet<string>;
}

/** Sets the gauges of every Provisioner; takes back those whose Provisioner, resource or limit is no longer there. */
export function showProvisioners(metrics: Metrics, shown: ShownGauges, figures: ProvisionerFigures): void {
  const current = new Map(
    seriesOf(figures).map((series) => [JSON.stringify([series.name, series.labels]), series]),
  );
  for (const [key, { name, labels }] of shown) {
    if (current.has(key)) continue;
    metrics.forgetGauge?.(name, labels);
    shown.delete(key);
  }
  for (const [key, series] of current) {
    metrics.gauge(series.name, series.labels, series.value);
    shown.set(key, series);
  }
}

function seriesOf({ provisioners, nodeClaims, used, paused }: ProvisionerFigures): readonly Series[] {
  return provisioners.flatMap(({ name, limits }) => {
    const own = nodeClaims.filter(({ spec }) => spec.provisioner === name);
    const usdPerHour = own.reduce((sum, { status }) => sum + (status.usdPerHour ?? 0), 0);
    const price = {
      name: 'cooper_provisioner_usd_per_hour',
      labels: { provisioner: name },
      value: usdPerHour,
    };
    const pause = {
      name: 'cooper_provisioner_launches_paused',
      labels: { provisioner: name },
      value: paused.has(name) ? 1 : 0,
    };
    const inUse = used.get(name) ?? {};
    const usage = Object.entries(inUse).map(([resource, value]) => ({
      name: 'karpenter_provisioner_usage',
      labels: { provisioner: name, resource_type: resource },
      value,
    }));
    const limited: Resources = { ...inUse, [NODES_LIMIT]: own.length, [PRICE_LIMIT]: usdPerHour };
    const limitSeries = Object.entries(limits ?? {}).flatMap(([resource, limit]) => {
      const labels = { provisioner: name, resource_type: resource };
      const inUseOf = limited[resource] ?? 0;
      const percent = limit === 0 ? 0 : (100 * inUseOf) / limit;
      return [
        { name: 'karpenter_provisioner_limit', labels, value: limit },
        { name: 'karpenter_provisioner_usage_pct', labels, value: percent },
      ];
    });
    return [price, pause, ...usage, ...limitSeries];
  });
}
