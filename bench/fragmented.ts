// Clusters that were bought for all pods of a workload, most of which have gone since.
import { Interner } from '../src/api/objects/interner.ts';
import { parsePod } from '../src/api/objects/pod.ts';
import { type CatalogueEntry, readCatalogue } from '../src/cli/catalogueFile.ts';
import { NO_CONSOLIDATION } from '../src/model/disruptionPolicy.ts';
import { LABEL } from '../src/model/labels.ts';
import { type Pod, podKey } from '../src/model/pod.ts';
import type { Catalogue, ClusterSnapshot } from '../src/model/snapshot.ts';
import { schedule } from '../src/scheduling/scheduler.ts';
import { aProvisioner, aSnapshot } from '../test/builders.ts';
import { carriedOut } from '../test/disruption/consolidated.ts';
import { fakeTypes, realTypes } from './catalogues.ts';
import { Chance } from './chance.ts';
import { drawMix, type MixName } from './mixes.ts';
import type { PeerCluster, PodJson } from './problem.ts';

/** Share of the pods that stay. */
const KEPT_SHARE = 0.4;
const HOUR_MS = 3_600_000;

/** How clusters of one kind are made. */
interface Shape {
  readonly mix: MixName;
  /** Pods bought for, for each node wanted. */
  readonly podsPerNode: number;
  readonly types: () => readonly CatalogueEntry[];
  readonly capacityTypes: readonly ('spot' | 'on-demand')[];
}

/** Real types of middling size, so that a cluster of so many pods has many nodes. */
function realSizes(choice: 'cpu' | 'spot', sizes: readonly string[]): readonly CatalogueEntry[] {
  return realTypes(choice).filter(({ name }) => sizes.includes(name.slice(name.indexOf('.') + 1)));
}

const UP_TO_2XLARGE = ['large', 'xlarge', '2xlarge'];
const ON_DEMAND: Pick<Shape, 'types' | 'capacityTypes'> = {
  types: () => realSizes('cpu', UP_TO_2XLARGE),
  capacityTypes: ['on-demand'],
};

/** Plain pods, apps with rules and apps on spot, all on real types; Karpenter's own mix on its own types. */
const SHAPES = {
  generic: { ...ON_DEMAND, mix: 'generic', podsPerNode: 12.5 },
  deployments: { ...ON_DEMAND, mix: 'deployments', podsPerNode: 12.5 },
  'capacity-types': {
    mix: 'capacity-types',
    podsPerNode: 7,
    types: () => realSizes('spot', UP_TO_2XLARGE),
    capacityTypes: ['spot', 'on-demand'],
  },
  diverse: {
    mix: 'diverse',
    podsPerNode: 5,
    types: () => fakeTypes(400),
    capacityTypes: ['spot', 'on-demand'],
  },
  /** Plain pods on larger nodes: ten are left on a node. */
  crowded: {
    mix: 'generic',
    podsPerNode: 25,
    types: () => realSizes('cpu', ['2xlarge', '4xlarge']),
    capacityTypes: ['on-demand'],
  },
} as const satisfies Readonly<Record<string, Shape>>;

export type FragmentedKind = keyof typeof SHAPES;

export interface Fragmented {
  readonly snapshot: ClusterSnapshot;
  readonly catalogue: Catalogue;
  /** The same cluster for the peer. */
  readonly peer: PeerCluster;
}

/**
 * A cluster of about so many nodes, as the packer's first plan buys it, after 60 % of its pods have gone by chance;
 * nodes that nothing is left on have gone too.
 */
export function fragmentedCluster(kind: FragmentedKind, nodes: number): Fragmented {
  const { mix, podsPerNode, types, capacityTypes }: Shape = SHAPES[kind];
  const entries = types();
  const { instanceTypes, problems } = readCatalogue(entries);
  if (problems.length > 0) throw new Error(JSON.stringify(problems[0]));
  const catalogue: Catalogue = new Map([['default', instanceTypes]]);
  const manifests = drawMix(mix, Math.round(nodes * podsPerNode)).map(ownedByItsKind);
  const interner = new Interner();
  const pods = manifests.map((manifest): Pod => {
    const parsed = parsePod(manifest, interner);
    if (parsed.kind === 'invalid') throw new Error(`${parsed.name}: ${JSON.stringify(parsed.problems)}`);
    return parsed.value;
  });
  const empty = aSnapshot({ provisioners: [consolidating(capacityTypes)], pods });
  const full = carriedOut(empty, catalogue, schedule(empty, catalogue, pods));
  const chance = new Chance(7);
  const kept = full.pods.filter(({ nodeName }) => chance.next() < KEPT_SHARE && nodeName !== '');
  const snapshot = withoutEmptyNodes({ ...full, pods: kept, takenAtMs: HOUR_MS });
  const homes = new Map(kept.map((pod) => [podKey(pod), pod.nodeName]));
  return {
    snapshot,
    catalogue,
    peer: {
      instanceTypes: entries,
      capacityTypes,
      nodes: snapshot.nodeClaims.map(({ status }) => ({
        name: status.nodeName,
        instanceType: status.instanceType,
        zone: status.zone,
        capacityType: status.capacityType,
      })),
      boundPods: manifests.flatMap((manifest) => {
        const nodeName = homes.get(`${manifest.metadata.namespace}/${manifest.metadata.name}`);
        return nodeName === undefined ? [] : [{ ...manifest, spec: { ...manifest.spec, nodeName } }];
      }),
    },
  };
}

/** Pods without an owner are left alone, since nobody would make them again. */
function ownedByItsKind(manifest: PodJson): PodJson {
  const name = manifest.metadata.name.slice(0, manifest.metadata.name.lastIndexOf('-'));
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name, uid: name, controller: true };
  return { ...manifest, metadata: { ...manifest.metadata, ownerReferences: [owner] } };
}

function consolidating(capacityTypes: Shape['capacityTypes']): ClusterSnapshot['provisioners'][number] {
  const everyNode = { nodes: { kind: 'percent' as const, amount: 100 }, reasons: null, window: null };
  return aProvisioner({
    requirements: [{ key: LABEL.capacityType, operator: 'In', values: capacityTypes }],
    disruption: {
      ...NO_CONSOLIDATION,
      consolidation: 'WhenEmptyOrUnderutilized',
      budgets: [everyNode],
    },
  });
}

function withoutEmptyNodes(snapshot: ClusterSnapshot): ClusterSnapshot {
  const used = new Set(snapshot.pods.map(({ nodeName }) => nodeName));
  return {
    ...snapshot,
    nodes: snapshot.nodes.filter(({ name }) => used.has(name)),
    nodeClaims: snapshot.nodeClaims.filter(({ status }) => used.has(status.nodeName)),
  };
}
