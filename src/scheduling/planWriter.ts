// Bins written out as the NodeClaims that the controllers store: requirements, labels, types and pods.
import { LABEL } from '../model/labels.ts';
import type { NodeClaimSpec } from '../model/nodeClaim.ts';
import type { PlannedNodeClaim } from '../model/plan.ts';
import { labelsFromRequirements, type Requirement } from '../model/requirement.ts';
import {
  intersectRequirements,
  type RequirementSet,
  requirementSet,
  toRequirements,
  type ValueSet,
} from '../model/requirementSet.ts';
import { addResources, type Resources } from '../model/resources.ts';
import { type Bin, offerCharge, provisionerName, type Workshop } from './bins.ts';
import { hasBit } from './bits.ts';
import type { CapacityTable } from './capacityTable.ts';
import type { CompiledProvisioner, Offer } from './compiledProvisioner.ts';
import { type LimitCharge, largerCharge } from './limits.ts';
import { missedFloor } from './minValues.ts';
import { fitsWithin, fromVector } from './resourceAxis.ts';
import { isAttachment } from './volumes.ts';

/** What CreateFleet takes in one call. */
const MOST_TYPES = 60;
/**
 * Spot is bought by price and capacity together, so any type on the list may be chosen: it may cost this much more
 * than the cheapest. On-demand is bought at the lowest price, so a longer list costs nothing.
 */
const SPOT_PRICE_SLACK = 1.2;
const ON_DEMAND_PRICE_SLACK = 2;
const PRICE_ROUNDING = 1e-12;

/** Writes the bins of one plan out; bins of one size and price become claims that share all but their pods. */
export class ClaimWriter {
  readonly #shop: Workshop;
  readonly #written = new Map<string, Omit<PlannedNodeClaim, 'pods'>>();

  constructor(shop: Workshop) {
    this.#shop = shop;
  }

  /**
   * Charges the ledger the difference when the claim may become a larger type than planned.
   * @param pods keys of the pods, sorted
   * @param zoneMatters true when some rule counts by zone: then the node stays in the zone it was planned in
   */
  write(bin: Bin, pods: readonly string[], zoneMatters: boolean): PlannedNodeClaim {
    const { capacity, ledger } = this.#shop;
    // Under limits each claim takes from what the next may list.
    if (ledger.isLimited(provisionerName(capacity, bin.provisioner))) {
      return { ...plannedNode(bin, this.#shop, zoneMatters), pods };
    }
    const { provisioner, scope, offer, usdPerHour, used } = bin;
    const key = `${provisioner}|${scope}|${offer}|${usdPerHour}|${used.join(',')}|${zoneMatters}`;
    const node = this.#written.get(key) ?? plannedNode(bin, this.#shop, zoneMatters);
    this.#written.set(key, node);
    return { ...node, pods };
  }
}

/** True when limits have kept so many types off the claim's list that its Provisioner's `minValues` are missed. */
export function isShortOfTypes(
  claim: PlannedNodeClaim,
  { provisioner }: Bin,
  capacity: CapacityTable,
): boolean {
  const { compiled, floors } = capacity.provisioner(provisioner);
  if (floors.length === 0) return false;
  const listed = new Set(claim.spec.instanceTypes);
  const types = [...compiled.types.keys()].filter((type) => listed.has(compiled.types[type]?.name ?? ''));
  return missedFloor(compiled, floors, types) !== null;
}

function plannedNode(planned: Bin, shop: Workshop, zonesMatter: boolean): Omit<PlannedNodeClaim, 'pods'> {
  const { compiled } = shop.capacity.provisioner(planned.provisioner);
  const listed = listedOffers(planned, shop);
  const types = listed.map(({ type }) => type);
  const bin = restated(planned, listed);
  const offer = shop.capacity.offer(bin.provisioner, bin.offer);
  const first = compiled.types[offer.type];
  if (first === undefined) throw new Error(`no type ${offer.type}`);
  const zones = zonesMatter ? [offer.zone] : openZones(bin, { compiled, offer, types }, shop);
  return {
    spec: claimSpec(bin, { compiled, offer, types }, zones, shop.capacity),
    instanceType: first.name,
    zone: offer.zone,
    capacityType: offer.capacityType,
    usdPerHour: bin.usdPerHour,
    allocatable: first.allocatable,
  };
}

/** An offer that the claim may become, at its price with these pods. */
interface ListedOffer {
  readonly offer: number;
  readonly type: number;
  readonly usdPerHour: number;
}

/** Limits that ruled the cheapest type out when the bin was bought may let it in at the end: then it is the one. */
function restated(bin: Bin, [cheapest]: readonly ListedOffer[]): Bin {
  if (cheapest === undefined || cheapest.usdPerHour >= bin.usdPerHour) return bin;
  return { ...bin, offer: cheapest.offer, usdPerHour: cheapest.usdPerHour };
}

/** Types that hold the pods in the zone and capacity type chosen, at an acceptable price, cheapest first. */
function listedOffers(bin: Bin, { capacity, scopes, ledger }: Workshop): readonly ListedOffer[] {
  const { provisioner } = bin;
  const chosen = capacity.offer(provisioner, bin.offer);
  const { compiled, room, floors } = capacity.provisioner(provisioner);
  const { offers } = scopes.at(bin.scope);
  const name = compiled.provisioner.name;
  const limited = ledger.isLimited(name);
  const slack = chosen.capacityType === 'spot' ? SPOT_PRICE_SLACK : ON_DEMAND_PRICE_SLACK;
  const most = bin.usdPerHour * slack + PRICE_ROUNDING;
  let charge = offerCharge(capacity, provisioner, bin);
  const listed: ListedOffer[] = [];
  for (const [id, offer] of compiled.offers.entries()) {
    if (listed.length >= MOST_TYPES) break;
    const short =
      floors.length > 0 &&
      missedFloor(
        compiled,
        floors,
        listed.map((one) => one.type),
      ) !== null;
    if (offer.usdPerHour > most && !short) break;
    if (offer.zone !== chosen.zone || offer.capacityType !== chosen.capacityType || !hasBit(offers, id))
      continue;
    const usdPerHour = capacity.price(provisioner, id, bin.used);
    if ((usdPerHour > most && !short) || !fitsWithin(bin.used, room[offer.type] ?? new Float64Array()))
      continue;
    if (limited) {
      const larger = largerCharge(charge, offerCharge(capacity, provisioner, { offer: id }));
      const extra = difference(larger, charge);
      if (ledger.times(name, extra) < 1) continue;
      ledger.add(name, extra, 1);
      charge = larger;
    }
    listed.push({ offer: id, type: offer.type, usdPerHour });
  }
  return listed.sort((left, right) => left.usdPerHour - right.usdPerHour);
}

function difference(larger: LimitCharge, charge: LimitCharge): LimitCharge {
  return Object.fromEntries(
    Object.entries(larger).map(([name, amount]) => [name, amount - (charge[name] ?? 0)]),
  );
}

interface ChosenTypes {
  readonly compiled: CompiledProvisioner;
  readonly offer: Offer;
  readonly types: readonly number[];
}

/**
 * Zones in which every listed type that is sold there costs no less than was stated and no more than is acceptable:
 * any of them will do, and EC2 has more room to choose.
 */
function openZones(
  bin: Bin,
  { compiled, offer: chosen, types }: ChosenTypes,
  { capacity, scopes, ledger }: Workshop,
): readonly string[] {
  const { offers } = scopes.at(bin.scope);
  const listed = new Set(types);
  const sold = [...compiled.offers.entries()]
    .filter(
      ([id, offer]) =>
        offer.capacityType === chosen.capacityType && listed.has(offer.type) && hasBit(offers, id),
    )
    .map(([id, { zone, usdPerHour: listUsdPerHour }]) => {
      return { zone, listUsdPerHour, usdPerHour: capacity.price(bin.provisioner, id, bin.used) };
    });
  const slack = chosen.capacityType === 'spot' ? SPOT_PRICE_SLACK : ON_DEMAND_PRICE_SLACK;
  // Limits were charged for the dearest type in the zone that was planned: no other zone may cost more.
  const charged = sold.filter(({ zone }) => zone === chosen.zone).map((one) => one.listUsdPerHour);
  const most = ledger.isLimited(compiled.provisioner.name) ? Math.max(...charged) : Number.POSITIVE_INFINITY;
  const isAcceptable = ({ usdPerHour, listUsdPerHour }: (typeof sold)[number]): boolean =>
    usdPerHour >= bin.usdPerHour - PRICE_ROUNDING &&
    usdPerHour <= bin.usdPerHour * slack + PRICE_ROUNDING &&
    listUsdPerHour <= most + PRICE_ROUNDING;
  const byZone = Map.groupBy(sold, ({ zone }) => zone);
  const open = [...byZone.keys()].filter((zone) => byZone.get(zone)?.every(isAcceptable));
  return [...new Set([...open, chosen.zone])].sort();
}

function claimSpec(
  bin: Bin,
  { compiled, offer, types }: ChosenTypes,
  zones: readonly string[],
  capacity: CapacityTable,
): NodeClaimSpec {
  const { provisioner } = compiled;
  const names = types.map((type) => compiled.types[type]?.name ?? '');
  const chosen = requirementSet([
    { key: LABEL.instanceType, operator: 'In', values: names },
    { key: LABEL.zone, operator: 'In', values: zones },
    { key: LABEL.capacityType, operator: 'In', values: [offer.capacityType] },
  ]);
  const scope = capacity.scope(bin.scope);
  const narrowed = intersectRequirements(intersectRequirements(compiled.requirements, scope.labels), chosen);
  const requirements = settled(narrowed, compiled);
  return {
    provisioner: provisioner.name,
    nodeClassRef: provisioner.nodeClassRef,
    labels: {
      ...provisioner.labels,
      ...labelsFromRequirements(requirements),
      [LABEL.provisioner]: provisioner.name,
    },
    annotations: provisioner.annotations,
    taints: provisioner.taints,
    startupTaints: provisioner.startupTaints,
    kubelet: provisioner.kubelet,
    requirements,
    instanceTypes: names,
    requests: requestsOf(bin, types, capacity),
    ...(provisioner.terminationGracePeriodMs === null
      ? {}
      : { terminationGracePeriodMs: provisioner.terminationGracePeriodMs }),
  };
}

/** Which of them a node gets is known once it is launched. */
const DECIDED_BY_EC2: ReadonlySet<string> = new Set([LABEL.instanceType, LABEL.region, LABEL.zone]);

/** Custom labels get one value, since the node is made with it; what the types decide stays open. */
function settled(narrowed: RequirementSet, compiled: CompiledProvisioner): readonly Requirement[] {
  const settledSet = new Map<string, ValueSet>();
  for (const [key, set] of narrowed) {
    const custom = !compiled.typeKeys.has(key) && !DECIDED_BY_EC2.has(key);
    const value = custom && set.values.size > 0 && !set.complement ? [...set.values].sort()[0] : undefined;
    settledSet.set(key, value === undefined ? set : { ...set, values: new Set([value]) });
  }
  return toRequirements(settledSet);
}

/** Pods and the most that daemons ask for on any of the types. */
function requestsOf(bin: Bin, types: readonly number[], capacity: CapacityTable): Resources {
  const { daemons } = capacity.provisioner(bin.provisioner);
  const most = new Float64Array(capacity.axis.size);
  for (const type of types) {
    for (const [place, amount] of (daemons.byType[type] ?? []).entries()) {
      most[place] = Math.max(most[place] as number, amount);
    }
  }
  const all = addResources(fromVector(capacity.axis, bin.used), fromVector(capacity.axis, most));
  return Object.fromEntries(Object.entries(all).filter(([name]) => !isAttachment(name)));
}
