// What a pod's volumes ask of its node: labels from volumes and storage classes, and attach slots.
import { type NodeSelectorTerm, type Pod, podKey } from '../../model/pod.ts';
import type { ClusterSnapshot } from '../../model/snapshot.ts';
import type { StorageClass } from '../../model/volumes.ts';
import type { Host } from './host.ts';
import { meetsAnyTerm } from './labelMatch.ts';

/** One volume of a pod: ORed label terms (empty: anywhere), and the CSI driver that attaches it. */
export interface VolumeNeed {
  readonly claim: string;
  readonly terms: readonly NodeSelectorTerm[];
  readonly driver: string | null;
  /** Why the kube-scheduler would not place the pod at all, or null. */
  readonly problem: string | null;
}

/** Looks up what the volumes of pods need, once a pod. */
export class VolumeTable {
  readonly #snapshot: ClusterSnapshot;
  readonly #known = new Map<Pod, readonly VolumeNeed[]>();

  constructor(snapshot: ClusterSnapshot) {
    this.#snapshot = snapshot;
  }

  needs(pod: Pod): readonly VolumeNeed[] {
    if (pod.spec.volumes.length === 0) return [];
    const known = this.#known.get(pod) ?? pod.spec.volumes.map((volume) => this.#need(pod, volume));
    this.#known.set(pod, known);
    return known;
  }

  #need(pod: Pod, volume: Pod['spec']['volumes'][number]): VolumeNeed {
    const name = volume.kind === 'claim' ? volume.claimName : `${pod.name}-${volume.volumeName}`;
    const claim = `${pod.namespace}/${name}`;
    const found = this.#snapshot.persistentVolumeClaims.find(
      (one) => one.namespace === pod.namespace && one.name === name,
    );
    const nowhere = (problem: string): VolumeNeed => ({ claim, terms: [], driver: null, problem });
    if (found === undefined && volume.kind === 'claim') return nowhere(`claim ${claim} does not exist`);
    if (found !== undefined && found.volumeName !== '') {
      const held = this.#snapshot.persistentVolumes.find((one) => one.name === found.volumeName);
      if (held === undefined) return nowhere(`volume ${found.volumeName} does not exist`);
      return { claim, terms: held.nodeAffinity, driver: held.csiDriver, problem: null };
    }
    const className =
      found?.storageClassName ?? (volume.kind === 'ephemeral' ? volume.storageClassName : null);
    const storageClass = this.#storageClass(className);
    if (storageClass === null) return nowhere(`claim ${claim} has no storage class that exists`);
    return { claim, terms: storageClass.allowedTopologies, driver: storageClass.provisioner, problem: null };
  }

  #storageClass(name: string | null): StorageClass | null {
    const { storageClasses } = this.#snapshot;
    const wanted = (one: StorageClass): boolean => (name === null ? one.isDefault : one.name === name);
    return storageClasses.find(wanted) ?? null;
  }
}

/** Violations of zones, and of attach limits on nodes that report them. */
export function volumeViolations(host: Host, table: VolumeTable, snapshot: ClusterSnapshot): string[] {
  const found = host.placed.flatMap((pod) =>
    table.needs(pod).flatMap(({ claim, terms, problem }) => {
      if (problem !== null) return [`${podKey(pod)} on ${host.title}: ${problem}`];
      const misfit = host.faces.find(({ labels }) => terms.length > 0 && !meetsAnyTerm(terms, labels));
      if (misfit === undefined) return [];
      return [
        `${podKey(pod)} on ${host.title}: the volume of claim ${claim} cannot be used from ${misfit.zone}`,
      ];
    }),
  );
  return [...found, ...attachViolations(host, table, snapshot)];
}

function attachViolations(host: Host, table: VolumeTable, snapshot: ClusterSnapshot): string[] {
  const limits = snapshot.csiNodes.find(({ name }) => name === host.hostname)?.volumeLimits;
  if (limits === undefined || host.placed.every((pod) => pod.spec.volumes.length === 0)) return [];
  const byDriver = new Map<string, Set<string>>();
  for (const { claim, driver } of [...host.bound, ...host.placed].flatMap((pod) => table.needs(pod))) {
    if (driver !== null) byDriver.set(driver, (byDriver.get(driver) ?? new Set()).add(claim));
  }
  return [...byDriver].flatMap(([driver, claims]) => {
    const limit = limits[driver] ?? Number.POSITIVE_INFINITY;
    return claims.size > limit
      ? [`${host.title}: ${claims.size} volumes of ${driver}, ${limit} can be attached`]
      : [];
  });
}
