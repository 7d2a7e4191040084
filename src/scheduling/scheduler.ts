// Which pods go where, and what to launch for the rest: the one entry to the packer.
import type { Nomination, Refusal, SchedulingPlan } from '../model/plan.ts';
import type { Pod } from '../model/pod.ts';
import type { Catalogue, ClusterSnapshot } from '../model/snapshot.ts';
import type { Bin, Workshop } from './bins.ts';
import { CapacityTable } from './capacityTable.ts';
import { compareText, compileProvisioner } from './compiledProvisioner.ts';
import { construct } from './construct.ts';
import { fillTargets } from './existing.ts';
import { Filler } from './fill.ts';
import { LimitLedger } from './limits.ts';
import { type Lot, LotStore } from './lots.ts';
import { type Placement, PlacementTable } from './placements.ts';
import { plannedNodeClaim } from './planWriter.ts';
import { classify, internSelectors, type PodClass } from './podClasses.ts';
import { refusalOf } from './refusals.ts';
import { resourceAxis, toVector } from './resourceAxis.ts';
import { NO_SCOPE, ScopeTable } from './scopes.ts';
import { SelectorTable } from './selectors.ts';
import { targetsOf } from './targets.ts';
import { volumeIndex } from './volumes.ts';

export interface SchedulingOptions {
  /** How long improvement may go on after the first complete plan, in milliseconds of `elapsedMs`; 0 for none. */
  readonly budgetMs: number;
  /** Milliseconds since the call began, given from outside so that the core reads no clock. */
  readonly elapsedMs: () => number;
}

export const FIRST_PLAN_ONLY: SchedulingOptions = { budgetMs: 0, elapsedMs: () => 0 };

/**
 * Places the pods on existing nodes, claims in flight and new nodes, as cheaply as it can.
 * Pure and deterministic: the same snapshot gives the same plan.
 * @param snapshot the cluster; its pods that are bound take room on their nodes
 * @param catalogue what each Provisioner may buy
 * @param pods the pods to place, unbound, each in the snapshot or not
 */
export function schedule(
  snapshot: ClusterSnapshot,
  catalogue: Catalogue,
  pods: readonly Pod[],
  _options: SchedulingOptions = FIRST_PLAN_ONLY,
): SchedulingPlan {
  const volumes = volumeIndex(snapshot);
  const selectors = new SelectorTable(snapshot.namespaces);
  internSelectors(pods, selectors);
  const { classes, blocked } = classify(pods, selectors, volumes);
  const axis = resourceAxis(classes.map((one) => one.requests));
  const scopes = new ScopeTable();
  const capacity = new CapacityTable(compiledProvisioners(snapshot, catalogue), snapshot.daemonSets, {
    axis,
    scopes,
  });
  const placements = new PlacementTable(capacity, scopes);
  const lots = classes.map((one, index) => lotOf(one, index, { placements, capacity }));
  const store = new LotStore(lots, axis, selectors.size);
  const ledger = new LimitLedger(snapshot, catalogue);
  const shop: Workshop = { store, capacity, scopes, ledger, filler: new Filler(store, scopes) };
  const fillings = fillTargets(shop, targetsOf(snapshot, catalogue, volumes), placements);
  const bins = weightTiers(capacity).flatMap((tier) => construct(shop, tier));

  const nextPod = new Int32Array(lots.length);
  const take = (from: { readonly lots: readonly number[]; readonly counts: readonly number[] }): string[] =>
    from.lots.flatMap((lot, at) => {
      const start = nextPod[lot] as number;
      nextPod[lot] = start + (from.counts[at] as number);
      return store.lot(lot).pods.slice(start, nextPod[lot]);
    });
  const nominations: Nomination[] = fillings.flatMap(({ target, filling }) =>
    take(filling).map((pod) => ({ pod, target: { kind: target.kind, name: target.name } })),
  );
  const nodeClaims = bins.map((bin) => plannedNodeClaim(bin, take(bin), shop));
  const refusals: Refusal[] = blocked.map(({ pod, reason }) => ({
    pod,
    code: 'Volume',
    provisioner: '',
    reason,
    nearest: '',
  }));
  for (const [id, lot] of lots.entries()) {
    const from = nextPod[id] as number;
    if (from >= lot.pods.length) continue;
    const refusal = refusalOf(lot, capacity, ledger);
    refusals.push(...lot.pods.slice(from).map((pod) => ({ pod, ...refusal })));
  }
  return {
    nodeClaims,
    nominations: nominations.sort((left, right) => compareText(left.pod, right.pod)),
    refusals: refusals.sort((left, right) => compareText(left.pod, right.pod)),
    usdPerHour: bins.reduce((sum: number, bin: Bin) => sum + bin.usdPerHour, 0),
    lowerBoundUsdPerHour: 0,
  };
}

/** Heaviest first, then by name; a Provisioner that is being deleted buys nothing. */
function compiledProvisioners(snapshot: ClusterSnapshot, catalogue: Catalogue) {
  return snapshot.provisioners
    .filter((one) => one.deletionRequestedAtMs === null)
    .sort((left, right) => right.weight - left.weight || compareText(left.name, right.name))
    .map((one) => compileProvisioner(one, catalogue.get(one.name) ?? []));
}

/** Provisioners of equal weight compete by price; heavier ones come first. */
function weightTiers(capacity: CapacityTable): number[][] {
  const indexes = capacity.provisioners.map((_, index) => index);
  const byWeight = Map.groupBy(indexes, (index) => capacity.provisioner(index).compiled.provisioner.weight);
  return [...byWeight.values()];
}

interface Tables {
  readonly placements: PlacementTable;
  readonly capacity: CapacityTable;
}

function lotOf(podClass: PodClass, index: number, { placements, capacity }: Tables): Lot {
  const placement = placements.of(podClass.spec, podClass.volumeTerms);
  const requests = toVector(capacity.axis, podClass.requests);
  return {
    pods: podClass.pods,
    classOf: [index],
    requests,
    placement,
    scopes: chosenScopes(placement, requests, capacity),
    matches: [],
    caps: [],
    priority: podClass.spec.priority,
  };
}

/** Of several alternatives on one Provisioner the one with the cheapest offer that holds a pod. */
export function chosenScopes(
  placement: Placement,
  requests: Float64Array,
  capacity: CapacityTable,
): number[] {
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
