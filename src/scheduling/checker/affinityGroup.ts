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
  readonly #occupied: readonly Set<string>[];
  #anywhere = false;

  /** @param kind any kind that carries the terms; those of one `affinityName` are alike here */
  constructor(kind: Kind, matcher: TermMatcher) {
    this.#kind = kind;
    this.#matcher = matcher;
    this.#keys = kind.spec.podAffinity.map(({ topologyKey }) => topologyKey);
    this.#occupied = this.#keys.map(() => new Set<string>());
  }

  /** A superset of the kinds that draw. */
  candidates(index: KindIndex): readonly Kind[] {
    return index.candidates(this.#kind.spec.podAffinity[0]?.selector ?? null);
  }

  /** Forgets all pods. */
  reset(): void {
    for (const domains of this.#occupied) domains.clear();
    this.#anywhere = false;
  }

  /** A pod draws only when all terms mean it. Source: kube-scheduler, InterPodAffinity. */
  counts(kind: Kind): boolean {
    const { namespace, spec } = this.#kind;
    return spec.podAffinity.every((term) => this.#matcher.matches({ term, namespace }, kind));
  }

  add(host: Host): void {
    for (const [index, key] of this.#keys.entries()) {
      const domain = certainDomain(host, key);
      if (domain === undefined) continue;
      this.#occupied[index]?.add(domain);
      this.#anywhere = true;
    }
  }

  /** True when one pod of the kind may be bound to the host now; the first of a group that is drawn to itself may. */
  allows(kind: Kind, host: Host): boolean {
    const domains = this.#keys.map((key) => certainDomain(host, key));
    if (domains.some((domain) => domain === undefined)) return false;
    if (domains.every((domain, index) => domain !== undefined && this.#occupied[index]?.has(domain)))
      return true;
    return !this.#anywhere && this.counts(kind);
  }
}
