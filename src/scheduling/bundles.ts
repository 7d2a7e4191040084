// Pods that must share a node: affinity over host names ties them into bundles before packing.
import { LABEL } from '../model/labels.ts';
import { valueSet } from '../model/requirementSet.ts';
import type { ClassInPlay, DomainRefusal } from './assignment.ts';
import type { CapacityTable } from './capacityTable.ts';
import { type HostRules, hostRules } from './hostCounters.ts';
import type { Batch } from './lotBuilder.ts';
import type { PlacementTable } from './placements.ts';
import { addScaled, type VectorTable } from './resourceAxis.ts';
import type { SelectorTable } from './selectors.ts';
import type { Target } from './targets.ts';
import { isHostname } from './topology.ts';

interface Bundling {
  readonly classes: readonly ClassInPlay[];
  readonly targets: readonly Target[];
  readonly selectors: SelectorTable;
  readonly placements: PlacementTable;
  readonly capacity: CapacityTable;
  readonly vectors: VectorTable;
}

export interface Bundled {
  readonly batches: readonly Batch[];
  readonly refusals: readonly DomainRefusal[];
}

/**
 * Ties pods with required affinity over host names to the pods that they look for: to nodes where those run, else
 * to pods that wait as well. Source: Kubernetes, "Inter-pod affinity and anti-affinity".
 */
export function bundled(batches: readonly Batch[], bundling: Bundling): Bundled {
  const looking = new Map<number, Batch[]>();
  const rest: Batch[] = [];
  for (const batch of batches) {
    const selector = hostAffinity(batch, bundling.classes);
    if (selector === null) rest.push(batch);
    else looking.set(selector, [...(looking.get(selector) ?? []), batch]);
  }
  const done: Batch[] = [];
  const refusals: DomainRefusal[] = [];
  for (const [selector, group] of looking) {
    const nodes = nodesWith(selector, bundling);
    if (nodes.length > 0) done.push(...group.map((batch) => onNodes(batch, nodes, bundling)));
    else if (matchesAll(group, selector, bundling)) tieTogether(group, { done, refusals }, bundling);
    else tieToOthers(group, { selector, rest, done, refusals }, bundling);
  }
  return { batches: [...rest, ...done].filter(({ pods }) => pods.length > 0), refusals };
}

function hostAffinity({ classes: [index = -1] }: Batch, classes: readonly ClassInPlay[]): number | null {
  return classes[index]?.rules.affinity.find(({ key }) => isHostname(key))?.selector ?? null;
}

function nodesWith(selector: number, { targets, selectors }: Bundling): string[] {
  return targets
    .filter(({ pods }) =>
      pods.some((pod) => selectors.matchesOf(pod.namespace, pod.labels).includes(selector)),
    )
    .map(({ name }) => name);
}

function matchesAll(group: readonly Batch[], selector: number, { classes }: Bundling): boolean {
  return group.every(({ classes: [index = -1] }) => classes[index]?.rules.matches.has(selector) ?? false);
}

function onNodes(batch: Batch, nodes: readonly string[], { placements }: Bundling): Batch {
  const where = new Map([[LABEL.hostname, valueSet('In', nodes)]]);
  const placement = placements.narrow(batch.placement, where);
  return { ...batch, placement, preferred: placement };
}

interface Outcome {
  readonly done: Batch[];
  readonly refusals: DomainRefusal[];
}

/** All pods of the group on one node: as many as the largest node holds. */
function tieTogether(group: readonly Batch[], { done, refusals }: Outcome, bundling: Bundling): void {
  let bundle: Batch | null = null;
  for (const batch of group) {
    for (const [at, pod] of batch.pods.entries()) {
      const larger: Batch = bundle === null ? one(batch, pod) : joined(bundle, one(batch, pod), bundling);
      if (bundle !== null && !isPossible(larger, bundling)) {
        refuse(batch, batch.pods.length - at, refusals);
        break;
      }
      bundle = larger;
    }
  }
  if (bundle !== null) done.push(bundle);
}

/** Each pod that is looked for takes its share of those that look for it. */
function tieToOthers(
  group: readonly Batch[],
  { selector, rest, done, refusals }: Outcome & { readonly selector: number; readonly rest: Batch[] },
  bundling: Bundling,
): void {
  const hosts: Batch[] = [];
  for (const batch of rest) {
    if (!matchesAll([batch], selector, bundling)) continue;
    for (const pod of batch.pods.splice(0)) hosts.push(one(batch, pod));
  }
  const wanting = group.flatMap((batch) => batch.pods.map((pod) => one(batch, pod)));
  if (hosts.length === 0) {
    for (const batch of group) refuse(batch, batch.pods.length, refusals);
    return;
  }
  for (const [at, guest] of wanting.entries()) {
    const found = hosts.findIndex((_, offset) => {
      const host = hosts[(at + offset) % hosts.length];
      return host !== undefined && isPossible(joined(host, guest, bundling), bundling);
    });
    if (found < 0) {
      refuse(guest, 1, refusals);
      continue;
    }
    const chosen = (at + found) % hosts.length;
    hosts[chosen] = joined(hosts[chosen] as Batch, guest, bundling);
  }
  done.push(...hosts);
}

function one(batch: Batch, pod: number): Batch {
  return { ...batch, pods: [pod] };
}

function joined(left: Batch, right: Batch, { placements, vectors }: Bundling): Batch {
  const sum = Float64Array.from(left.requests);
  addScaled(sum, right.requests, 1);
  return {
    placement: placements.both(left.placement, right.placement),
    preferred: placements.both(left.preferred, right.preferred),
    free: placements.both(left.free, right.free),
    requests: vectors.intern(sum),
    rules: joinedRules(left.rules, right.rules),
    priority: Math.max(left.priority, right.priority),
    pods: [...left.pods, ...right.pods],
    bundle: left.bundle + right.bundle,
    classes: [...left.classes, ...right.classes],
    pins: [...left.pins, ...right.pins],
  };
}

function joinedRules(left: HostRules, right: HostRules): HostRules {
  const adds = new Map<number, number>();
  for (const { counter, count } of [...left.adds, ...right.adds])
    adds.set(counter, (adds.get(counter) ?? 0) + count);
  return hostRules(
    [...adds].map(([counter, count]) => ({ counter, count })),
    [...left.caps, ...right.caps],
  );
}

/** True when some node, new or there already, could hold the bundle, and its own caps do not forbid it. */
function isPossible(
  { placement, requests, rules }: Batch,
  { capacity, targets, placements }: Bundling,
): boolean {
  for (const { counter, cap } of rules.caps) {
    if (rules.adds.some((add) => add.counter === counter && add.count > cap)) return false;
  }
  if (placement.scopes.flat().some((scope) => capacity.cheapest(scope, requests) !== null)) return true;
  return targets.some((target) => {
    if (!target.open || !placements.allows(placement, target)) return false;
    return capacity.axis.names.every(
      (name, place) => (requests[place] ?? 0) <= (target.available[name] ?? 0),
    );
  });
}

function refuse({ classes: [index = -1] }: Batch, count: number, refusals: DomainRefusal[]): void {
  const reason =
    'required pod affinity over host names: no one node holds it with the pods that it looks for';
  refusals.push({ index, count, code: 'PodAffinity', reason });
}
