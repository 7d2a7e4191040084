// What goes in and out when pods are assigned to domains, and how domains are named.
import type { RefusalCode } from '../model/plan.ts';
import { type RequirementSet, valueSet } from '../model/requirementSet.ts';
import type { CapacityTable } from './capacityTable.ts';
import type { DomainCounts } from './domainCounts.ts';
import type { Placement } from './placements.ts';
import type { PodClass } from './podClasses.ts';
import type { Vector } from './resourceAxis.ts';
import type { ClassRules } from './topology.ts';

/** One class as the assignment sees it. */
export interface ClassInPlay {
  readonly index: number;
  readonly podClass: PodClass;
  /** The number of its first pod: pods are numbered class by class. */
  readonly firstPod: number;
  readonly rules: ClassRules;
  readonly placement: Placement;
  /** The same but for its volumes, which a spread does not look at. */
  readonly bySelector: Placement;
  /** The same whatever the taints, which a spread may ignore. */
  readonly anyTaint: Placement;
  readonly requests: Vector;
}

/** So many pods of a class, in these domains. */
export interface Assignment {
  readonly index: number;
  readonly placement: Placement;
  readonly count: number;
  /** The domains, as `key|domain`; [] for pods that are free. */
  readonly domains: readonly string[];
}

export interface DomainRefusal {
  readonly index: number;
  readonly count: number;
  /** null where the pod could not be placed by itself either: the packer says why. */
  readonly code: RefusalCode | null;
  readonly reason: string;
}

export interface Assigned {
  readonly assignments: readonly Assignment[];
  readonly refusals: readonly DomainRefusal[];
}

/** A domain that a class may go to, with the placement narrowed to it. */
export interface Option {
  readonly domain: string;
  readonly placement: Placement;
  readonly usdPerHour: number;
  /** True when a node that is there already may take the pod. */
  readonly hasTarget: boolean;
}

export interface Noted {
  readonly entry: Waiting;
  readonly placement: Placement;
  /** By key of the entry; '' where the node has no such label. */
  readonly domains: readonly string[];
  count: number;
}

/** What a spread is judged by, the same for all pods of a spec. */
export interface Judged {
  /** Domains whose lowest count matters. */
  readonly eligible: readonly string[];
  /** Running pods that the spread does not look at. */
  readonly unseen: DomainCounts;
}

/** A class while its pods are being assigned, with what does not change meanwhile. */
export interface Waiting {
  readonly one: ClassInPlay;
  readonly keys: readonly string[];
  left: number;
  /** By key: selectors that match the pods and that some spread over the key counts. */
  readonly balanced: readonly (readonly number[])[];
  /** Where its pods are to go. */
  readonly noted: Noted[];
}

export function domainNames(keys: readonly string[], domains: readonly string[]): string[] {
  return domains.map((domain, at) => `${keys[at] ?? ''}|${domain}`);
}

/** Names the domains that a pod of the class is assigned to. */
export function pinOf(index: number, domains: readonly string[]): string {
  return `${index}|${domains.join('&')}`;
}

/** The condition that a label has this one value. */
export function pin(key: string, domain: string): RequirementSet {
  return new Map([[key, valueSet('In', [domain])]]);
}

/** The condition that a node has no such label: one that may yet turn out to be in a domain will not do. */
export function pinToNone(key: string): RequirementSet {
  return new Map([[key, valueSet('DoesNotExist', [])]]);
}

export function cheapestPrice(
  placement: Placement,
  requests: Vector,
  capacity: CapacityTable,
): number | null {
  let least: number | null = null;
  for (const scopes of placement.scopes) {
    for (const scope of scopes) {
      const price = capacity.cheapest(scope, requests)?.usdPerHour;
      if (price !== undefined && (least === null || price < least)) least = price;
    }
  }
  return least;
}
