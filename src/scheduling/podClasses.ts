// Classes of pods: equal in everything that the rules can see, so that counts flow through the packer, not pods.
import type { NodeSelectorTerm, Pod, PodSpec } from '../model/pod.ts';
import { podKey } from '../model/pod.ts';
import type { Resources } from '../model/resources.ts';
import { compareText } from './compiledProvisioner.ts';
import type { SelectorTable } from './selectors.ts';
import { attachmentResources, NO_VOLUMES, type VolumeIndex, volumeNeeds } from './volumes.ts';

export interface PodClass {
  /** Equal for equal classes, whatever the order of input. */
  readonly key: string;
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
  readonly first: Pod;
  readonly requests: Resources;
  readonly volumeTerms: readonly (readonly NodeSelectorTerm[])[];
  readonly matches: readonly number[];
  readonly pods: string[];
}

/** Groups the pods; the selectors in play must be in the table already. */
export function classify(pods: readonly Pod[], selectors: SelectorTable, index: VolumeIndex): Classified {
  const bySpec = new Map<PodSpec, Map<string, Draft>>();
  const drafts = new Map<string, Draft>();
  const blocked: BlockedPod[] = [];
  for (const pod of pods) {
    const { spec } = pod;
    const matches = selectors.matchesOf(pod.namespace, pod.labels);
    const volumes = spec.volumes.length === 0 ? NO_VOLUMES : volumeNeeds(pod, index);
    if (volumes.problem !== null) {
      blocked.push({ pod: podKey(pod), reason: volumes.problem });
      continue;
    }
    const namespace = looksAtPods(spec) ? pod.namespace : '';
    const volumeKey =
      volumes === NO_VOLUMES ? '' : JSON.stringify([volumes.terms, [...volumes.attachments.values()]]);
    const restKey = `${namespace}|${matches.join(',')}|${volumeKey}`;
    const bySpecHere = bySpec.get(spec) ?? new Map<string, Draft>();
    if (bySpecHere.size === 0) bySpec.set(spec, bySpecHere);
    let draft = bySpecHere.get(restKey);
    if (draft === undefined) {
      const key = `${specKey(spec)}|${restKey}`;
      draft = drafts.get(key);
      if (draft === undefined) {
        const requests = { ...spec.requests, ...attachmentResources(volumes.attachments) };
        draft = { first: pod, requests, volumeTerms: volumes.terms, matches, pods: [] };
        drafts.set(key, draft);
      }
      bySpecHere.set(restKey, draft);
    }
    draft.pods.push(podKey(pod));
  }
  return { classes: finished(drafts), blocked };
}

function finished(drafts: ReadonlyMap<string, Draft>): PodClass[] {
  const classes = [...drafts].map(([key, { first, requests, volumeTerms, matches, pods }]) => ({
    key,
    spec: first.spec,
    namespace: first.namespace,
    requests,
    volumeTerms,
    matches,
    pods: pods.sort(compareText),
  }));
  return classes.sort((left, right) => compareText(left.key, right.key));
}
