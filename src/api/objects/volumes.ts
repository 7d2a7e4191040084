// Volumes, claims, storage classes and CSI nodes, cut down to what ties a pod to a place.
import { normalizeLabel } from '../../model/labels.ts';
import type { NodeSelectorTerm } from '../../model/pod.ts';
import type { Requirement } from '../../model/requirement.ts';
import type { CsiNode, PersistentVolume, PersistentVolumeClaim, StorageClass } from '../../model/volumes.ts';
import type { Parsed } from '../parsed.ts';
import { type Metadata, MISSING_NAME, readMetadata } from './metadata.ts';
import { readTerms } from './nodeSelector.ts';
import { asRaw, numberIn, objectIn, objectsIn, type Raw, textIn, textsIn } from './raw.ts';

const UNNAMED = { kind: 'invalid', name: '', problems: [MISSING_NAME] } as const;
const EBS_DRIVER = 'ebs.csi.aws.com';

/** Reads a volume. Zone labels, from before CSI, count like node affinity, as in the scheduler's VolumeZone. */
export function parsePersistentVolume(object: unknown): Parsed<PersistentVolume> {
  const metadata = readMetadata(object);
  if (metadata === null) return UNNAMED;
  const spec = objectIn(asRaw(object), 'spec');
  const required = objectIn(objectIn(spec, 'nodeAffinity'), 'required');
  const place = { path: 'spec.nodeAffinity.required.nodeSelectorTerms', problems: [] };
  const terms = readTerms(objectsIn(required, 'nodeSelectorTerms'), place);
  const value = {
    name: metadata.name,
    nodeAffinity: withZoneLabels(terms, metadata),
    csiDriver: csiDriver(spec),
  };
  return { kind: 'valid', value };
}

/** An in-tree EBS volume is served by the EBS driver nowadays. Source: KEP-625, CSI migration. */
function csiDriver(spec: Raw | null): string | null {
  const driver = textIn(objectIn(spec, 'csi'), 'driver');
  if (driver !== '') return driver;
  return objectIn(spec, 'awsElasticBlockStore') === null ? null : EBS_DRIVER;
}

const ZONE_LABELS = [
  'topology.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/region',
];

function withZoneLabels(
  terms: readonly NodeSelectorTerm[],
  { labels }: Metadata,
): readonly NodeSelectorTerm[] {
  const added = ZONE_LABELS.flatMap((label): Requirement[] => {
    const value = labels[label];
    // Several zones in one label are written with two underscores between them.
    return value === undefined
      ? []
      : [{ key: normalizeLabel(label), operator: 'In', values: value.split('__') }];
  });
  if (added.length === 0) return terms;
  if (terms.length === 0) return [{ requirements: added, matchFields: false }];
  return terms.map((term) => ({ ...term, requirements: [...term.requirements, ...added] }));
}

export function parsePersistentVolumeClaim(object: unknown): Parsed<PersistentVolumeClaim> {
  const metadata = readMetadata(object);
  if (metadata === null) return UNNAMED;
  const spec = objectIn(asRaw(object), 'spec');
  const storageClassName = spec?.storageClassName;
  const value = {
    namespace: metadata.namespace || 'default',
    name: metadata.name,
    volumeName: textIn(spec, 'volumeName'),
    storageClassName: typeof storageClassName === 'string' ? storageClassName : null,
  };
  return { kind: 'valid', value };
}

const DEFAULT_CLASS_ANNOTATIONS = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
];

export function parseStorageClass(object: unknown): Parsed<StorageClass> {
  const metadata = readMetadata(object);
  if (metadata === null) return UNNAMED;
  const raw = asRaw(object);
  const annotations = objectIn(metadata.raw, 'annotations');
  const value = {
    name: metadata.name,
    isDefault: DEFAULT_CLASS_ANNOTATIONS.some((name) => annotations?.[name] === 'true'),
    provisioner: textIn(raw, 'provisioner'),
    waitForFirstConsumer: raw?.volumeBindingMode === 'WaitForFirstConsumer',
    allowedTopologies: objectsIn(raw, 'allowedTopologies').map(readTopologyTerm),
  };
  return { kind: 'valid', value };
}

function readTopologyTerm(raw: Raw): NodeSelectorTerm {
  const requirements = objectsIn(raw, 'matchLabelExpressions').map((one): Requirement => {
    return { key: normalizeLabel(textIn(one, 'key')), operator: 'In', values: textsIn(one, 'values') };
  });
  return { requirements, matchFields: false };
}

export function parseCsiNode(object: unknown): Parsed<CsiNode> {
  const metadata = readMetadata(object);
  if (metadata === null) return UNNAMED;
  const drivers = objectsIn(objectIn(asRaw(object), 'spec'), 'drivers');
  const limits = drivers.flatMap((driver): [string, number][] => {
    const count = numberIn(objectIn(driver, 'allocatable'), 'count');
    return count === null ? [] : [[textIn(driver, 'name'), count]];
  });
  return { kind: 'valid', value: { name: metadata.name, volumeLimits: Object.fromEntries(limits) } };
}
