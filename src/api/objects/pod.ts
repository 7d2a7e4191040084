// Pods as the API server sends them, cut down to the model.
import type { Pod, PodPhase, PodSpec } from '../../model/pod.ts';
import type { Parsed, Problem } from '../parsed.ts';
import type { Interner } from './interner.ts';
import { controllingOwner, keptAnnotations, type Metadata, MISSING_NAME, readMetadata } from './metadata.ts';
import { readPodSpec } from './podSpec.ts';
import {
  asRaw,
  listIn,
  objectIn,
  objectsIn,
  type Raw,
  type Reading,
  textIn,
  timeMsIn,
  toParsed,
} from './raw.ts';

const PHASES: ReadonlySet<string> = new Set(['Pending', 'Running', 'Succeeded', 'Failed']);
const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';

/** A pod that has ended asks for nothing: all of them share this spec. */
const ENDED_SPEC: PodSpec = Object.freeze({
  requests: {},
  nodeSelector: {},
  nodeAffinity: null,
  preferredNodeAffinity: [],
  tolerations: [],
  podAffinity: [],
  podAntiAffinity: [],
  preferredPodAffinity: [],
  preferredPodAntiAffinity: [],
  topologySpread: [],
  hostPorts: [],
  volumes: [],
  schedulerName: 'default-scheduler',
  priority: 0,
  terminationGraceSeconds: 30,
});
const NO_LABELS: Readonly<Record<string, string>> = Object.freeze({});

/** Strict: any faulty field makes the pod invalid. For manifests that people write. */
export function parsePod(object: unknown, interner: Interner): Parsed<Pod> {
  return toParsed(readPod(object, interner));
}

/**
 * Lenient: faulty fields are left out and reported, since a bound pod takes room whatever else is odd about it.
 * A pod that has Succeeded or Failed keeps its identity only: nothing looks at the rest.
 */
export function readPod(object: unknown, interner: Interner): Reading<Pod> {
  const metadata = readMetadata(object);
  if (metadata === null) return { name: '', value: null, problems: [MISSING_NAME] };
  const raw = asRaw(object);
  const problems: Problem[] = [];
  const phase = phaseOf(objectIn(raw, 'status'));
  const ended = phase === 'Succeeded' || phase === 'Failed';
  const labels = ended ? NO_LABELS : interner.intern(metadata.labels);
  const status = objectIn(raw, 'status');
  const spec = ended
    ? ENDED_SPEC
    : readPodSpec(raw?.spec, { labels, status, path: 'spec', problems, interner });
  return { name: metadata.name, value: podOf(metadata, { raw, phase, labels, spec, interner }), problems };
}

interface PodParts {
  readonly raw: Raw | null;
  readonly phase: PodPhase;
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: PodSpec;
  readonly interner: Interner;
}

function podOf(metadata: Metadata, { raw, phase, labels, spec, interner }: PodParts): Pod {
  const status = objectIn(raw, 'status');
  const rawSpec = objectIn(raw, 'spec');
  const conditions = objectsIn(status, 'conditions');
  const owner = controllingOwner(metadata.raw);
  const nodeName = interner.internString(textIn(rawSpec, 'nodeName'));
  const { deletionRequestedAtMs, deletionGraceSeconds } = metadata;
  return {
    namespace: interner.internString(metadata.namespace || 'default'),
    name: metadata.name,
    uid: metadata.uid,
    labels,
    annotations: keptAnnotations(metadata.raw),
    spec,
    owner: owner === null ? null : interner.intern(owner),
    createdAtMs: metadata.createdAtMs,
    phase,
    ready: conditions.some((one) => one.type === 'Ready' && one.status === 'True'),
    nodeName,
    nominatedNodeName: interner.internString(textIn(status, 'nominatedNodeName')),
    unschedulableSinceMs: nodeName === '' ? unschedulableSinceMs(conditions) : null,
    schedulingGated: nodeName === '' && listIn(rawSpec, 'schedulingGates').length > 0,
    deletionRequestedAtMs,
    ...(deletionGraceSeconds === null ? {} : { deletionGraceSeconds }),
    mirror: objectIn(metadata.raw, 'annotations')?.[MIRROR_ANNOTATION] !== undefined,
  };
}

/** True for a raw pod that has not ended and is not on its way out. */
export function isLivingPod(pod: Raw): boolean {
  const phase = textIn(objectIn(pod, 'status'), 'phase');
  const isLeaving = textIn(objectIn(pod, 'metadata'), 'deletionTimestamp') !== '';
  return phase !== 'Succeeded' && phase !== 'Failed' && !isLeaving;
}

function phaseOf(status: Raw | null): PodPhase {
  const phase = textIn(status, 'phase');
  if (PHASES.has(phase)) return phase as PodPhase;
  return phase === '' ? 'Pending' : 'Unknown';
}

function unschedulableSinceMs(conditions: readonly Raw[]): number | null {
  const scheduled = conditions.find((one) => one.type === 'PodScheduled');
  if (scheduled?.status !== 'False' || scheduled.reason !== 'Unschedulable') return null;
  return timeMsIn(scheduled, 'lastTransitionTime') ?? 0;
}
