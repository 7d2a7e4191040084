// Topology keys in play, their domains, and the pods that count in them before anything is placed.
import { LABEL } from '../model/labels.ts';
import { untoleratedTaint } from '../model/taint.ts';
import type { CapacityTable } from './capacityTable.ts';
import { compareText } from './compiledProvisioner.ts';
import { DomainCounts } from './domainCounts.ts';
import type { Placement } from './placements.ts';
import type { SelectorTable } from './selectors.ts';
import { surely, type Target } from './targets.ts';
import { type ClassRules, isHostname, podTerms, type SpreadTerm } from './topology.ts';

/** What topology rules look at: read-only, one for each planning pass. */
export class DomainWorld {
  readonly #targets: readonly Target[];
  readonly #selectors: SelectorTable;
  readonly #domains = new Map<string, readonly string[]>();
  readonly #keysOfSelector = new Map<number, Set<string>>();
  readonly #spreadSelectors = new Map<string, Set<number>>();
  readonly #reachable = new Map<string, boolean>();
  readonly #unseen = new Map<string, DomainCounts>();

  constructor(
    rules: readonly ClassRules[],
    {
      capacity,
      targets,
      selectors,
    }: { capacity: CapacityTable; targets: readonly Target[]; selectors: SelectorTable },
  ) {
    this.#targets = targets;
    this.#selectors = selectors;
    for (const { spread, affinity, antiAffinity } of rules) {
      for (const { key, selector } of [...spread, ...affinity, ...antiAffinity]) this.#addKey(key, selector);
      for (const { key, selector } of spread) {
        this.#spreadSelectors.set(key, (this.#spreadSelectors.get(key) ?? new Set<number>()).add(selector));
      }
    }
    for (const { pods } of targets) {
      for (const { spec, namespace } of pods) {
        if (spec.podAntiAffinity.length === 0) continue;
        for (const { key, selector } of podTerms(spec.podAntiAffinity, namespace, selectors)) {
          this.#addKey(key, selector);
        }
      }
    }
    for (const key of new Set([...this.#keysOfSelector.values()].flatMap((keys) => [...keys]))) {
      this.#domains.set(key, domainsOfKey(key, capacity, targets));
    }
  }

  #addKey(key: string, selector: number): void {
    if (isHostname(key)) return;
    this.#keysOfSelector.set(selector, (this.#keysOfSelector.get(selector) ?? new Set<string>()).add(key));
  }

  get keys(): readonly string[] {
    return [...this.#domains.keys()];
  }

  keysOf(selector: number): Iterable<string> {
    return this.#keysOfSelector.get(selector) ?? [];
  }

  domainsOf(key: string): readonly string[] {
    return this.#domains.get(key) ?? [];
  }

  /** Selectors that some spread over the key counts. */
  spreadSelectors(key: string): ReadonlySet<number> {
    return this.#spreadSelectors.get(key) ?? new Set();
  }

  /** True when a node of that domain exists, or may come of a claim in flight, that the term lets the pod look at. */
  hasNode(domain: string, term: SpreadTerm, placement: Placement): boolean {
    const name = `${term.key}|${domain}|${lookName(term, placement)}`;
    const held = this.#reachable.get(name);
    if (held !== undefined) return held;
    const found = this.#targets.some(
      (target) => target.labels.get(term.key)?.has(domain) === true && isSeen(target, term, placement),
    );
    this.#reachable.set(name, found);
    return found;
  }

  /** Running pods on nodes that the term does not let the pod look at: they are not counted for it. */
  unseen(term: SpreadTerm, placement: Placement): DomainCounts {
    const name = `${term.key}|${lookName(term, placement)}`;
    const held = this.#unseen.get(name);
    if (held !== undefined) return held;
    const hidden = this.#targets.filter(
      (target) => target.pods.length > 0 && !isSeen(target, term, placement),
    );
    const counts = this.#counted(term.key, hidden);
    this.#unseen.set(name, counts);
    return counts;
  }

  /** Running pods counted by domain, afresh for each assignment. */
  countsOf(key: string): DomainCounts {
    return this.#counted(key, this.#targets);
  }

  #counted(key: string, targets: readonly Target[]): DomainCounts {
    const counts = new DomainCounts();
    for (const { labels, pods } of targets) {
      const values = labels.get(key);
      if (values === undefined || values.size !== 1) continue;
      const [domain = ''] = values;
      for (const pod of pods) {
        const matches = this.#selectors.matchesOf(pod.namespace, pod.labels);
        counts.addPods(matches, domain, { count: 1, leaving: pod.deletionRequestedAtMs !== null });
        if (pod.spec.podAntiAffinity.length === 0) continue;
        for (const term of podTerms(pod.spec.podAntiAffinity, pod.namespace, this.#selectors)) {
          if (term.key === key) counts.addAntiAffinity(term.selector, domain, 1);
        }
      }
    }
    return counts;
  }
}

/**
 * By its policies a spread looks only at nodes that the pod's affinity, and perhaps its tolerations, let it on.
 * @param how `possibly` where it is enough that the labels of a claim in flight may turn out so
 */
export function isSeen(
  { labels, taints }: Pick<Target, 'labels' | 'taints'>,
  term: SpreadTerm,
  placement: Placement,
  how: typeof surely = surely,
): boolean {
  if (term.nodeTaintsPolicy === 'Honor' && untoleratedTaint(taints, placement.tolerations) !== null)
    return false;
  return (
    term.nodeAffinityPolicy === 'Ignore' ||
    placement.alternatives.some((conditions) => how(labels, conditions))
  );
}

function lookName({ nodeAffinityPolicy, nodeTaintsPolicy }: SpreadTerm, placement: Placement): string {
  return `${nodeAffinityPolicy}|${nodeTaintsPolicy}|${placement.id}`;
}

/** Values that nodes have, and that nodes to come may have. */
function domainsOfKey(key: string, capacity: CapacityTable, targets: readonly Target[]): readonly string[] {
  const domains = new Set<string>();
  for (const { labels } of targets) {
    const values = labels.get(key);
    if (values?.size === 1) for (const value of values) domains.add(value);
  }
  for (const { compiled } of capacity.provisioners) {
    for (const { zone, capacityType, type } of compiled.offers) {
      if (key === LABEL.zone) domains.add(zone);
      else if (key === LABEL.capacityType) domains.add(capacityType);
      else if (key === LABEL.instanceType) domains.add(compiled.types[type]?.name ?? '');
      else addValues(domains, compiled.typeRequirements[type]?.get(key));
    }
    if (compiled.offers.length > 0) addValues(domains, compiled.requirements.get(key));
  }
  return [...domains].sort(compareText);
}

function addValues(
  domains: Set<string>,
  set: { complement: boolean; values: ReadonlySet<string> } | undefined,
): void {
  if (set !== undefined && !set.complement) for (const value of set.values) domains.add(value);
}
