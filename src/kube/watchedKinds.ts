// The kinds of object that Cooper watches, and how each one becomes events of the model.

import { parseNodeClaim } from '../api/nodeClaims.ts';
import { parseAwsNodeTemplate } from '../api/nodeClasses.ts';
import { readDaemonSet } from '../api/objects/daemonSet.ts';
import type { Interner } from '../api/objects/interner.ts';
import { parseNode } from '../api/objects/node.ts';
import { readPod } from '../api/objects/pod.ts';
import type { Raw, Reading } from '../api/objects/raw.ts';
import {
  parseCsiNode,
  parsePersistentVolume,
  parsePersistentVolumeClaim,
  parseStorageClass,
} from '../api/objects/volumes.ts';
import { parseDisruptionBudget, parseNamespace } from '../api/objects/workloads.ts';
import type { Parsed, Problem } from '../api/parsed.ts';
import { parseProvisioner } from '../api/provisioners.ts';
import type { ClusterEvent, ModelByKind, ObjectKind } from '../model/clusterEvent.ts';
import { nodeClassKey } from '../model/nodeClass.ts';
import { type ApiResource, RESOURCE } from './apiTarget.ts';

/** What came of one object. */
export interface Delivery {
  readonly events: readonly ClusterEvent[];
  /** What is wrong with it; objects that users write are then out of use, others go on without the faulty fields. */
  readonly problems: readonly Problem[];
}

export interface WatchedKind {
  /** As in manifests: `Provisioner`. */
  readonly kind: string;
  readonly resource: ApiResource;
  readonly pageSize: number;
  upsert(key: string, object: Raw): Delivery;
  remove(key: string): readonly ClusterEvent[];
}

const PAGE = 500;
/** A raw pod is some 11 KB of JSON, ten times that once parsed: small pages keep the peak low. */
const PODS_PER_PAGE = 200;

/** Every kind, in the order of dependence: what decisions need first is listed first. */
export function watchedKinds(interner: Interner): readonly WatchedKind[] {
  return [
    provisioners(),
    nodeTemplates(),
    nodeClaims(),
    read('Node', RESOURCE.nodes, 'node', parseNode),
    lenient('Pod', { ...RESOURCE.pods, pageSize: PODS_PER_PAGE }, 'pod', (raw) => readPod(raw, interner)),
    lenient('DaemonSet', { ...RESOURCE.daemonSets, pageSize: PAGE }, 'daemonSet', (raw) =>
      readDaemonSet(raw, interner),
    ),
    read('Namespace', RESOURCE.namespaces, 'namespace', parseNamespace),
    read('PodDisruptionBudget', RESOURCE.disruptionBudgets, 'disruptionBudget', parseDisruptionBudget),
    read('PersistentVolume', RESOURCE.persistentVolumes, 'persistentVolume', parsePersistentVolume),
    read(
      'PersistentVolumeClaim',
      RESOURCE.persistentVolumeClaims,
      'persistentVolumeClaim',
      parsePersistentVolumeClaim,
    ),
    read('StorageClass', RESOURCE.storageClasses, 'storageClass', parseStorageClass),
    read('CSINode', RESOURCE.csiNodes, 'csiNode', parseCsiNode),
  ];
}

/** A kind of one event per object; an invalid object is taken out. */
function read<K extends ObjectKind>(
  kind: string,
  resource: ApiResource,
  modelKind: K,
  parse: (raw: unknown) => Parsed<ModelByKind[K]>,
): WatchedKind {
  return {
    kind,
    resource,
    pageSize: PAGE,
    upsert(key, object) {
      const parsed = parse(object);
      if (parsed.kind === 'invalid') return { events: [gone(modelKind, key)], problems: parsed.problems };
      return { events: [upserted(modelKind, key, parsed.value)], problems: [] };
    },
    remove: (key) => [gone(modelKind, key)],
  };
}

/** A kind whose objects take room on nodes whatever is odd about them: what can be read of them counts. */
function lenient<K extends ObjectKind>(
  kind: string,
  { pageSize, ...resource }: ApiResource & { readonly pageSize: number },
  modelKind: K,
  readObject: (raw: unknown) => Reading<ModelByKind[K]>,
): WatchedKind {
  return {
    kind,
    resource,
    pageSize,
    upsert(key, object) {
      const { value, problems } = readObject(object);
      return {
        events: value === null ? [gone(modelKind, key)] : [upserted(modelKind, key, value)],
        problems,
      };
    },
    remove: (key) => [gone(modelKind, key)],
  };
}

/** Provisioners bring the node class of their inline `provider` with them, ahead of themselves. */
function provisioners(): WatchedKind {
  const inlineKey = (name: string): string => nodeClassKey({ kind: 'Provisioner', name });
  return {
    kind: 'Provisioner',
    resource: RESOURCE.provisioners,
    pageSize: PAGE,
    upsert(key, object) {
      const parsed = parseProvisioner(object);
      if (parsed.kind === 'invalid') {
        return {
          events: [gone('provisioner', key), gone('nodeClass', inlineKey(key))],
          problems: parsed.problems,
        };
      }
      const { provisioner, nodeClass } = parsed.value;
      const ofClass =
        nodeClass === null
          ? gone('nodeClass', inlineKey(key))
          : upserted('nodeClass', nodeClass.key, nodeClass);
      return { events: [ofClass, upserted('provisioner', key, provisioner)], problems: [] };
    },
    remove: (key) => [gone('provisioner', key), gone('nodeClass', inlineKey(key))],
  };
}

function nodeTemplates(): WatchedKind {
  const classKey = (name: string): string => nodeClassKey({ kind: 'AWSNodeTemplate', name });
  return {
    kind: 'AWSNodeTemplate',
    resource: RESOURCE.nodeTemplates,
    pageSize: PAGE,
    upsert(key, object) {
      const parsed = parseAwsNodeTemplate(object);
      if (parsed.kind === 'invalid') {
        return { events: [gone('nodeClass', classKey(key))], problems: parsed.problems };
      }
      return { events: [upserted('nodeClass', parsed.value.key, parsed.value)], problems: [] };
    },
    remove: (key) => [gone('nodeClass', classKey(key))],
  };
}

/** An unreadable NodeClaim keeps its last good version: taken out, its instance would look like nobody's. */
function nodeClaims(): WatchedKind {
  return {
    kind: 'NodeClaim',
    resource: RESOURCE.nodeClaims,
    pageSize: PAGE,
    upsert(key, object) {
      const parsed = parseNodeClaim(object);
      if (parsed.kind === 'invalid') return { events: [], problems: parsed.problems };
      return { events: [upserted('nodeClaim', key, parsed.value)], problems: [] };
    },
    remove: (key) => [gone('nodeClaim', key)],
  };
}

function upserted<K extends ObjectKind>(kind: K, key: string, object: ModelByKind[K]): ClusterEvent {
  // The compiler cannot see that K picks one member of the union on both sides.
  return { type: 'upsert', kind, key, object } as ClusterEvent;
}

function gone(kind: ObjectKind, key: string): ClusterEvent {
  return { type: 'delete', kind, key };
}
