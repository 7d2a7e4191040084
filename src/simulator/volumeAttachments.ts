// The simulated attach-detach controller: volumes follow their pods to nodes, and leave a while after them.
import { isTerminal, type Pod } from '../model/pod.ts';
import type { VolumeAttachment } from '../model/volumes.ts';
import type { NodeLedger } from './nodeLedger.ts';
import type { ObjectStore } from './objectStore.ts';
import type { Random } from './random.ts';
import type { VirtualClock } from './virtualClock.ts';

/** From a pod's binding to the attachment of its volumes. */
const ATTACH_MS = 300;
/** From the last pod's end to the end of the attachment; a few take minutes. */
const DETACH_MS = { least: 1_000, most: 15_000, slow: 180_000 };
const SLOW_SHARE = 0.1;

export interface AttachParts {
  readonly clock: VirtualClock;
  readonly store: ObjectStore;
  readonly ledger: NodeLedger;
  readonly random: Random;
}

export class VolumeAttachments {
  readonly #parts: AttachParts;
  readonly #held = new Map<string, VolumeAttachment>();

  constructor(parts: AttachParts) {
    this.#parts = parts;
    parts.store.subscribe((event, before) => {
      if (event.kind === 'node' && event.type === 'delete') this.#nodeGone(event.key);
      if (event.kind !== 'pod') return;
      const pod = event.type === 'upsert' ? event.object : (before as Pod);
      if (pod.nodeName === '' || pod.spec.volumes.length === 0) return;
      if (event.type === 'upsert' && !isTerminal(pod)) this.#attachLater(pod);
      else this.#detachLater(pod);
    });
  }

  all(): readonly VolumeAttachment[] {
    return [...this.#held.values()];
  }

  #attachLater(pod: Pod): void {
    const wanted = this.#volumesOf(pod).filter((name) => !this.#held.has(keyOf(pod.nodeName, name)));
    if (wanted.length === 0) return;
    this.#parts.clock.after(ATTACH_MS, () => {
      for (const volumeName of wanted) {
        if (!this.#isUsed(pod.nodeName, volumeName)) continue;
        this.#held.set(keyOf(pod.nodeName, volumeName), { nodeName: pod.nodeName, volumeName });
      }
    });
  }

  #detachLater(pod: Pod): void {
    const { random, clock } = this.#parts;
    for (const volumeName of this.#volumesOf(pod)) {
      const isSlow = random.chance(SLOW_SHARE);
      const afterMs = isSlow ? DETACH_MS.slow : random.integer(DETACH_MS.least, DETACH_MS.most);
      clock.after(afterMs, () => {
        if (!this.#isUsed(pod.nodeName, volumeName)) this.#held.delete(keyOf(pod.nodeName, volumeName));
      });
    }
  }

  #nodeGone(nodeName: string): void {
    for (const [key, one] of this.#held) if (one.nodeName === nodeName) this.#held.delete(key);
  }

  #isUsed(nodeName: string, volumeName: string): boolean {
    const pods = this.#parts.ledger.get(nodeName)?.pods.values() ?? [];
    return [...pods].some((pod) => !isTerminal(pod) && this.#volumesOf(pod).includes(volumeName));
  }

  /** Volumes that a driver attaches; names of claims are those of the pod's own namespace. */
  #volumesOf(pod: Pod): readonly string[] {
    const { store } = this.#parts;
    return pod.spec.volumes.flatMap((volume) => {
      const name = volume.kind === 'claim' ? volume.claimName : `${pod.name}-${volume.volumeName}`;
      const bound = store.get('persistentVolumeClaim', `${pod.namespace}/${name}`)?.volumeName ?? '';
      return store.get('persistentVolume', bound)?.csiDriver == null ? [] : [bound];
    });
  }
}

function keyOf(nodeName: string, volumeName: string): string {
  return `${nodeName}/${volumeName}`;
}
