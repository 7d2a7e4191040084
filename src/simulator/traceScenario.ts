// A scenario out of a trace: pods that are alike become one Job, each pod an arrival with its own run time.
import type { WireCurve, WireScenario } from './scenarioFile.ts';
import type { Trace, TracePod } from './trace.ts';

export interface TraceScenarioOptions {
  readonly name: string;
  /** Provisioners and node templates that serve the pods; usual ones stand in when there are none. */
  readonly provisioners: readonly unknown[];
}

/** After the last pod is gone its node goes too. */
const AFTER_MS = 15 * 60_000;
const NAMESPACE = 'trace';

/** Anything on demand for amd64, empty nodes given back at once: what the trace itself does not say. */
const STAND_IN: readonly unknown[] = [
  {
    apiVersion: 'karpenter.sh/v1alpha5',
    kind: 'Provisioner',
    metadata: { name: 'default' },
    spec: {
      requirements: [
        { key: 'karpenter.sh/capacity-type', operator: 'In', values: ['on-demand'] },
        { key: 'kubernetes.io/arch', operator: 'In', values: ['amd64'] },
        { key: 'node.kubernetes.io/instance-type', operator: 'Exists' },
      ],
      providerRef: { name: 'default' },
      ttlSecondsAfterEmpty: 60,
    },
  },
  {
    apiVersion: 'karpenter.k8s.aws/v1alpha1',
    kind: 'AWSNodeTemplate',
    metadata: { name: 'default' },
    spec: {
      subnetSelector: { 'karpenter.sh/discovery': 'simulated' },
      securityGroupSelector: { 'karpenter.sh/discovery': 'simulated' },
    },
  },
];

/** The scenario file for the pods of a trace; the first pod comes at its start. Pods without an end run to its end. */
export function traceScenario(trace: Trace, { name, provisioners }: TraceScenarioOptions): WireScenario {
  const pods = trace.pods.toSorted((left, right) => left.createdAtMs - right.createdAtMs);
  const startMs = pods[0]?.createdAtMs ?? 0;
  const endMs = pods.reduce((latest, pod) => Math.max(latest, pod.deletedAtMs ?? pod.createdAtMs), startMs);
  const shapes = Map.groupBy(pods, shapeName);
  const curves = [...shapes].map(
    ([shape, alike]): WireCurve => ({
      workload: `${NAMESPACE}/${shape}`,
      arrivals: alike.map(({ createdAtMs, deletedAtMs }) => ({
        at: durationText(createdAtMs - startMs),
        ...(deletedAtMs === null ? {} : { runTime: durationText(deletedAtMs - createdAtMs) }),
      })),
    }),
  );
  return {
    name,
    summary: `${pods.length} pods of a trace, in ${shapes.size} shapes.`,
    ...(trace.timesAreRelative ? {} : { start: new Date(startMs).toISOString() }),
    duration: durationText(endMs - startMs + AFTER_MS),
    manifests: [
      ...(provisioners.length > 0 ? provisioners : STAND_IN),
      ...[...shapes].map(([shape, [pod]]) => jobManifest(shape, pod)),
    ],
    curves,
  };
}

function shapeName({ cpuMillis, memoryMib, gpus }: TracePod): string {
  return `cpu-${cpuMillis}-memory-${memoryMib}${gpus > 0 ? `-gpu-${gpus}` : ''}`;
}

function jobManifest(name: string, pod: TracePod | undefined): unknown {
  const { cpuMillis = 0, memoryMib = 0, gpus = 0 } = pod ?? {};
  const gpu = gpus > 0 ? { 'nvidia.com/gpu': gpus } : {};
  const requests = { cpu: `${cpuMillis}m`, memory: `${memoryMib}Mi`, ...gpu };
  const resources = gpus > 0 ? { requests, limits: gpu } : { requests };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace: NAMESPACE },
    spec: {
      template: {
        metadata: { labels: { shape: name } },
        spec: { restartPolicy: 'Never', containers: [{ name: 'main', resources }] },
      },
    },
  };
}

/** Whole seconds where they are, milliseconds elsewhere. */
function durationText(durationMs: number): string {
  return durationMs % 1000 === 0 ? `${durationMs / 1000}s` : `${durationMs}ms`;
}
