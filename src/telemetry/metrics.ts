// Every metric that is exported, in one table, and the registry behind `/metrics`.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Metrics } from '../ports/telemetry.ts';

interface MetricRow {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
}

/** Names that start with `karpenter_` mean what they mean in Karpenter v0.16, so that dashboards go on working. */
export const METRICS: Readonly<Record<string, MetricRow>> = {
  karpenter_allocation_controller_scheduling_duration_seconds: {
    type: 'histogram',
    help: 'Seconds from the start of a planning pass to its plan.',
    labels: [],
  },
  karpenter_cloudprovider_duration_seconds: {
    type: 'histogram',
    help: 'Seconds that a call to the cloud took, by method and outcome.',
    labels: ['method', 'outcome'],
  },
  karpenter_provisioner_usage: {
    type: 'gauge',
    help: 'Capacity of all nodes of a Provisioner; cpu in millicores, memory in bytes.',
    labels: ['provisioner', 'resource_type'],
  },
  karpenter_provisioner_limit: {
    type: 'gauge',
    help: 'Limit of a Provisioner; cpu in millicores, memory in bytes.',
    labels: ['provisioner', 'resource_type'],
  },
  karpenter_provisioner_usage_pct: {
    type: 'gauge',
    help: 'Usage of a Provisioner in percent of its limit.',
    labels: ['provisioner', 'resource_type'],
  },
  cooper_controller_errors_total: {
    type: 'counter',
    help: 'Runs of a controller that failed and will be repeated.',
    labels: ['controller'],
  },
  cooper_leaked_instances: {
    type: 'gauge',
    help: 'Instances found without a NodeClaim in the last sweep; must be 0.',
    labels: [],
  },
  cooper_plan_violations_total: {
    type: 'counter',
    help: 'Plans that the checker refused; must be 0.',
    labels: [],
  },
  cooper_plans_failed_total: {
    type: 'counter',
    help: 'Plans that were not made, in time or at all; must be 0.',
    labels: [],
  },
  cooper_planner_restarts_total: {
    type: 'counter',
    help: 'Restarts of the thread that plans, after it died or took too long; must be 0.',
    labels: [],
  },
  cooper_launches_held_back_total: {
    type: 'counter',
    help: 'Planned nodes not launched because earlier ones for the same pods did not take them.',
    labels: ['provisioner'],
  },
  cooper_pod_nominations_total: {
    type: 'counter',
    help: "Planned nodes written to pods (status.nominatedNodeName), by outcome: 'written', 'gone' or 'failed'.",
    labels: ['outcome'],
  },
  cooper_nodeclaims_created_total: {
    type: 'counter',
    help: 'NodeClaims stored.',
    labels: ['provisioner'],
  },
  cooper_nodeclaims_terminated_total: {
    type: 'counter',
    help: 'NodeClaims whose instance is gone.',
    labels: ['provisioner'],
  },
  cooper_nodeclaims_disrupted_total: {
    type: 'counter',
    help: 'NodeClaims deleted by Cooper, by reason.',
    labels: ['provisioner', 'reason'],
  },
  cooper_nodeclaims_drifted: {
    type: 'gauge',
    help: 'NodeClaims that are not what their Provisioner and node class would launch today.',
    labels: ['provisioner'],
  },
  cooper_rollouts_halted: {
    type: 'gauge',
    help: '1 while drifted nodes stay because replacements were no good; 0 otherwise.',
    labels: ['provisioner'],
  },
  cooper_consolidations_total: {
    type: 'counter',
    help: 'Times that nodes were taken away because their pods cost less elsewhere.',
    labels: [],
  },
  cooper_consolidation_trials: {
    type: 'gauge',
    help: 'Plans that the last decision on consolidation has made.',
    labels: [],
  },
  cooper_interruptions_total: {
    type: 'counter',
    help: 'Notices that the cloud takes an instance of ours, by kind; repeated ones count once.',
    labels: ['kind'],
  },
  cooper_prices_of_other_region: {
    type: 'gauge',
    help: 'Instance types whose on-demand price is that of us-east-1 although the region is another.',
    labels: ['region'],
  },
  cooper_provisioner_usd_per_hour: {
    type: 'gauge',
    help: 'Price of all NodeClaims of a Provisioner that have an instance.',
    labels: ['provisioner'],
  },
  cooper_provisioner_launches_paused: {
    type: 'gauge',
    help: '1 while a Provisioner launches nothing, or one node to see, because its last nodes never came up.',
    labels: ['provisioner'],
  },
  cooper_pods_waiting: {
    type: 'gauge',
    help: 'Pods that ask for capacity, as of the last planning pass.',
    labels: [],
  },
  cooper_pods_refused: {
    type: 'gauge',
    help: 'Pods that the last planning pass found no node for.',
    labels: [],
  },
  cooper_leader: {
    type: 'gauge',
    help: '1 while this replica holds the Lease, or needs none; 0 while it stands by.',
    labels: [],
  },
  cooper_watch_staleness_seconds: {
    type: 'gauge',
    help: 'Seconds since the API server was last heard on the quietest watch.',
    labels: [],
  },
};

/** Durations from milliseconds to minutes. */
const SECONDS_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/** A registry with every metric of the table. An unknown name throws: it is a bug. */
export function createMetrics(): { readonly metrics: Metrics; readonly registry: Registry } {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const counters = new Map<string, Counter>();
  const gauges = new Map<string, Gauge>();
  const histograms = new Map<string, Histogram>();
  for (const [name, { type, help, labels }] of Object.entries(METRICS)) {
    const options = { name, help, labelNames: [...labels], registers: [registry] };
    if (type === 'counter') counters.set(name, new Counter(options));
    else if (type === 'gauge') gauges.set(name, new Gauge(options));
    else histograms.set(name, new Histogram({ ...options, buckets: SECONDS_BUCKETS }));
  }
  const metrics: Metrics = {
    count: (name, labels, amount = 1) => known(counters, name).inc({ ...labels }, amount),
    gauge: (name, labels, value) => known(gauges, name).set({ ...labels }, value),
    forgetGauge: (name, labels) => known(gauges, name).remove({ ...labels }),
    observe: (name, labels, value) => known(histograms, name).observe({ ...labels }, value),
  };
  return { metrics, registry };
}

function known<T>(metrics: ReadonlyMap<string, T>, name: string): T {
  const metric = metrics.get(name);
  if (metric === undefined) throw new Error(`metric ${name} is not in the table of telemetry/metrics.ts`);
  return metric;
}
