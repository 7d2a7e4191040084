// DaemonSets as the API server sends them, cut down to what one of their pods takes from a node.
import type { Toleration } from '../../model/taint.ts';
import type { DaemonSet } from '../../model/workloads.ts';
import type { Parsed, Problem } from '../parsed.ts';
import type { Interner } from './interner.ts';
import { MISSING_NAME, readMetadata } from './metadata.ts';
import { readPodSpec } from './podSpec.ts';
import { asRaw, objectIn, type Raw, type Reading, textMapIn, toParsed } from './raw.ts';

/** Strict: any faulty field makes it invalid. For manifests that people write. */
export function parseDaemonSet(object: unknown, interner: Interner): Parsed<DaemonSet> {
  return toParsed(readDaemonSet(object, interner));
}

/** Lenient: faulty fields are left out and reported. Labels are those of the pods that it makes. */
export function readDaemonSet(object: unknown, interner: Interner): Reading<DaemonSet> {
  const metadata = readMetadata(object);
  if (metadata === null) return { name: '', value: null, problems: [MISSING_NAME] };
  const problems: Problem[] = [];
  const template = objectIn(objectIn(asRaw(object), 'spec'), 'template');
  const labels = interner.intern(textMapIn(objectIn(template, 'metadata'), 'labels'));
  const rawSpec = objectIn(template, 'spec');
  const path = 'spec.template.spec';
  const spec = readPodSpec(rawSpec, { labels, status: null, path, problems, interner });
  const tolerations = [...spec.tolerations, ...ownTolerations(rawSpec)];
  const value: DaemonSet = {
    namespace: metadata.namespace || 'default',
    name: metadata.name,
    labels,
    spec: interner.intern({ ...spec, tolerations }),
  };
  return { name: metadata.name, value, problems };
}

const TOLERATED_BY_DAEMONS: readonly Toleration[] = [
  tolerated('node.kubernetes.io/not-ready', 'NoExecute'),
  tolerated('node.kubernetes.io/unreachable', 'NoExecute'),
  tolerated('node.kubernetes.io/disk-pressure', 'NoSchedule'),
  tolerated('node.kubernetes.io/memory-pressure', 'NoSchedule'),
  tolerated('node.kubernetes.io/pid-pressure', 'NoSchedule'),
  tolerated('node.kubernetes.io/unschedulable', 'NoSchedule'),
];
const TOLERATED_ON_HOST_NETWORK = tolerated('node.kubernetes.io/network-unavailable', 'NoSchedule');

/** What the DaemonSet controller adds to its pods. Source: Kubernetes, "DaemonSet", "Taints and tolerations". */
function ownTolerations(spec: Raw | null): readonly Toleration[] {
  if (spec?.hostNetwork !== true) return TOLERATED_BY_DAEMONS;
  return [...TOLERATED_BY_DAEMONS, TOLERATED_ON_HOST_NETWORK];
}

function tolerated(key: string, effect: 'NoSchedule' | 'NoExecute'): Toleration {
  return { key, operator: 'Exists', value: '', effect, tolerationSeconds: null };
}
