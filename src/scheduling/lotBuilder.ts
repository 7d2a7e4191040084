// Lots from classes: pods that have been assigned the same place and look alike become one lot.

import { type Assignment, type ClassInPlay, pinOf } from './assignment.ts';
import type { CapacityTable } from './capacityTable.ts';
import type { HostCounters, HostRules } from './hostCounters.ts';
import type { Lot } from './lots.ts';
import type { Placement, PlacementTable } from './placements.ts';
import { preferredPlacement } from './preferences.ts';
import type { Vector } from './resourceAxis.ts';
import { NO_SCOPE } from './scopes.ts';

/** Pods of one class with one placement, ready to become a lot. */
export interface Batch {
  readonly placement: Placement;
  /** The same narrowed by preferences that are worth following. */
  readonly preferred: Placement;
  /** Where the pods could go before domains were chosen for them. */
  readonly free: Placement;
  readonly requests: Vector;
  readonly rules: HostRules;
  readonly priority: number;
  /** Numbers of the pods. */
  readonly pods: number[];
  readonly bundle: number;
  /** Classes of the pods of one bundle, in order. */
  readonly classes: readonly number[];
  /** Which domains its classes are assigned to (`pinOf`), to send pods elsewhere when there is no room. */
  readonly pins: readonly string[];
}

export interface BatchTables {
  readonly counters: HostCounters;
  readonly placements: PlacementTable;
  readonly capacity: CapacityTable;
}

/** One batch for each assignment; pods of a class are handed out in order of their keys. */
export function batchesOf(
  assignments: readonly Assignment[],
  classes: readonly ClassInPlay[],
  { counters, placements, capacity }: BatchTables,
): Batch[] {
  const next = new Int32Array(classes.length);
  const rulesOf = new Map<ClassInPlay, HostRules>();
  return assignments.map(({ index, placement, count, domains }) => {
    const one = classes[index] as ClassInPlay;
    const { spec } = one.podClass;
    const first = one.firstPod + (next[index] as number);
    next[index] = (next[index] as number) + count;
    const rules = rulesOf.get(one) ?? counters.rulesOf(one.rules, spec.hostPorts);
    rulesOf.set(one, rules);
    return {
      placement,
      preferred: preferredPlacement(placement, { spec, requests: one.requests }, { placements, capacity }),
      free: one.placement,
      requests: one.requests,
      rules,
      priority: spec.priority,
      pods: Array.from({ length: count }, (_, at) => first + at),
      bundle: 1,
      classes: [index],
      pins: domains.length === 0 ? [] : [pinOf(index, domains)],
    };
  });
}

/** Merges batches that no rule can tell apart. */
export function lotsOf(batches: readonly Batch[], capacity: CapacityTable): Lot[] {
  const numbers = new Map<Vector, number>();
  const merged = new Map<string, Batch & { readonly pins: string[] }>();
  for (const batch of batches) {
    const { placement, preferred, free, requests, rules, priority, bundle } = batch;
    const shape = numbers.get(requests) ?? numbers.size;
    numbers.set(requests, shape);
    const where = `${placement.id}|${preferred.id}|${free.id}`;
    const key = `${shape}|${priority}|${bundle}|${rules.key}|${where}`;
    const held = merged.get(key);
    if (held === undefined) {
      merged.set(key, { ...batch, pods: [...batch.pods], pins: [...batch.pins] });
    } else {
      for (const pod of batch.pods) held.pods.push(pod);
      for (const one of batch.pins) held.pins.push(one);
    }
  }
  const chosen = new Map<Placement, Map<Vector, readonly number[]>>();
  const scopesFor = (placement: Placement, requests: Vector): readonly number[] => {
    const byRequests = chosen.get(placement) ?? new Map<Vector, readonly number[]>();
    chosen.set(placement, byRequests);
    const scopes = byRequests.get(requests) ?? chosenScopes(placement, requests, capacity);
    byRequests.set(requests, scopes);
    return scopes;
  };
  return [...merged.values()].map(
    ({ placement, preferred, free, requests, rules, priority, pods, bundle, pins }) => {
      const wideScopes = scopesFor(placement, requests);
      const scopes = preferred === placement ? wideScopes : scopesFor(preferred, requests);
      const { adds, caps } = rules;
      return { pods, bundle, requests, placement, free, scopes, wideScopes, adds, caps, priority, pins };
    },
  );
}

/** Of several alternatives on one Provisioner the one with the cheapest offer that holds a pod. */
export function chosenScopes(
  placement: Placement,
  requests: Vector,
  capacity: CapacityTable,
): readonly number[] {
  return placement.scopes.map((alternatives) => {
    let best = NO_SCOPE;
    let bestPrice = Number.POSITIVE_INFINITY;
    for (const scope of alternatives) {
      const price = capacity.cheapest(scope, requests)?.usdPerHour ?? Number.POSITIVE_INFINITY;
      if (price < bestPrice) {
        best = scope;
        bestPrice = price;
      }
    }
    return best;
  });
}
