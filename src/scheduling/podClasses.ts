// Classes of pods: equal in everything that the rules can see, so that counts flow through the packer, not pods.
import type { NodeSelectorTerm, Pod, PodSpec } from '../model/pod.ts';
import { podKey } from '../model/pod.ts';
import type { Resources } from '../model/resources.ts';
import { compareText } from './compiledProvisioner.ts';
import type { SelectorTable } from './selectors.ts';
import {
  attachmentResources,
  NO_VOLUMES,
  type VolumeIndex,
  type VolumeNeeds,
  volumeNeeds,
} from './volumes.ts';

export interface PodClass {
  readonly spec: PodSpec;
  readonly namespace: string;
  readonly requests: Resources;
  readonly volumeTerms: readonly (readonly NodeSelectorTerm[])[];
  /** Selectors that match its pods. */
  readonly matches: readonly number[];
  /** Pod keys, sorted. */
  readonly pods: readonly string[];
}

/** A pod that no node can help, and why. */
export interface BlockedPod {
  readonly pod: string;
  readonly reason: string;
}

export interface Classified {
  readonly classes: readonly PodClass[];
  readonly blocked: readonly BlockedPod[];
}

const specKeys = new WeakMap<PodSpec, string>();

/** One text for specs that ask the same of a node; volumes are resolved apart. */
export function specKey(spec: PodSpec): string {
  const held = specKeys.get(spec);
  if (held !== undefined) return held;
  const key = JSON.stringify([
    spec.requests,
    spec.priority,
    spec.nodeSelector,
    spec.nodeAffinity,
    spec.tolerations,
    spec.topologySpread,
    spec.podAffinity,
    spec.podAntiAffinity,
    spec.hostPorts,
    spec.preferredNodeAffinity,
    spec.preferredPodAffinity,
    spec.preferredPodAntiAffinity,
  ]);
  specKeys.set(spec, key);
  return key;
}

function looksAtPods(spec: PodSpec): boolean {
  return (
    spec.topologySpread.length > 0 ||
    spec.podAffinity.length > 0 ||
    spec.podAntiAffinity.length > 0 ||
    spec.preferredPodAffinity.length > 0 ||
    spec.preferredPodAntiAffinity.length > 0
  );
}

/**
 * Puts all selectors of the pods' terms into the table, so that classes are split where any of them looks. They are
 * numbered by what they say, not by who comes first: classes are sorted by these numbers too.
 */
export function internSelectors(pods: readonly Pod[], selectors: SelectorTable): void {
  const seen = new Map<PodSpec, Set<string>>();
  const distinct = new Map<string, { readonly spec: PodSpec; readonly namespace: string }>();
  for (const { spec, namespace } of pods) {
    if (!looksAtPods(spec)) continue;
    const namespaces = seen.get(spec) ?? new Set<string>();
    if (namespaces.has(namespace)) continue;
    seen.set(spec, namespaces.add(namespace));
    distinct.set(`${specKey(spec)}|${namespace}`, { spec, namespace });
  }
  for (const [, { spec, namespace }] of [...distinct].sort(([left], [right]) => compareText(left, right))) {
    selectors.internAll(spec.podAffinity, namespace);
    for (const term of spec.podAntiAffinity) selectors.internTerm(term, namespace);
    for (const { term } of spec.preferredPodAffinity) selectors.internTerm(term, namespace);
    for (const { term } of spec.preferredPodAntiAffinity) selectors.internTerm(term, namespace);
    for (const { selector } of spec.topologySpread) selectors.internOwn(selector, namespace);
  }
}

interface Draft {
  readonly spec: PodSpec;
  readonly namespace: string;
  /** What splits pods of one spec. */
  readonly restKey: string;
  readonly requests: Resources;
  readonly volumeTerms: readonly (readonly NodeSelectorTerm[])[];
  readonly matches: readonly number[];
  readonly pods: string[];
}

/** Drafts of one spec's text, by the rest of their key. */
type Drafts = Map<string, Draft>;

/** Groups the pods; the selectors in play must be in the table already. */
export function classify(pods: readonly Pod[], selectors: SelectorTable, index: VolumeIndex): Classified {
  const drafts = new Map<string, Drafts>();
  const known = new Map<PodSpec, Map<readonly number[], Draft>>();
  const blocked: BlockedPod[] = [];
  for (const pod of pods) {
    const { spec } = pod;
    const matches = selectors.matchesOf(pod.namespace, pod.labels);
    const quick = known.get(spec)?.get(matches);
    if (quick !== undefined && quick.namespace === pod.namespace) {
      quick.pods.push(podKey(pod));
      continue;
    }
    const volumes = spec.volumes.length === 0 ? NO_VOLUMES : volumeNeeds(pod, index);
    if (volumes.problem !== null) {
      blocked.push({ pod: podKey(pod), reason: volumes.problem });
      continue;
    }
    const draft = draftOf(pod, { matches, volumes }, drafts);
    draft.pods.push(podKey(pod));
    if (volumes !== NO_VOLUMES) continue;
    const bySpec = known.get(spec);
    if (bySpec === undefined) known.set(spec, new Map([[matches, draft]]));
    else bySpec.set(matches, draft);
  }
  return { classes: finished(drafts), blocked };
}

function draftOf(
  { spec, namespace }: Pod,
  { matches, volumes }: { readonly matches: readonly number[]; readonly volumes: VolumeNeeds },
  drafts: Map<string, Drafts>,
): Draft {
  const volumeKey =
    volumes === NO_VOLUMES ? '' : JSON.stringify([volumes.terms, [...volumes.attachments.values()]]);
  const restKey = `${looksAtPods(spec) ? namespace : ''}|${matches.join(',')}|${volumeKey}`;
  const key = specKey(spec);
  const ofSpec = drafts.get(key) ?? new Map<string, Draft>();
  drafts.set(key, ofSpec);
  const held = ofSpec.get(restKey);
  if (held !== undefined) return held;
  const requests =
    volumes === NO_VOLUMES
      ? spec.requests
      : { ...spec.requests, ...attachmentResources(volumes.attachments) };
  const draft = { spec, namespace, restKey, requests, volumeTerms: volumes.terms, matches, pods: [] };
  ofSpec.set(restKey, draft);
  return draft;
}

/** In the order of the keys: first of the specs', which are long and few, then of the rest. */
function finished(drafts: ReadonlyMap<string, Drafts>): PodClass[] {
  const bySpec = [...drafts].sort(([left], [right]) => compareText(left, right));
  const classes: Draft[] = [];
  for (const [, ofSpec] of bySpec) {
    const inOrder = [...ofSpec.values()].sort((left, right) => compareText(left.restKey, right.restKey));
    for (const draft of inOrder) {
      if (draft.pods.length > 1) draft.pods.sort(compareText);
      classes.push(draft);
    }
  }
  return classes;
}
