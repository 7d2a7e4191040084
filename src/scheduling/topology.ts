// Rules of pod classes that look at other pods, read once: what each class demands by topology key.
import { LABEL, normalizeLabel } from '../model/labels.ts';
import type { Pod, PodAffinityTerm, TopologySpreadConstraint } from '../model/pod.ts';
import { compareText } from './compiledProvisioner.ts';
import type { PodClass } from './podClasses.ts';
import { NO_SELECTOR, type SelectorTable } from './selectors.ts';

/** "Pods of this selector, by this topology key." */
export interface PodTerm {
  readonly selector: number;
  readonly key: string;
}

export interface SpreadTerm extends PodTerm {
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly nodeAffinityPolicy: TopologySpreadConstraint['nodeAffinityPolicy'];
  readonly nodeTaintsPolicy: TopologySpreadConstraint['nodeTaintsPolicy'];
}

/** What one class demands of where other pods are; only rules that must hold. */
export interface ClassRules {
  readonly spread: readonly SpreadTerm[];
  readonly affinity: readonly PodTerm[];
  readonly antiAffinity: readonly PodTerm[];
  readonly matches: ReadonlySet<number>;
}

/** Reads the class's rules. A null selector matches nothing: such a term is kept only where it blocks. */
export function classRules(podClass: PodClass, selectors: SelectorTable): ClassRules {
  const { spec, namespace } = podClass;
  const spread = spec.topologySpread
    .filter((one) => one.whenUnsatisfiable === 'DoNotSchedule' && one.selector !== null)
    .map((one) => ({
      selector: selectors.internOwn(one.selector, namespace),
      key: normalizeLabel(one.topologyKey),
      maxSkew: one.maxSkew,
      minDomains: one.minDomains,
      nodeAffinityPolicy: one.nodeAffinityPolicy,
      nodeTaintsPolicy: one.nodeTaintsPolicy,
    }));
  return {
    spread,
    affinity: affinityTerms(podClass, selectors),
    antiAffinity: podTerms(spec.podAntiAffinity, namespace, selectors).filter(
      ({ selector }) => selector !== NO_SELECTOR,
    ),
    matches: new Set(podClass.matches),
  };
}

/** All terms look for the same pods: those that every one of them matches. */
function affinityTerms({ spec, namespace }: PodClass, selectors: SelectorTable): PodTerm[] {
  if (spec.podAffinity.length === 0) return [];
  const selector = selectors.internAll(spec.podAffinity, namespace);
  const keys = new Set(spec.podAffinity.map((term) => normalizeLabel(term.topologyKey)));
  return [...keys].map((key) => ({ selector, key }));
}

/** The terms of pods in that namespace. */
export function podTerms(
  terms: readonly PodAffinityTerm[],
  namespace: string,
  selectors: SelectorTable,
): readonly PodTerm[] {
  return terms.map((term) => ({
    selector: selectors.internTerm(term, namespace),
    key: normalizeLabel(term.topologyKey),
  }));
}

export function isHostname(key: string): boolean {
  return key === LABEL.hostname;
}

/** Interns the selectors by which running pods keep others off, in an order that is that of no list. */
export function internRunningSelectors(pods: readonly Pod[], selectors: SelectorTable): void {
  const distinct = new Map<string, { readonly term: PodAffinityTerm; readonly namespace: string }>();
  for (const { spec, namespace, nodeName } of pods) {
    if (nodeName === '') continue;
    for (const term of spec.podAntiAffinity)
      distinct.set(`${JSON.stringify(term)}|${namespace}`, { term, namespace });
  }
  for (const [, { term, namespace }] of [...distinct].sort(([left], [right]) => compareText(left, right)))
    selectors.internTerm(term, namespace);
}
