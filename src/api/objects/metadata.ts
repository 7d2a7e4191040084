// The part that all Kubernetes objects share: who an object is, how old, on its way out or not.
import { ANNOTATION } from '../../model/labels.ts';
import type { OwnerReference } from '../../model/pod.ts';
import type { Problem } from '../parsed.ts';
import {
  asRaw,
  numberIn,
  objectIn,
  objectsIn,
  type Raw,
  textIn,
  textMapIn,
  textsIn,
  timeMsIn,
} from './raw.ts';

export interface Metadata {
  readonly raw: Raw;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly finalizers: readonly string[];
  readonly createdAtMs: number;
  readonly deletionRequestedAtMs: number | null;
  /** From `deletionGracePeriodSeconds`; null while nobody has asked for its deletion. */
  readonly deletionGraceSeconds: number | null;
}

export const MISSING_NAME: Problem = {
  field: 'metadata.name',
  problem: 'is missing',
  mend: 'give the object a name',
};

/** Reads the metadata of an object; null when it has no name, without which nothing can refer to it. */
export function readMetadata(object: unknown): Metadata | null {
  const raw = objectIn(asRaw(object), 'metadata');
  const name = textIn(raw, 'name');
  if (raw === null || name === '') return null;
  return {
    raw,
    namespace: textIn(raw, 'namespace'),
    name,
    uid: textIn(raw, 'uid'),
    resourceVersion: textIn(raw, 'resourceVersion'),
    labels: textMapIn(raw, 'labels'),
    finalizers: textsIn(raw, 'finalizers'),
    createdAtMs: timeMsIn(raw, 'creationTimestamp') ?? 0,
    ...deletionOf(raw),
  };
}

/** `deletionTimestamp` is when the grace period ends; deletion was asked for that much earlier. */
function deletionOf(metadata: Raw): Pick<Metadata, 'deletionRequestedAtMs' | 'deletionGraceSeconds'> {
  const endsMs = timeMsIn(metadata, 'deletionTimestamp');
  if (endsMs === null) return { deletionRequestedAtMs: null, deletionGraceSeconds: null };
  const deletionGraceSeconds = numberIn(metadata, 'deletionGracePeriodSeconds');
  return { deletionRequestedAtMs: endsMs - (deletionGraceSeconds ?? 0) * 1000, deletionGraceSeconds };
}

const POD_DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';
const KEPT_ANNOTATIONS: readonly string[] = [...Object.values(ANNOTATION), POD_DELETION_COST];
const NO_ANNOTATIONS: Readonly<Record<string, string>> = Object.freeze({});

/** The annotations with a meaning here; all others (often kilobytes) are left behind. */
export function keptAnnotations(metadata: Raw): Readonly<Record<string, string>> {
  const annotations = objectIn(metadata, 'annotations');
  if (annotations === null) return NO_ANNOTATIONS;
  const kept = KEPT_ANNOTATIONS.filter((name) => typeof annotations[name] === 'string');
  if (kept.length === 0) return NO_ANNOTATIONS;
  return Object.fromEntries(kept.map((name) => [name, textIn(annotations, name)]));
}

/** The owner that controls the object, or null. */
export function controllingOwner(metadata: Raw): OwnerReference | null {
  const owner = objectsIn(metadata, 'ownerReferences').find((one) => one.controller === true);
  if (owner === undefined) return null;
  return { kind: textIn(owner, 'kind'), name: textIn(owner, 'name'), uid: textIn(owner, 'uid') };
}
