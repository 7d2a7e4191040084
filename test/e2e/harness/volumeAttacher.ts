// What a CSI driver's external-attacher does: attaches volumes that the controller-manager asks for, and detaches them.
import { type Kube, KubeError, type KubeObject } from './kube.ts';

export interface AttachmentObject extends KubeObject {
  readonly spec: { readonly nodeName: string; readonly source: { readonly persistentVolumeName?: string } };
  readonly status?: { readonly attached: boolean };
}

export interface VolumeAttacher {
  /** When the volume had left the node, in epoch ms; null while it has not. */
  detachedAtMs(volume: string, nodeName: string): number | null;
  stop(): void;
}

export const ATTACHMENTS = '/apis/storage.k8s.io/v1/volumeattachments';
const FINALIZER = 'external-attacher/cooper-test';

/**
 * The VolumeAttachments themselves come and go by the real attach-detach controller: a finalizer keeps each for
 * `detachMs` after its deletion was asked for, as long as the cloud takes to detach the volume.
 */
export function attachVolumes(kube: Kube, detachMs: number, problems: string[]): VolumeAttacher {
  const detached = new Map<string, number>();
  const timers = new Map<string, NodeJS.Timeout>();
  const report = (error: unknown): void => {
    if (error instanceof KubeError && error.status !== 404) problems.push(`attacher: ${error.message}`);
  };
  const watch = kube.watch<AttachmentObject>(ATTACHMENTS, ({ type, object }) => {
    const { name, uid, deletionTimestamp } = object.metadata;
    const path = `${ATTACHMENTS}/${name}`;
    if (type === 'DELETED') {
      detached.set(`${object.spec.source.persistentVolumeName} ${object.spec.nodeName}`, Date.now());
    } else if (deletionTimestamp === undefined) {
      if (object.status?.attached !== true) void attach(kube, path).catch(report);
    } else if (!timers.has(uid)) {
      const detach = (): void => void kube.patch(path, { metadata: { finalizers: null } }).catch(report);
      timers.set(uid, setTimeout(detach, detachMs));
    }
  });
  return {
    detachedAtMs: (volume, nodeName) => detached.get(`${volume} ${nodeName}`) ?? null,
    stop: () => {
      watch.stop();
      for (const timer of timers.values()) clearTimeout(timer);
    },
  };
}

async function attach(kube: Kube, path: string): Promise<void> {
  await kube.patch(path, { metadata: { finalizers: [FINALIZER] } });
  await kube.patch(`${path}/status`, { status: { attached: true } });
}
