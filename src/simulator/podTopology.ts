// The kube-scheduler's filters that look at other pods: spread, pod affinity and anti-affinity, both ways.
import { selectorMatches } from '../model/labelSelector.ts';
import type { Node } from '../model/node.ts';
import type { Pod, PodAffinityTerm, TopologySpreadConstraint } from '../model/pod.ts';
import { untoleratedTaint } from '../model/taint.ts';
import { type CompiledSpec, matchesAffinity } from './nodeFit.ts';
import type { LedgerEntry } from './nodeLedger.ts';

/** The pods and nodes that topology rules count over. */
export interface TopologyWorld {
  readonly nodes: readonly LedgerEntry[];
  readonly namespaceLabels: (namespace: string) => Readonly<Record<string, string>>;
}

interface DomainCounts {
  readonly topologyKey: string;
  readonly matches: (pod: Pod) => boolean;
  readonly counts: Map<string, number>;
}

interface SpreadCounts extends DomainCounts {
  readonly constraint: TopologySpreadConstraint;
  readonly eligible: ReadonlySet<string>;
}

/** True when a pod with this spec can only be placed by looking at other pods. */
export function hasPodRules(pod: Pod): boolean {
  const { podAffinity, podAntiAffinity, topologySpread } = pod.spec;
  return podAffinity.length > 0 || podAntiAffinity.length > 0 || topologySpread.some(isHard);
}

/** Counts for the pods of one class, built once and kept up as its pods are bound. */
export class PodTopology {
  readonly #pod: Pod;
  readonly #spread: readonly SpreadCounts[];
  readonly #together: readonly DomainCounts[];
  readonly #apart: readonly DomainCounts[];
  /** Domains that pods already running keep this pod out of, by topology key. */
  readonly #keptOut = new Map<string, Set<string>>();

  constructor(pod: Pod, compiled: CompiledSpec, world: TopologyWorld) {
    this.#pod = pod;
    const matcher = (term: PodAffinityTerm): ((other: Pod) => boolean) => termMatcher(term, pod, world);
    this.#spread = pod.spec.topologySpread.filter(isHard).map((constraint) => ({
      constraint,
      topologyKey: constraint.topologyKey,
      matches: (other) =>
        other.namespace === pod.namespace && selectorMatches(constraint.selector, other.labels),
      counts: new Map(),
      eligible: eligibleDomains(constraint, compiled, world.nodes),
    }));
    this.#together = pod.spec.podAffinity.map((term) => domainCounts(term, matcher(term)));
    this.#apart = pod.spec.podAntiAffinity.map((term) => domainCounts(term, matcher(term)));
    for (const { node, pods } of world.nodes) {
      if (node === null) continue;
      for (const other of pods.values()) {
        if (other.deletionRequestedAtMs !== null && this.#spread.length === 0) continue;
        this.#count(other, node);
        this.#keepOut(other, node, world);
      }
    }
  }

  /** Notes a pod that was just bound to the node. */
  noteBound(other: Pod, node: Node): void {
    this.#count(other, node);
    for (const term of other.spec.podAntiAffinity) {
      if (termMatches(term, other, this.#pod)) this.#addKeptOut(term.topologyKey, node);
    }
  }

  /** True when all rules allow the node. */
  admits(node: Node): boolean {
    for (const [key, domains] of this.#keptOut) {
      const domain = node.labels[key];
      if (domain !== undefined && domains.has(domain)) return false;
    }
    return (
      this.#apart.every(
        ({ topologyKey, counts }) => (counts.get(node.labels[topologyKey] ?? '') ?? 0) === 0,
      ) &&
      this.#together.every((wanted) => this.#isTogether(wanted, node)) &&
      this.#spread.every((spread) => this.#keepsSkew(spread, node))
    );
  }

  /** The first pod of a group that wants to be together may go anywhere that has the label. */
  #isTogether({ topologyKey, counts, matches }: DomainCounts, node: Node): boolean {
    const domain = node.labels[topologyKey];
    if (domain === undefined) return false;
    if ((counts.get(domain) ?? 0) > 0) return true;
    return counts.size === 0 && matches(this.#pod);
  }

  #keepsSkew({ constraint, counts, matches, eligible }: SpreadCounts, node: Node): boolean {
    const domain = node.labels[constraint.topologyKey];
    if (domain === undefined) return false;
    let least = eligible.size < constraint.minDomains ? 0 : Number.POSITIVE_INFINITY;
    for (const one of eligible) least = Math.min(least, counts.get(one) ?? 0);
    if (least === Number.POSITIVE_INFINITY) least = 0;
    const own = matches(this.#pod) ? 1 : 0;
    return (counts.get(domain) ?? 0) + own - least <= constraint.maxSkew;
  }

  #count(other: Pod, node: Node): void {
    if (other.deletionRequestedAtMs !== null) return;
    for (const { topologyKey, counts, matches } of [...this.#spread, ...this.#together, ...this.#apart]) {
      const domain = node.labels[topologyKey];
      if (domain !== undefined && matches(other)) counts.set(domain, (counts.get(domain) ?? 0) + 1);
    }
  }

  #keepOut(other: Pod, node: Node, world: TopologyWorld): void {
    for (const term of other.spec.podAntiAffinity) {
      if (termMatcher(term, other, world)(this.#pod)) this.#addKeptOut(term.topologyKey, node);
    }
  }

  #addKeptOut(topologyKey: string, node: Node): void {
    const domain = node.labels[topologyKey];
    if (domain === undefined) return;
    const domains = this.#keptOut.get(topologyKey) ?? new Set();
    this.#keptOut.set(topologyKey, domains.add(domain));
  }
}

function isHard(constraint: TopologySpreadConstraint): boolean {
  return constraint.whenUnsatisfiable === 'DoNotSchedule';
}

function domainCounts(term: PodAffinityTerm, matches: (pod: Pod) => boolean): DomainCounts {
  return { topologyKey: term.topologyKey, matches, counts: new Map() };
}

function termMatches(term: PodAffinityTerm, owner: Pod, other: Pod): boolean {
  const namespaces = term.namespaces.length > 0 ? term.namespaces : [owner.namespace];
  return namespaces.includes(other.namespace) && selectorMatches(term.selector, other.labels);
}

function termMatcher(term: PodAffinityTerm, owner: Pod, world: TopologyWorld): (other: Pod) => boolean {
  if (term.namespaceSelector === null) return (other) => termMatches(term, owner, other);
  return (other) =>
    (term.namespaces.includes(other.namespace) ||
      selectorMatches(term.namespaceSelector, world.namespaceLabels(other.namespace))) &&
    selectorMatches(term.selector, other.labels);
}

function eligibleDomains(
  constraint: TopologySpreadConstraint,
  compiled: CompiledSpec,
  nodes: readonly LedgerEntry[],
): ReadonlySet<string> {
  const domains = new Set<string>();
  for (const { node } of nodes) {
    const domain = node?.labels[constraint.topologyKey];
    if (node === null || domain === undefined) continue;
    if (constraint.nodeAffinityPolicy === 'Honor' && !matchesAffinity(compiled, node)) continue;
    const isTainted = untoleratedTaint(node.taints, compiled.spec.tolerations) !== null;
    if (constraint.nodeTaintsPolicy === 'Honor' && isTainted) continue;
    domains.add(domain);
  }
  return domains;
}
