// Required pod affinity: where the pods stand that one set of terms is drawn to.
import type { Host } from './host.ts';
import { certainDomain, type Kind, type KindIndex, type TermMatcher } from './interPod.ts';

/** Equal for kinds that are drawn to the same pods in the same domains. */
export function affinityName(kind: Kind): string {
  return JSON.stringify([kind.spec.podAffinity, kind.namespace]);
}

export class AffinityGroup {
  readonly #kind: Kind;
  readonly #matcher: TermMatcher;
  readonly #keys: readonly string[];
  /** By term: how many pods stand in each domain. */
  readonly #counts: readonly Map<string, number>[];
  #total = 0;

  /** @param kind any kind that carries the terms; those of one `affinityName` are alike here */
  constructor(kind: Kind, matcher: TermMatcher) {
    this.#kind = kind;
    this.#matcher = matcher;
    this.#keys = kind.spec.podAffinity.map(({ topologyKey }) => topologyKey);
    this.#counts = this.#keys.map(() => new Map<string, number>());
  }

  /** A superset of the kinds that draw. */
  candidates(index: KindIndex): readonly Kind[] {
    return index.candidates(this.#kind.spec.podAffinity[0]?.selector ?? null);
  }

  /** Forgets all pods. */
  reset(): void {
    for (const domains of this.#counts) domains.clear();
    this.#total = 0;
  }

  /** A pod draws only when all terms mean it. Source: kube-scheduler, InterPodAffinity. */
  counts(kind: Kind): boolean {
    const { namespace, spec } = this.#kind;
    return spec.podAffinity.every((term) => this.#matcher.matches({ term, namespace }, kind));
  }

  /** @param pods negative to take them back */
  add(host: Host, pods: number): void {
    for (const [index, key] of this.#keys.entries()) {
      const domain = certainDomain(host, key);
      if (domain === undefined) continue;
      const counts = this.#counts[index];
      counts?.set(domain, (counts.get(domain) ?? 0) + pods);
      this.#total += pods;
    }
  }

  /** True while no pod stands in any domain: the first of a group that is drawn to itself may go anywhere. */
  get isEmpty(): boolean {
    return this.#total === 0;
  }

  /** True when one pod of the kind may be bound to the host now; the first of a group that is drawn to itself may. */
  allows(kind: Kind, host: Host): boolean {
    const domains = this.#keys.map((key) => certainDomain(host, key));
    if (domains.some((domain) => domain === undefined)) return false;
    if (domains.every((domain, index) => domain !== undefined && this.#isOccupied(index, domain)))
      return true;
    return this.isEmpty && this.counts(kind);
  }

  /** Equal for hosts that are alike to the terms. */
  placeOf(host: Host): string {
    return JSON.stringify(this.#keys.map((key) => certainDomain(host, key) ?? null));
  }

  #isOccupied(index: number, domain: string): boolean {
    return (this.#counts[index]?.get(domain) ?? 0) > 0;
  }
}
