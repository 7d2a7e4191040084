// Pods counted by selector and domain: what topology rules over zones and other labels are judged by.

/** Counts for one topology key. */
export class DomainCounts {
  readonly #spread = new Map<number, Map<string, number>>();
  readonly #all = new Map<number, Map<string, number>>();
  readonly #keepsOff = new Map<number, Map<string, number>>();

  /** Counts pods that the selectors match. Leaving pods do not count for spread, but do for affinity. */
  addPods(
    matches: Iterable<number>,
    domain: string,
    { count, leaving }: { count: number; leaving: boolean },
  ): void {
    for (const selector of matches) {
      add(this.#all, selector, { domain, count });
      if (!leaving) add(this.#spread, selector, { domain, count });
    }
  }

  /** Counts pods that keep those of the selector off their domain. */
  addAntiAffinity(selector: number, domain: string, count: number): void {
    add(this.#keepsOff, selector, { domain, count });
  }

  spread(selector: number, domain: string): number {
    return this.#spread.get(selector)?.get(domain) ?? 0;
  }

  all(selector: number, domain: string): number {
    return this.#all.get(selector)?.get(domain) ?? 0;
  }

  keepsOff(selector: number, domain: string): number {
    return this.#keepsOff.get(selector)?.get(domain) ?? 0;
  }

  /** True when no pod of the selector is in any domain. */
  isNowhere(selector: number): boolean {
    for (const count of this.#all.get(selector)?.values() ?? []) if (count > 0) return false;
    return true;
  }
}

function add(
  counts: Map<number, Map<string, number>>,
  selector: number,
  { domain, count }: { readonly domain: string; readonly count: number },
): void {
  const byDomain = counts.get(selector) ?? new Map<string, number>();
  byDomain.set(domain, (byDomain.get(domain) ?? 0) + count);
  counts.set(selector, byDomain);
}
