// Topology spread: counts of one constraint by domain, kept up to date while pods are bound one after the other.

import { selectorMatches } from '../../model/labelSelector.ts';
import type { TopologySpreadConstraint } from '../../model/pod.ts';
import { untoleratedTaint } from '../../model/taint.ts';
import type { Host } from './host.ts';
import { acceptsFace } from './hostRules.ts';
import { domainsOf, type Kind, type KindIndex, type Standing, statedDomain } from './interPod.ts';

/** The constraints of a kind that are not mere wishes. */
export function hardSpread(kind: Kind): readonly TopologySpreadConstraint[] {
  return kind.spec.topologySpread.filter(({ whenUnsatisfiable }) => whenUnsatisfiable === 'DoNotSchedule');
}

/** Equal for constraints that count the same pods on the same nodes against the same skew. */
export function spreadName(kind: Kind, constraint: TopologySpreadConstraint): string {
  const { nodeSelector, nodeAffinity, tolerations } = kind.spec;
  const keys = hardSpread(kind).map(({ topologyKey }) => topologyKey);
  return JSON.stringify([constraint, kind.namespace, keys, nodeSelector, nodeAffinity, tolerations]);
}

export class SpreadGroup {
  readonly constraint: TopologySpreadConstraint;
  readonly #kind: Kind;
  /** Domain of each host that counts; hosts that do not are absent. */
  readonly #domains = new Map<Host, string>();
  readonly #counts = new Map<string, number>();
  /** How many domains hold so many. */
  readonly #domainsWith = new Map<number, number>();
  #minimum = 0;

  /** @param kind any kind that carries the constraint; those of one `spreadName` are alike here */
  constructor(kind: Kind, constraint: TopologySpreadConstraint, hosts: readonly Host[]) {
    this.constraint = constraint;
    this.#kind = kind;
    const keys = hardSpread(kind).map(({ topologyKey }) => topologyKey);
    for (const host of hosts) {
      const domain = statedDomain(host, constraint.topologyKey);
      if (domain === undefined || !keys.every((key) => statedDomain(host, key) !== undefined)) continue;
      if (!this.#counted(host)) continue;
      this.#domains.set(host, domain);
      this.#counts.set(domain, 0);
    }
    this.reset();
  }

  /** A superset of the kinds that are counted. */
  candidates(index: KindIndex): readonly Kind[] {
    return index.candidates(this.constraint.selector);
  }

  /** Forgets all pods. */
  reset(): void {
    for (const domain of this.#counts.keys()) this.#counts.set(domain, 0);
    this.#domainsWith.clear();
    this.#domainsWith.set(0, this.#counts.size);
    this.#minimum = this.#counts.size === 0 ? Number.POSITIVE_INFINITY : 0;
  }

  counts(kind: Kind): boolean {
    return (
      !kind.terminating &&
      kind.namespace === this.#kind.namespace &&
      selectorMatches(this.constraint.selector, kind.labels)
    );
  }

  /** @param pods negative to take them back */
  add(host: Host, pods: number): void {
    const domain = this.#domains.get(host);
    if (domain === undefined || pods === 0) return;
    const before = this.#counts.get(domain) ?? 0;
    const after = before + pods;
    this.#counts.set(domain, after);
    this.#domainsWith.set(before, (this.#domainsWith.get(before) ?? 0) - 1);
    this.#domainsWith.set(after, (this.#domainsWith.get(after) ?? 0) + 1);
    if (after < this.#minimum) this.#minimum = after;
    else while ((this.#domainsWith.get(this.#minimum) ?? 0) === 0) this.#minimum += 1;
  }

  /** True when one more pod of the kind may be bound to the host now. Source: kube-scheduler, PodTopologySpread. */
  allows(kind: Kind, host: Host): boolean {
    const domain = this.#domains.get(host);
    if (domain === undefined) return false;
    const count = (this.#counts.get(domain) ?? 0) + (this.counts(kind) ? 1 : 0);
    return count - this.#globalMinimum() <= this.constraint.maxSkew;
  }

  /** True when the host's domain holds as few counted pods as any. */
  isLowest(host: Host): boolean {
    const domain = this.#domains.get(host);
    return domain !== undefined && this.#counts.get(domain) === this.#minimum;
  }

  /** How many counted pods the host's domain holds above the one with the fewest; 0 where nothing is counted. */
  height(host: Host): number {
    const domain = this.#domains.get(host);
    return domain === undefined ? 0 : (this.#counts.get(domain) ?? 0) - this.#minimum;
  }

  /** Equal for hosts that are alike to the constraint; undefined where it does not count. */
  placeOf(host: Host): string | undefined {
    return this.#domains.get(host);
  }

  /**
   * True when the skew holds wherever the hosts that may still be in several domains end up.
   * @param standings all pods that the constraint counts
   */
  holdsAnywhere(host: Host, standings: readonly Standing[]): boolean {
    const own = knownValues(host, this.constraint.topologyKey);
    if (own.length < 2) return true;
    const certain = new Map([...this.#counts.keys()].map((domain) => [domain, 0]));
    const possible = new Map<string, number>();
    for (const { host: other, bound, placed } of standings) {
      if (!this.#domains.has(other)) continue;
      const values = knownValues(other, this.constraint.topologyKey);
      const [only] = values;
      if (values.length === 1 && only !== undefined)
        certain.set(only, (certain.get(only) ?? 0) + bound + placed);
      for (const value of values) possible.set(value, (possible.get(value) ?? 0) + bound + placed);
    }
    const enough = certain.size >= this.constraint.minDomains;
    const held = standings.filter((one) => one.host === host).reduce((sum, one) => sum + one.placed, 0);
    return own.every((value) => {
      // Where it lands itself, its own pods are the minimum's too: only the others' shortage counts.
      const others = [...certain].filter(([domain]) => domain !== value).map(([, count]) => count);
      const minimum = enough ? Math.min(...others, possible.get(value) ?? 0) : 0;
      return held === 0 || (possible.get(value) ?? 0) - minimum <= this.constraint.maxSkew;
    });
  }

  #counted(host: Host): boolean {
    const { nodeAffinityPolicy, nodeTaintsPolicy } = this.constraint;
    const { spec } = this.#kind;
    if (nodeAffinityPolicy === 'Honor' && !acceptsFace(spec, host.stated)) return false;
    return nodeTaintsPolicy === 'Ignore' || untoleratedTaint(host.taints, spec.tolerations) === null;
  }

  #globalMinimum(): number {
    return this.#counts.size < this.constraint.minDomains ? 0 : this.#minimum;
  }
}

function knownValues(host: Host, key: string): string[] {
  return [...domainsOf(host, key)].filter((domain) => domain !== undefined);
}
