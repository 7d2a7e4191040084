// What the kube-scheduler would rather do about other pods: soft spread, preferred affinity and anti-affinity.
import { LABEL } from '../model/labels.ts';
import type { Node } from '../model/node.ts';
import type { Pod, PodAffinityTerm, PodSpec } from '../model/pod.ts';
import type { CompiledSpec } from './nodeFit.ts';
import type { LedgerEntry } from './nodeLedger.ts';
import { termMatcher } from './podTerms.ts';
import type { TopologyWorld } from './podTopology.ts';
import { SpreadCounts } from './spreadCounts.ts';

const MOST = 100;

/** Weight of a running pod's required affinity for the pod that comes. Source: HardPodAffinityWeight's default. */
const REQUIRED_WEIGHT = 1;

/** True when other pods sway where a pod with this spec goes. */
export function hasSoftRules({
  preferredPodAffinity,
  preferredPodAntiAffinity,
  topologySpread,
}: PodSpec): boolean {
  const isSoft = topologySpread.some(({ whenUnsatisfiable }) => whenUnsatisfiable === 'ScheduleAnyway');
  return isSoft || preferredPodAffinity.length > 0 || preferredPodAntiAffinity.length > 0;
}

/** True when a pod with this spec, once it runs, sways where other pods go. */
export function swaysOthers(spec: PodSpec): boolean {
  const { podAffinity, preferredPodAffinity, preferredPodAntiAffinity } = spec;
  return podAffinity.length + preferredPodAffinity.length + preferredPodAntiAffinity.length > 0;
}

/** Counts for the pods of one class, built once and kept up as its pods are bound. */
export class SoftTopology {
  readonly #pod: Pod;
  readonly #world: TopologyWorld;
  readonly #spread: readonly SpreadCounts[];
  readonly #keys: readonly string[];
  /** Sum of weights by topology key and domain. */
  readonly #weights = new Map<string, Map<string, number>>();

  constructor(pod: Pod, compiled: CompiledSpec, world: TopologyWorld) {
    this.#pod = pod;
    this.#world = world;
    const soft = pod.spec.topologySpread.filter(
      ({ whenUnsatisfiable }) => whenUnsatisfiable === 'ScheduleAnyway',
    );
    this.#keys = soft.map(({ topologyKey }) => topologyKey);
    this.#spread = soft.map((constraint) => new SpreadCounts(constraint, this.#keys, { pod, compiled }));
    for (const { node, pods } of world.nodes) {
      if (node === null) continue;
      for (const other of pods.values()) this.noteBound(other, node);
    }
  }

  /** Notes a pod that runs on the node. */
  noteBound(other: Pod, node: Node): void {
    for (const spread of this.#spread) spread.addPod(other, node);
    const { preferredPodAffinity, preferredPodAntiAffinity } = this.#pod.spec;
    for (const { weight, term } of preferredPodAffinity)
      this.#weigh([term, this.#pod], [other, node], weight);
    for (const { weight, term } of preferredPodAntiAffinity) {
      this.#weigh([term, this.#pod], [other, node], -weight);
    }
    const theirs = other.spec;
    for (const term of theirs.podAffinity) this.#weigh([term, other], [this.#pod, node], REQUIRED_WEIGHT);
    for (const { weight, term } of theirs.preferredPodAffinity) {
      this.#weigh([term, other], [this.#pod, node], weight);
    }
    for (const { weight, term } of theirs.preferredPodAntiAffinity) {
      this.#weigh([term, other], [this.#pod, node], -weight);
    }
  }

  /** 0 to 100 for each node: how well it spreads the pods. Source: PodTopologySpread, scoring. */
  spreadScores(feasible: readonly LedgerEntry[]): readonly number[] {
    if (this.#spread.length === 0) return feasible.map(() => 0);
    const isScored = feasible.map(({ node }) => this.#keys.every((key) => node?.labels[key] !== undefined));
    const scored = feasible.filter((_, at) => isScored[at]);
    const weights = this.#spread.map(({ constraint }) => domainWeight(constraint.topologyKey, scored));
    const raw = feasible.map((entry) => this.#crowding(entry, weights));
    const ofScored = raw.filter((_, at) => isScored[at]);
    const most = Math.max(0, ...ofScored);
    const least = Math.min(...ofScored);
    return raw.map((score, at) => {
      if (isScored[at] !== true) return 0;
      return most === 0 ? MOST : Math.floor((MOST * (most + least - score)) / most);
    });
  }

  /** 0 to 100 for each node: how near to the pods it likes. Source: InterPodAffinity, scoring. */
  affinityScores(feasible: readonly LedgerEntry[]): readonly number[] {
    const raw = feasible.map(({ node }) => this.#weightAt(node));
    const least = Math.min(...raw);
    const range = Math.max(...raw) - least;
    return raw.map((weight) => (range > 0 ? Math.trunc(MOST * ((weight - least) / range)) : 0));
  }

  #weigh(
    [term, owner]: readonly [PodAffinityTerm, Pod],
    [other, node]: readonly [Pod, Node],
    weight: number,
  ): void {
    const domain = node.labels[term.topologyKey];
    if (domain === undefined || !termMatcher(term, owner, this.#world.namespaceLabels)(other)) return;
    const held = this.#weights.get(term.topologyKey) ?? new Map<string, number>();
    this.#weights.set(term.topologyKey, held.set(domain, (held.get(domain) ?? 0) + weight));
  }

  #weightAt(node: Node | null): number {
    let sum = 0;
    for (const [key, domains] of this.#weights) sum += domains.get(node?.labels[key] ?? '') ?? 0;
    return sum;
  }

  #crowding({ node, pods }: LedgerEntry, weights: readonly number[]): number {
    let sum = 0;
    for (const [at, spread] of this.#spread.entries()) {
      const { topologyKey, maxSkew } = spread.constraint;
      const domain = node?.labels[topologyKey];
      if (domain === undefined) continue;
      const isHost = topologyKey === LABEL.hostname;
      const count = isHost
        ? [...pods.values()].filter((pod) => spread.counts(pod)).length
        : spread.countIn(domain);
      sum += count * (weights[at] ?? 0) + maxSkew - 1;
    }
    return Math.round(sum);
  }
}

/** Pods of a topology with few domains count less, lest they drown those of a topology with many. */
function domainWeight(topologyKey: string, scored: readonly LedgerEntry[]): number {
  const domains = new Set(
    scored.map(({ name, node }) => (topologyKey === LABEL.hostname ? name : node?.labels[topologyKey])),
  );
  return Math.log(domains.size + 2);
}
