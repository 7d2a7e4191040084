// The kube-scheduler's volume filters, and what a provisioner does once a pod with an unbound claim is placed.
import { LABEL } from '../model/labels.ts';
import type { Node } from '../model/node.ts';
import type { NodeSelectorTerm, Pod } from '../model/pod.ts';
import { labelsSatisfy, type RequirementSet, requirementSet } from '../model/requirementSet.ts';
import { type VolumeIndex, type VolumeNeeds, volumeIndex, volumeNeeds } from '../scheduling/volumes.ts';
import type { LedgerEntry } from './nodeLedger.ts';
import type { ObjectStore } from './objectStore.ts';

/** What the volumes of one pod ask of its node. */
export class VolumeFit {
  readonly #store: ObjectStore;
  readonly #index: VolumeIndex;
  readonly #needs: VolumeNeeds;
  /** Each volume's alternatives. */
  readonly #places: readonly (readonly RequirementSet[])[];

  constructor(pod: Pod, store: ObjectStore) {
    this.#store = store;
    this.#index = indexOf(store);
    this.#needs = volumeNeeds(pod, this.#index);
    this.#places = this.#needs.terms.map((terms) => terms.map((term) => requirementSet(term.requirements)));
  }

  /** True when every volume can be reached from the node and attached to it. */
  admits({ node, pods }: LedgerEntry): boolean {
    if (node === null || this.#needs.problem !== null) return false;
    const isReachable = (place: readonly RequirementSet[]): boolean =>
      place.some((requirements) => labelsSatisfy(node.labels, requirements));
    return this.#places.every(isReachable) && this.#canAttach(node, pods.values());
  }

  #canAttach({ name }: Node, pods: Iterable<Pod>): boolean {
    const limits = this.#store.get('csiNode', name)?.volumeLimits;
    if (limits === undefined || this.#needs.attachments.size === 0) return true;
    const attached = new Map<string, string>();
    for (const pod of pods) {
      for (const [claim, driver] of volumeNeeds(pod, this.#index).attachments) attached.set(claim, driver);
    }
    const before = new Set(attached.keys());
    for (const [claim, driver] of this.#needs.attachments) attached.set(claim, driver);
    const concerned = new Set(
      [...this.#needs.attachments].filter(([claim]) => !before.has(claim)).map(([, driver]) => driver),
    );
    return [...concerned].every((driver) => {
      const count = [...attached.values()].filter((one) => one === driver).length;
      return count <= (limits[driver] ?? Number.POSITIVE_INFINITY);
    });
  }
}

function indexOf(store: ObjectStore): VolumeIndex {
  return volumeIndex({
    persistentVolumes: [...store.values('persistentVolume')],
    persistentVolumeClaims: [...store.values('persistentVolumeClaim')],
    storageClasses: [...store.values('storageClass')],
  });
}

/** Gives each claim of the pod that has no volume yet a new one, in the zone of the pod's node. */
export function provisionClaims(store: ObjectStore, pod: Pod, node: Node): void {
  for (const volume of pod.spec.volumes) {
    const name = volume.kind === 'claim' ? volume.claimName : `${pod.name}-${volume.volumeName}`;
    const key = `${pod.namespace}/${name}`;
    const claim = store.get('persistentVolumeClaim', key);
    if (claim === undefined || claim.volumeName !== '') continue;
    const { classes, defaultClass } = indexOf(store);
    const { storageClassName } = claim;
    const storageClass = storageClassName === null ? defaultClass : classes.get(storageClassName);
    const volumeName = `pvc-${pod.namespace}-${name}`;
    const csiDriver = storageClass?.provisioner ?? null;
    store.put('persistentVolume', volumeName, { name: volumeName, nodeAffinity: inZoneOf(node), csiDriver });
    store.put('persistentVolumeClaim', key, { ...claim, volumeName });
  }
}

function inZoneOf({ labels }: Node): readonly NodeSelectorTerm[] {
  const zone = labels[LABEL.zone];
  if (zone === undefined) return [];
  return [{ requirements: [{ key: LABEL.zone, operator: 'In', values: [zone] }], matchFields: false }];
}
