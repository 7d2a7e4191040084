// Nodes as the API server sends them, cut down to the model.
import type { Node, NodeCondition } from '../../model/node.ts';
import type { Parsed } from '../parsed.ts';
import { keptAnnotations, MISSING_NAME, readMetadata } from './metadata.ts';
import { asRaw, objectIn, objectsIn, type Raw, textIn, timeMsIn } from './raw.ts';
import { readResources } from './resourceList.ts';
import { readTaints } from './taints.ts';

/** Reads a node. Faulty fields are left out: a kubelet wrote them, and the node is there all the same. */
export function parseNode(object: unknown): Parsed<Node> {
  const metadata = readMetadata(object);
  if (metadata === null) return { kind: 'invalid', name: '', problems: [MISSING_NAME] };
  const raw = asRaw(object);
  const spec = objectIn(raw, 'spec');
  const status = objectIn(raw, 'status');
  const place = { path: 'status', problems: [] };
  return {
    kind: 'valid',
    value: {
      name: metadata.name,
      uid: metadata.uid,
      resourceVersion: metadata.resourceVersion,
      providerId: textIn(spec, 'providerID'),
      labels: metadata.labels,
      annotations: keptAnnotations(metadata.raw),
      taints: readTaints(spec),
      unschedulable: spec?.unschedulable === true,
      capacity: readResources(status, 'capacity', place),
      allocatable: readResources(status, 'allocatable', place),
      conditions: objectsIn(status, 'conditions').map(readCondition),
      finalizers: metadata.finalizers,
      createdAtMs: metadata.createdAtMs,
      deletionRequestedAtMs: metadata.deletionRequestedAtMs,
    },
  };
}

function readCondition(raw: Raw): NodeCondition {
  const status = textIn(raw, 'status');
  return {
    type: textIn(raw, 'type'),
    status: status === 'True' || status === 'False' ? status : 'Unknown',
    sinceMs: timeMsIn(raw, 'lastTransitionTime') ?? 0,
  };
}
