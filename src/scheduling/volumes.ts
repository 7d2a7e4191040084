// What a pod's volumes ask of its node: reachable zones, and places to attach them.
import type { NodeSelectorTerm, Pod } from '../model/pod.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '../model/volumes.ts';

export interface VolumeNeeds {
  /** For each volume its ORed terms; only volumes that are not reachable from everywhere. */
  readonly terms: readonly (readonly NodeSelectorTerm[])[];
  /** Drivers by claim key: claims that share a volume on one node are attached once. */
  readonly attachments: ReadonlyMap<string, string>;
  /** Why the pod cannot be scheduled anywhere yet, in one sentence; null when it can. */
  readonly problem: string | null;
}

export const NO_VOLUMES: VolumeNeeds = { terms: [], attachments: new Map(), problem: null };

/** Volumes and classes by name. */
export interface VolumeIndex {
  readonly claims: ReadonlyMap<string, PersistentVolumeClaim>;
  readonly volumes: ReadonlyMap<string, PersistentVolume>;
  readonly classes: ReadonlyMap<string, StorageClass>;
  readonly defaultClass: StorageClass | null;
}

type Storage = Pick<ClusterSnapshot, 'persistentVolumeClaims' | 'persistentVolumes' | 'storageClasses'>;

export function volumeIndex(snapshot: Storage): VolumeIndex {
  const byName = <T extends { readonly name: string }>(all: readonly T[]): ReadonlyMap<string, T> =>
    new Map(all.map((one) => [one.name, one]));
  return {
    claims: new Map(snapshot.persistentVolumeClaims.map((one) => [`${one.namespace}/${one.name}`, one])),
    volumes: byName(snapshot.persistentVolumes),
    classes: byName(snapshot.storageClasses),
    defaultClass: snapshot.storageClasses.find((one) => one.isDefault) ?? null,
  };
}

interface OneVolume {
  readonly terms: readonly NodeSelectorTerm[];
  readonly driver: string | null;
  readonly problem: string | null;
}

const FREE_VOLUME: OneVolume = { terms: [], driver: null, problem: null };

/** Resolves the pod's volumes. Source: Kubernetes, "Volume Binding Mode", "Allowed Topologies", PV node affinity. */
export function volumeNeeds(pod: Pod, index: VolumeIndex): VolumeNeeds {
  if (pod.spec.volumes.length === 0) return NO_VOLUMES;
  const terms: (readonly NodeSelectorTerm[])[] = [];
  const attachments = new Map<string, string>();
  let problem: string | null = null;
  for (const volume of pod.spec.volumes) {
    const name = volume.kind === 'claim' ? volume.claimName : `${pod.name}-${volume.volumeName}`;
    const key = `${pod.namespace}/${name}`;
    const claim = index.claims.get(key);
    let one: OneVolume;
    if (claim !== undefined) one = ofClaim(claim, index);
    else if (volume.kind === 'ephemeral') one = ofClass(volume.storageClassName, name, index);
    else one = { ...FREE_VOLUME, problem: `PersistentVolumeClaim "${name}" does not exist; create it` };
    if (one.terms.length > 0) terms.push(one.terms);
    if (one.driver !== null) attachments.set(key, one.driver);
    problem ??= one.problem;
  }
  return { terms, attachments, problem };
}

function ofClaim(claim: PersistentVolumeClaim, index: VolumeIndex): OneVolume {
  if (claim.volumeName === '') return ofClass(claim.storageClassName, claim.name, index);
  const volume = index.volumes.get(claim.volumeName);
  if (volume === undefined) {
    const problem = `PersistentVolume "${claim.volumeName}" of claim "${claim.name}" does not exist`;
    return { ...FREE_VOLUME, problem };
  }
  return { terms: volume.nodeAffinity, driver: volume.csiDriver, problem: null };
}

function ofClass(className: string | null, claim: string, index: VolumeIndex): OneVolume {
  const found = className === null ? index.defaultClass : (index.classes.get(className) ?? null);
  if (found === null) {
    const which =
      className === null ? 'there is no default StorageClass' : `StorageClass "${className}" is missing`;
    return { ...FREE_VOLUME, problem: `claim "${claim}" is not bound and ${which}` };
  }
  if (!found.waitForFirstConsumer) {
    const problem = `claim "${claim}" waits for its volume: StorageClass "${found.name}" binds immediately`;
    return { ...FREE_VOLUME, problem };
  }
  return { terms: found.allowedTopologies, driver: found.provisioner, problem: null };
}

const ATTACHMENT = 'attachable-volumes/';

/** Attach places as resource names, so that CSI limits are counted like any other resource. */
export function attachmentResources(attachments: ReadonlyMap<string, string>): Record<string, number> {
  const places: Record<string, number> = {};
  for (const driver of attachments.values()) {
    places[ATTACHMENT + driver] = (places[ATTACHMENT + driver] ?? 0) + 1;
  }
  return places;
}

export function attachmentName(driver: string): string {
  return ATTACHMENT + driver;
}

/** True for places to attach volumes, which no instance type lists. */
export function isAttachment(resource: string): boolean {
  return resource.startsWith(ATTACHMENT);
}
