// The pods that workloads still have to make, as their controllers would make them.
import { asRaw, numberIn, objectIn, objectsIn, type Raw, textIn } from '../api/objects/raw.ts';

/** Kinds that stand for pods. */
export const WORKLOAD_KINDS: ReadonlySet<string> = new Set([
  'Deployment',
  'StatefulSet',
  'ReplicaSet',
  'ReplicationController',
  'Job',
]);

/** What one workload adds: pods, and the claims that a StatefulSet makes for them. */
export interface Expansion {
  readonly pods: readonly Raw[];
  readonly claims: readonly Raw[];
}

/**
 * Pods that the workload lacks: its replicas less the pods that are there already.
 * @param others all manifests; a Deployment whose ReplicaSet is among them leaves its pods to that one
 */
export function expandWorkload(workload: Raw, others: readonly Raw[]): Expansion {
  const kind = textIn(workload, 'kind');
  const owned = others.filter((other) => isOwnedBy(other, workload));
  if (owned.some((other) => other.kind === 'ReplicaSet')) return { pods: [], claims: [] };
  const there = new Set(
    owned.filter((other) => other.kind === 'Pod').map((pod) => textIn(metaOf(pod), 'name')),
  );
  const first = numberIn(objectIn(objectIn(workload, 'spec'), 'ordinals'), 'start') ?? 0;
  const wanted = replicasOf(workload);
  const names = Array.from(
    { length: wanted },
    (_, index) => `${textIn(metaOf(workload), 'name')}-${first + index}`,
  );
  const missing =
    kind === 'StatefulSet' ? names.filter((name) => !there.has(name)) : names.slice(0, wanted - there.size);
  const made = missing.map((name) => podOf(workload, name));
  return { pods: made.map(({ pod }) => pod), claims: made.flatMap(({ claims }) => claims) };
}

const metaOf = (object: Raw): Raw => objectIn(object, 'metadata') ?? {};
const namespaceOf = (object: Raw): string => textIn(metaOf(object), 'namespace') || 'default';

function isOwnedBy(other: Raw, owner: Raw): boolean {
  return (
    namespaceOf(other) === namespaceOf(owner) &&
    objectsIn(metaOf(other), 'ownerReferences').some(
      (one) => one.kind === owner.kind && one.name === metaOf(owner).name,
    )
  );
}

function replicasOf(workload: Raw): number {
  const spec = objectIn(workload, 'spec');
  if (workload.kind !== 'Job') return Math.max(0, numberIn(spec, 'replicas') ?? 1);
  if (spec?.suspend === true) return 0;
  const parallelism = numberIn(spec, 'parallelism') ?? 1;
  return Math.max(0, Math.min(parallelism, numberIn(spec, 'completions') ?? parallelism));
}

function podOf(workload: Raw, name: string): { readonly pod: Raw; readonly claims: readonly Raw[] } {
  const template = objectIn(objectIn(workload, 'spec'), 'template');
  const metadata = asRaw(template?.metadata) ?? {};
  const namespace = namespaceOf(workload);
  const owner = {
    apiVersion: workload.apiVersion,
    kind: workload.kind,
    name: metaOf(workload).name,
    uid: metaOf(workload).uid ?? '',
    controller: true,
  };
  const templates = objectsIn(objectIn(workload, 'spec'), 'volumeClaimTemplates');
  const claimed = templates.map((one) => ({ volume: textIn(metaOf(one), 'name'), spec: one.spec }));
  const nameOfClaim = (volume: string): string => `${volume}-${name}`;
  const spec = objectIn(template, 'spec') ?? {};
  const volumes = claimed.map(({ volume }) => ({
    name: volume,
    persistentVolumeClaim: { claimName: nameOfClaim(volume) },
  }));
  return {
    pod: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...metadata, name, namespace, ownerReferences: [owner] },
      spec: volumes.length === 0 ? spec : { ...spec, volumes: [...objectsIn(spec, 'volumes'), ...volumes] },
    },
    claims: claimed.map(({ volume, spec: claimSpec }) => ({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: nameOfClaim(volume), namespace },
      spec: claimSpec,
    })),
  };
}
