// The kube-scheduler's filters that look at other pods: spread, pod affinity and anti-affinity, both ways.
import type { Node } from '../model/node.ts';
import type { Pod, TopologySpreadConstraint } from '../model/pod.ts';
import type { CompiledSpec } from './nodeFit.ts';
import type { LedgerEntry } from './nodeLedger.ts';
import { type NamespaceLabels, type PodMatcher, termMatcher } from './podTerms.ts';
import { SpreadCounts } from './spreadCounts.ts';

/** The pods and nodes that topology rules count over. */
export interface TopologyWorld {
  readonly nodes: readonly LedgerEntry[];
  readonly namespaceLabels: NamespaceLabels;
}

interface Term {
  readonly topologyKey: string;
  readonly matches: PodMatcher;
}

/** Domains by topology key. */
class Domains {
  readonly #byKey = new Map<string, Set<string>>();

  get isEmpty(): boolean {
    return this.#byKey.size === 0;
  }

  add(key: string, node: Node): void {
    const domain = node.labels[key];
    if (domain === undefined) return;
    const held = this.#byKey.get(key) ?? new Set();
    this.#byKey.set(key, held.add(domain));
  }

  hold(key: string, node: Node): boolean {
    const domain = node.labels[key];
    return domain !== undefined && this.#byKey.get(key)?.has(domain) === true;
  }

  holdAny(node: Node): boolean {
    for (const key of this.#byKey.keys()) if (this.hold(key, node)) return true;
    return false;
  }
}

/** True when a pod with this spec can only be placed by looking at other pods. */
export function hasPodRules(pod: Pod): boolean {
  const { podAffinity, podAntiAffinity, topologySpread } = pod.spec;
  return podAffinity.length > 0 || podAntiAffinity.length > 0 || topologySpread.some(isHard);
}

/** Counts for the pods of one class, built once and kept up as its pods are bound. */
export class PodTopology {
  readonly #pod: Pod;
  readonly #namespaceLabels: NamespaceLabels;
  readonly #spread: readonly SpreadCounts[];
  readonly #together: readonly Term[];
  readonly #apart: readonly Term[];
  /** Where pods run that match all terms of the pod's affinity. */
  readonly #drawnTo = new Domains();
  /** Where pods run that the pod wants to be apart from, a set for each of its terms. */
  readonly #shunned: readonly Domains[];
  /** Where pods run that want to be apart from this one. */
  readonly #keptOut = new Domains();

  constructor(pod: Pod, compiled: CompiledSpec, world: TopologyWorld) {
    this.#pod = pod;
    this.#namespaceLabels = world.namespaceLabels;
    const { podAffinity, podAntiAffinity, topologySpread } = pod.spec;
    const hard = topologySpread.filter(isHard);
    const keys = hard.map(({ topologyKey }) => topologyKey);
    this.#spread = hard.map((constraint) => new SpreadCounts(constraint, keys, { pod, compiled }));
    this.#together = podAffinity.map((term) => ({
      topologyKey: term.topologyKey,
      matches: termMatcher(term, pod, world.namespaceLabels),
    }));
    this.#apart = podAntiAffinity.map((term) => ({
      topologyKey: term.topologyKey,
      matches: termMatcher(term, pod, world.namespaceLabels),
    }));
    this.#shunned = this.#apart.map(() => new Domains());
    for (const { node, pods } of world.nodes) {
      if (node === null) continue;
      for (const spread of this.#spread) spread.addNode(node);
      for (const other of pods.values()) this.noteBound(other, node);
    }
  }

  /** Notes a pod that runs on the node. */
  noteBound(other: Pod, node: Node): void {
    for (const spread of this.#spread) spread.addPod(other, node);
    if (this.#together.length > 0 && this.#together.every(({ matches }) => matches(other))) {
      for (const { topologyKey } of this.#together) this.#drawnTo.add(topologyKey, node);
    }
    for (const [at, { topologyKey, matches }] of this.#apart.entries()) {
      if (matches(other)) this.#shunned[at]?.add(topologyKey, node);
    }
    for (const term of other.spec.podAntiAffinity) {
      if (termMatcher(term, other, this.#namespaceLabels)(this.#pod))
        this.#keptOut.add(term.topologyKey, node);
    }
  }

  /** True when all rules allow the node. */
  admits(node: Node): boolean {
    return (
      !this.#keptOut.holdAny(node) &&
      this.#shunned.every((domains) => !domains.holdAny(node)) &&
      this.#isTogether(node) &&
      this.#spread.every((spread) => keepsSkew(spread, node))
    );
  }

  /** The first pod of a group that wants to be together may go anywhere that has the labels. */
  #isTogether(node: Node): boolean {
    if (!this.#together.every(({ topologyKey }) => node.labels[topologyKey] !== undefined)) return false;
    if (this.#together.every(({ topologyKey }) => this.#drawnTo.hold(topologyKey, node))) return true;
    return this.#drawnTo.isEmpty && this.#together.every(({ matches }) => matches(this.#pod));
  }
}

function keepsSkew(spread: SpreadCounts, node: Node): boolean {
  const { topologyKey, maxSkew } = spread.constraint;
  const domain = node.labels[topologyKey];
  return domain !== undefined && spread.countIn(domain) + spread.own - spread.least() <= maxSkew;
}

function isHard(constraint: TopologySpreadConstraint): boolean {
  return constraint.whenUnsatisfiable === 'DoNotSchedule';
}
