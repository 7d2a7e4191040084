// Rules of pod classes that look at other pods, read once: what each class demands by topology key.
import { LABEL, normalizeLabel } from '../model/labels.ts';
import type { Pod, PodAffinityTerm, PodSpec, TopologySpreadConstraint } from '../model/pod.ts';
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

/** Reads rules of classes; those of one spec share their terms, so that terms compare by identity. */
export class RuleReader {
  readonly #selectors: SelectorTable;
  readonly #bySpec = new Map<PodSpec, { readonly namespace: string; readonly terms: Terms }>();
  readonly #sets = new Map<readonly number[], ReadonlySet<number>>();

  constructor(selectors: SelectorTable) {
    this.#selectors = selectors;
  }

  of({ spec, namespace, matches }: Pick<PodClass, 'spec' | 'namespace' | 'matches'>): ClassRules {
    let held = this.#bySpec.get(spec);
    if (held === undefined || held.namespace !== namespace) {
      held = { namespace, terms: termsOf(spec, namespace, this.#selectors) };
      this.#bySpec.set(spec, held);
    }
    let set = this.#sets.get(matches);
    if (set === undefined) {
      set = new Set(matches);
      this.#sets.set(matches, set);
    }
    return { ...held.terms, matches: set };
  }
}

type Terms = Omit<ClassRules, 'matches'>;

const NO_TERMS: Terms = { spread: [], affinity: [], antiAffinity: [] };

/** A null selector matches nothing: such a term is kept only where it blocks. */
function termsOf(spec: PodSpec, namespace: string, selectors: SelectorTable): Terms {
  if (spec.topologySpread.length + spec.podAffinity.length + spec.podAntiAffinity.length === 0)
    return NO_TERMS;
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
    affinity: affinityTerms(spec, namespace, selectors),
    antiAffinity: podTerms(spec.podAntiAffinity, namespace, selectors).filter(
      ({ selector }) => selector !== NO_SELECTOR,
    ),
  };
}

/** All terms look for the same pods: those that every one of them matches. */
function affinityTerms(spec: PodSpec, namespace: string, selectors: SelectorTable): PodTerm[] {
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
