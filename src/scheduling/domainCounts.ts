// Pods counted by selector and domain: what topology rules over zones and other labels are judged by.

/** By selector, then by the domain's number. */
type Table = (number[] | undefined)[];

/** Counts for one topology key. */
export class DomainCounts {
  readonly #numbers = new Map<string, number>();
  readonly #spread: Table = [];
  readonly #all: Table = [];
  readonly #keepsOff: Table = [];

  /** Counts pods that the selectors match. Leaving pods do not count for spread, but do for affinity. */
  addPods(
    matches: readonly number[],
    domain: string,
    { count, leaving }: { readonly count: number; readonly leaving: boolean },
  ): void {
    const number = this.#numberOf(domain);
    for (const selector of matches) {
      add(this.#all, selector, number, count);
      if (!leaving) add(this.#spread, selector, number, count);
    }
  }

  /** Counts pods that keep those of the selector off their domain. */
  addAntiAffinity(selector: number, domain: string, count: number): void {
    add(this.#keepsOff, selector, this.#numberOf(domain), count);
  }

  spread(selector: number, domain: string): number {
    return this.#at(this.#spread, selector, domain);
  }

  all(selector: number, domain: string): number {
    return this.#at(this.#all, selector, domain);
  }

  keepsOff(selector: number, domain: string): number {
    return this.#keepsOff.length === 0 ? 0 : this.#at(this.#keepsOff, selector, domain);
  }

  /** True when no pod of the selector is in any domain. */
  isNowhere(selector: number): boolean {
    return !(this.#all[selector]?.some((count) => count > 0) ?? false);
  }

  #numberOf(domain: string): number {
    const held = this.#numbers.get(domain);
    if (held !== undefined) return held;
    const number = this.#numbers.size;
    this.#numbers.set(domain, number);
    return number;
  }

  #at(table: Table, selector: number, domain: string): number {
    const number = this.#numbers.get(domain);
    return number === undefined ? 0 : (table[selector]?.[number] ?? 0);
  }
}

function add(table: Table, selector: number, domain: number, count: number): void {
  let byDomain = table[selector];
  if (byDomain === undefined) {
    byDomain = [];
    table[selector] = byDomain;
  }
  while (byDomain.length <= domain) byDomain.push(0);
  byDomain[domain] = (byDomain[domain] as number) + count;
}
