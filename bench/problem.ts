// One packing problem as JSON, the same text for Cooper and for its peer.
import type { CatalogueEntry } from '../src/cli/catalogueFile.ts';

/** A Pod as Kubernetes writes it, as far as the mixes use it. */
export interface PodJson {
  readonly apiVersion: 'v1';
  readonly kind: 'Pod';
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly object[];
  };
  readonly spec: Readonly<Record<string, unknown>>;
}

export interface Problem {
  readonly name: string;
  readonly pods: readonly PodJson[];
  readonly instanceTypes: readonly CatalogueEntry[];
  /** Capacity types that may be bought. */
  readonly capacityTypes: readonly ('spot' | 'on-demand')[];
}

/** A cluster to consolidate, as the peer reads it. */
export interface PeerCluster {
  readonly instanceTypes: readonly CatalogueEntry[];
  readonly capacityTypes: readonly ('spot' | 'on-demand')[];
  readonly nodes: readonly {
    readonly name: string;
    readonly instanceType: string;
    readonly zone: string;
    readonly capacityType: string | null;
  }[];
  /** Each with `spec.nodeName`. */
  readonly boundPods: readonly PodJson[];
}

/** The problem as the peer reads it: with a NodePool that allows what our Provisioner allows. */
export function peerJson({ pods, ...shop }: Problem): string {
  return JSON.stringify({ pods, ...peerShop(shop) });
}

/** The cluster as the peer reads it, with a NodePool that may let all nodes go, at once. */
export function peerClusterJson({ nodes, boundPods, ...shop }: PeerCluster): string {
  return JSON.stringify({ nodes, boundPods, ...peerShop(shop) });
}

function peerShop({
  instanceTypes,
  capacityTypes,
}: Pick<Problem, 'instanceTypes' | 'capacityTypes'>): object {
  const allowed = { key: 'karpenter.sh/capacity-type', operator: 'In', values: capacityTypes };
  const nodeClassRef = { group: 'cooper.bench', kind: 'NodeClass', name: 'default' };
  const nodePool = {
    apiVersion: 'karpenter.sh/v1',
    kind: 'NodePool',
    metadata: { name: 'default' },
    spec: {
      limits: { cpu: '10000000', memory: '10000000Gi' },
      disruption: {
        consolidationPolicy: 'WhenEmptyOrUnderutilized',
        consolidateAfter: '0s',
        budgets: [{ nodes: '100%' }],
      },
      template: { spec: { nodeClassRef, requirements: [allowed] } },
    },
  };
  const wellKnownLabels = [
    ...new Set(
      instanceTypes.flatMap(({ requirements }) =>
        requirements.map(({ key }) => key).filter((key) => key.startsWith('karpenter.k8s.aws/')),
      ),
    ),
  ];
  return { nodePool, instanceTypes, wellKnownLabels };
}
