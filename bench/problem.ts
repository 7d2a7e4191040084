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

/** The problem as the peer reads it: with a NodePool that allows what our Provisioner allows. */
export function peerJson({ pods, instanceTypes, capacityTypes }: Problem): string {
  const allowed = { key: 'karpenter.sh/capacity-type', operator: 'In', values: capacityTypes };
  const nodeClassRef = { group: 'cooper.bench', kind: 'NodeClass', name: 'default' };
  const nodePool = {
    apiVersion: 'karpenter.sh/v1',
    kind: 'NodePool',
    metadata: { name: 'default' },
    spec: {
      limits: { cpu: '10000000', memory: '10000000Gi' },
      disruption: { consolidationPolicy: 'WhenEmptyOrUnderutilized', consolidateAfter: '0s' },
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
  return JSON.stringify({ pods, nodePool, instanceTypes, wellKnownLabels });
}
