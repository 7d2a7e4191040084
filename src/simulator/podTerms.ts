// Which pods a pod affinity term is about.
import { selectorMatches } from '../model/labelSelector.ts';
import type { Pod, PodAffinityTerm } from '../model/pod.ts';

/** Labels of a namespace, by its name. */
export type NamespaceLabels = (namespace: string) => Readonly<Record<string, string>>;

export type PodMatcher = (other: Pod) => boolean;

/** The pods that a term of `owner` selects: by namespace, then by labels. Source: kube-scheduler, AffinityTerm. */
export function termMatcher(term: PodAffinityTerm, owner: Pod, namespaceLabels: NamespaceLabels): PodMatcher {
  const { namespaceSelector, selector } = term;
  const isOwn = namespaceSelector === null && term.namespaces.length === 0;
  const namespaces = isOwn ? [owner.namespace] : term.namespaces;
  return (other) => {
    if (!selectorMatches(selector, other.labels)) return false;
    if (namespaces.includes(other.namespace)) return true;
    return namespaceSelector !== null && selectorMatches(namespaceSelector, namespaceLabels(other.namespace));
  };
}
