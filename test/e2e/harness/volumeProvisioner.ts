// What a CSI provisioner does for claims whose consumer has been given a node: makes the volume, in the node's zone.
import { type Kube, KubeError, type KubeObject } from './kube.ts';

interface Claim extends KubeObject {
  readonly spec: { readonly storageClassName?: string; readonly volumeName?: string };
}

interface StorageClass extends KubeObject {
  readonly provisioner: string;
}

const ZONE = 'topology.kubernetes.io/zone';
const SELECTED_NODE = 'volume.kubernetes.io/selected-node';

/** Serves all claims of the cluster until stopped; what goes wrong is added to `problems`. */
export function provisionVolumes(kube: Kube, problems: string[]): { stop(): void } {
  const asked = new Set<string>();
  return kube.watch<Claim>('/api/v1/persistentvolumeclaims', ({ type, object }) => {
    const node = object.metadata.annotations?.[SELECTED_NODE];
    if (type === 'DELETED' || node === undefined || asked.has(object.metadata.uid)) return;
    if ((object.spec.volumeName ?? '') !== '') return;
    asked.add(object.metadata.uid);
    makeVolume(kube, object, node).catch((error: unknown) => {
      problems.push(`volume for ${object.metadata.name}: ${String(error)}`);
    });
  });
}

async function makeVolume(kube: Kube, claim: Claim, nodeName: string): Promise<void> {
  const className = claim.spec.storageClassName ?? '';
  const [node, storageClass] = await Promise.all([
    kube.get(`/api/v1/nodes/${nodeName}`),
    kube.get<StorageClass>(`/apis/storage.k8s.io/v1/storageclasses/${className}`),
  ]);
  const zone = node?.metadata.labels?.[ZONE] ?? '';
  const { name, namespace, uid } = claim.metadata;
  const volume = {
    kind: 'PersistentVolume',
    metadata: { name: `pvc-${uid}` },
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '1Gi' },
      storageClassName: className,
      persistentVolumeReclaimPolicy: 'Retain',
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid },
      csi: { driver: storageClass?.provisioner ?? '', volumeHandle: uid },
      nodeAffinity: zoneAffinity(zone),
    },
  };
  await kube.create('/api/v1/persistentvolumes', volume).catch((error: unknown) => {
    if (!(error instanceof KubeError && error.status === 409)) throw error;
  });
}

/** Node affinity of a volume that can be reached from these zones only. */
export function zoneAffinity(...zones: readonly string[]): object {
  const matchExpressions = [{ key: ZONE, operator: 'In', values: zones }];
  return { required: { nodeSelectorTerms: [{ matchExpressions }] } };
}
