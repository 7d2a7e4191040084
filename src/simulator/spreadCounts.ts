// Pods of one topology spread constraint, counted by domain over the nodes that the constraint looks at.
import { selectorMatches } from '../model/labelSelector.ts';
import type { Node } from '../model/node.ts';
import type { Pod, TopologySpreadConstraint } from '../model/pod.ts';
import { untoleratedTaint } from '../model/taint.ts';
import { type CompiledSpec, matchesAffinity } from './nodeFit.ts';

/** Source: kube-scheduler, PodTopologySpread, which counts alike for hard and for soft constraints. */
export class SpreadCounts {
  readonly constraint: TopologySpreadConstraint;
  /** 1 when the pod counts for its own constraint. */
  readonly own: number;
  readonly #pod: Pod;
  readonly #compiled: CompiledSpec;
  readonly #keys: readonly string[];
  readonly #counts = new Map<string, number>();

  /** @param keys of all constraints that count alike: nodes without one of them are not looked at */
  constructor(
    constraint: TopologySpreadConstraint,
    keys: readonly string[],
    { pod, compiled }: { readonly pod: Pod; readonly compiled: CompiledSpec },
  ) {
    this.constraint = constraint;
    this.own = selectorMatches(constraint.selector, pod.labels) ? 1 : 0;
    this.#pod = pod;
    this.#compiled = compiled;
    this.#keys = keys;
  }

  /** Makes the node's domain known, whether or not it has pods that count. */
  addNode(node: Node): void {
    const domain = this.#domainOf(node);
    if (domain !== null && !this.#counts.has(domain)) this.#counts.set(domain, 0);
  }

  addPod(other: Pod, node: Node): void {
    const domain = this.#domainOf(node);
    if (domain !== null && this.counts(other)) this.#counts.set(domain, this.countIn(domain) + 1);
  }

  /** True for pods that the constraint counts. An empty selector counts none, as in the scheduler. */
  counts(other: Pod): boolean {
    const { selector } = this.constraint;
    if (selector?.expressions.length === 0) return false;
    if (other.deletionRequestedAtMs !== null || other.namespace !== this.#pod.namespace) return false;
    return selectorMatches(selector, other.labels);
  }

  countIn(domain: string): number {
    return this.#counts.get(domain) ?? 0;
  }

  /** Of the domain with the fewest pods; 0 while there are fewer domains than `minDomains`. */
  least(): number {
    if (this.#counts.size < this.constraint.minDomains) return 0;
    return Math.min(...this.#counts.values());
  }

  #domainOf(node: Node): string | null {
    if (!this.#keys.every((key) => node.labels[key] !== undefined)) return null;
    const { nodeAffinityPolicy, nodeTaintsPolicy, topologyKey } = this.constraint;
    if (nodeAffinityPolicy === 'Honor' && !matchesAffinity(this.#compiled, node)) return null;
    const { tolerations } = this.#pod.spec;
    if (nodeTaintsPolicy === 'Honor' && untoleratedTaint(node.taints, tolerations) !== null) return null;
    return node.labels[topologyKey] ?? null;
  }
}
