// Where a pod may go by its own labels, taints and volumes: a scope on each Provisioner, and fitting targets.
import type { HostPort, NodeSelectorTerm, PodSpec } from '../model/pod.ts';
import { intersectRequirements, type RequirementSet } from '../model/requirementSet.ts';
import { formatTaint, type Toleration, untoleratedTaint } from '../model/taint.ts';
import { type Bits, isNoBits, unionBits, withoutBits } from './bits.ts';
import type { CapacityTable } from './capacityTable.ts';
import { labelConflict, offersAllowing, openConditions } from './compiledProvisioner.ts';
import { portsClash } from './hostPorts.ts';
import { labelsKey, NO_SCOPE, type ScopeTable } from './scopes.ts';
import { surely, type Target } from './targets.ts';
import { requirementAlternatives } from './terms.ts';

/** Why a Provisioner cannot take the pod at all. */
export interface PlacementProblem {
  readonly code: 'LabelMismatch' | 'LabelUndefined' | 'TaintNotTolerated' | 'NoCapacity' | 'HostPort';
  /** The label key, or the taint as kubectl writes it; '' for none. */
  readonly subject: string;
}

export interface Placement {
  /** Equal for equal conditions within one pass. */
  readonly id: number;
  readonly alternatives: readonly RequirementSet[];
  readonly tolerations: readonly Toleration[];
  readonly hostPorts: readonly HostPort[];
  /** By Provisioner: all scopes, of which one must be chosen; empty when there is none. */
  readonly scopes: readonly (readonly number[])[];
  /** By Provisioner: why there is no scope; null when there is one. */
  readonly problems: readonly (PlacementProblem | null)[];
  /** Placements that must all hold, for pods that share a node; empty for a plain one. */
  readonly parts: readonly Placement[];
}

const NO_ALTERNATIVE: PlacementProblem = { code: 'LabelMismatch', subject: '' };

/** All placements of one planning pass, one for each distinct set of conditions. */
export class PlacementTable {
  readonly #capacity: CapacityTable;
  readonly #scopes: ScopeTable;
  readonly #byKey = new Map<string, Placement>();
  readonly #bySpec = new Map<PodSpec, Placement>();
  readonly #narrowed = new Map<Placement, Map<RequirementSet, Placement>>();
  readonly #onTargets = new Map<Placement, Map<Target, boolean>>();

  constructor(capacity: CapacityTable, scopes: ScopeTable) {
    this.#capacity = capacity;
    this.#scopes = scopes;
  }

  /** Where pods of this spec with such volumes may go. */
  of(spec: PodSpec, volumeTerms: readonly (readonly NodeSelectorTerm[])[]): Placement {
    if (volumeTerms.length === 0) {
      const known = this.#bySpec.get(spec);
      if (known !== undefined) return known;
    }
    const { nodeSelector, nodeAffinity, tolerations, hostPorts } = spec;
    const key = JSON.stringify([nodeSelector, nodeAffinity, tolerations, hostPorts, volumeTerms]);
    const placement =
      this.#byKey.get(key) ??
      this.#add(key, requirementAlternatives({ nodeSelector, nodeAffinity }, volumeTerms), {
        tolerations,
        hostPorts,
      });
    if (volumeTerms.length === 0) this.#bySpec.set(spec, placement);
    return placement;
  }

  /** The same with further conditions. */
  narrow(placement: Placement, conditions: RequirementSet): Placement {
    const byConditions = this.#narrowed.get(placement) ?? new Map<RequirementSet, Placement>();
    this.#narrowed.set(placement, byConditions);
    const known = byConditions.get(conditions);
    if (known !== undefined) return known;
    const key = `${placement.id}&${labelsKey(conditions)}`;
    const alternatives = () => placement.alternatives.map((one) => intersectRequirements(one, conditions));
    const narrowed = this.#byKey.get(key) ?? this.#add(key, alternatives(), placement);
    byConditions.set(conditions, narrowed);
    return narrowed;
  }

  /** Where pods of both may go together. */
  both(one: Placement, other: Placement): Placement {
    if (one === other) return one;
    const key = `${one.id}&&${other.id}`;
    const held = this.#byKey.get(key);
    if (held !== undefined) return held;
    const scopes = one.scopes.map((own, index) =>
      own.flatMap((left) => (other.scopes[index] ?? []).map((right) => this.#scopes.intersect(left, right))),
    );
    const possible = scopes.map((all) => [...new Set(all.filter((scope) => scope !== NO_SCOPE))]);
    const problems = possible.map((all, index) =>
      all.length > 0 ? null : (one.problems[index] ?? other.problems[index] ?? NO_ALTERNATIVE),
    );
    const parts = [one, other];
    const { alternatives, tolerations, hostPorts } = one;
    const combined = {
      id: this.#byKey.size,
      alternatives,
      tolerations,
      hostPorts,
      scopes: possible,
      problems,
      parts,
    };
    this.#byKey.set(key, combined);
    return combined;
  }

  #add(
    key: string,
    alternatives: readonly RequirementSet[],
    { tolerations, hostPorts }: Pick<PodSpec, 'tolerations' | 'hostPorts'>,
  ): Placement {
    const scopes: (readonly number[])[] = [];
    const problems: (PlacementProblem | null)[] = [];
    for (const [index, { compiled }] of this.#capacity.provisioners.entries()) {
      const taint = untoleratedTaint(compiled.provisioner.taints, tolerations);
      if (taint !== null) {
        scopes.push([]);
        problems.push({ code: 'TaintNotTolerated', subject: formatTaint(taint) });
        continue;
      }
      const { found, problem } = this.#scopesOn(index, alternatives, hostPorts);
      scopes.push(found);
      problems.push(problem);
    }
    const placement = {
      id: this.#byKey.size,
      alternatives,
      tolerations,
      hostPorts,
      scopes,
      problems,
      parts: [],
    };
    this.#byKey.set(key, placement);
    return placement;
  }

  #scopesOn(
    index: number,
    alternatives: readonly RequirementSet[],
    hostPorts: readonly HostPort[],
  ): { readonly found: readonly number[]; readonly problem: PlacementProblem | null } {
    const { compiled } = this.#capacity.provisioner(index);
    const clashing = this.#clashingOffers(index, hostPorts);
    const byLabels = new Map<string, { offers: Bits; labels: RequirementSet }>();
    let problem: PlacementProblem = NO_ALTERNATIVE;
    for (const conditions of alternatives) {
      const conflict = labelConflict(compiled, conditions);
      if (conflict !== null) {
        problem = { code: conflict.code, subject: conflict.key };
        continue;
      }
      const labels = openConditions(compiled, conditions);
      const allowed = offersAllowing(compiled, conditions);
      const offers = clashing === null ? allowed : withoutBits(allowed, clashing);
      const held = byLabels.get(labelsKey(labels));
      if (held === undefined) byLabels.set(labelsKey(labels), { offers, labels });
      else held.offers = unionBits(held.offers, offers);
      problem = { code: isNoBits(offers) && !isNoBits(allowed) ? 'HostPort' : 'NoCapacity', subject: '' };
    }
    const found = [...byLabels.values()]
      .map(({ offers, labels }) => this.#scopes.intern(index, offers, labels))
      .filter((scope) => scope !== NO_SCOPE);
    return { found, problem: found.length > 0 ? null : problem };
  }

  /** Offers on whose nodes a daemon holds one of the ports. */
  #clashingOffers(index: number, hostPorts: readonly HostPort[]): Bits | null {
    const { daemons } = this.#capacity.provisioner(index);
    const clashing = daemons.holdingPorts.filter(({ spec }) => portsClash(spec.hostPorts, hostPorts));
    return clashing.reduce<Bits | null>(
      (union, { offers }) => (union === null ? offers : unionBits(union, offers)),
      null,
    );
  }

  /** True when the target's labels and taints let the pod on. */
  allows(placement: Placement, target: Target): boolean {
    const held = this.#onTargets.get(placement) ?? new Map<Target, boolean>();
    this.#onTargets.set(placement, held);
    const known = held.get(target);
    if (known !== undefined) return known;
    const allowed =
      placement.parts.every((part) => this.allows(part, target)) &&
      untoleratedTaint(target.taints, placement.tolerations) === null &&
      placement.alternatives.some((conditions) => surely(target.labels, conditions));
    held.set(target, allowed);
    return allowed;
  }
}
