// Limits of Provisioners, exact: what their nodes, claims in flight and the nodes planned in this pass leave.
import type { InstanceType } from '../model/instanceType.ts';
import { LABEL } from '../model/labels.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import { NODES_LIMIT, PRICE_LIMIT, type Provisioner } from '../model/provisioner.ts';
import type { Resources } from '../model/resources.ts';
import type { Catalogue, ClusterSnapshot } from '../model/snapshot.ts';

/** What one node counts towards the limits of its Provisioner. */
export type LimitCharge = Readonly<Record<string, number>>;

export interface LimitExcess {
  readonly resource: string;
  readonly limit: number;
  readonly used: number;
  readonly needed: number;
}

/** A node of this type at this price: all its capacity, one node, its price. */
export function chargeOf(capacity: Resources, usdPerHour: number): LimitCharge {
  return { ...capacity, [NODES_LIMIT]: 1, [PRICE_LIMIT]: usdPerHour };
}

/** The larger of two charges by name: what a claim that may become either is counted as. */
export function largerCharge(left: LimitCharge, right: LimitCharge): LimitCharge {
  const larger: Record<string, number> = { ...left };
  for (const name in right) larger[name] = Math.max(larger[name] ?? 0, right[name] ?? 0);
  return larger;
}

/** What is in use of each limited Provisioner. Amounts of one resource never pass its limit. */
export class LimitLedger {
  readonly #limits = new Map<string, Resources>();
  readonly #used = new Map<string, Record<string, number>>();
  readonly #curbed = new Set<string>();

  /** Charged for nothing yet. */
  constructor(provisioners: readonly Pick<Provisioner, 'name' | 'limits'>[]) {
    for (const { name, limits } of provisioners) {
      if (limits === null) continue;
      this.#limits.set(name, limits);
      this.#used.set(name, {});
    }
  }

  /** Lets a limited Provisioner have only so many nodes more, since each needs room for the types on its list. */
  curb(provisioner: string, nodes: number): void {
    const limits = this.#limits.get(provisioner);
    const used = this.#used.get(provisioner);
    if (limits === undefined || used === undefined) return;
    const most = (used[NODES_LIMIT] ?? 0) + nodes;
    if (most >= (limits[NODES_LIMIT] ?? Number.POSITIVE_INFINITY)) return;
    this.#limits.set(provisioner, { ...limits, [NODES_LIMIT]: most });
    this.#curbed.add(provisioner);
  }

  isCurbed(provisioner: string): boolean {
    return this.#curbed.has(provisioner);
  }

  isLimited(provisioner: string): boolean {
    return this.#limits.has(provisioner);
  }

  /** The same limits and amounts, to be charged apart. */
  copy(): LimitLedger {
    const twin = new LimitLedger([...this.#limits].map(([name, limits]) => ({ name, limits })));
    for (const [name, used] of this.#used) twin.add(name, used, 1);
    for (const name of this.#curbed) twin.#curbed.add(name);
    return twin;
  }

  /** How many more nodes of that charge fit. */
  times(provisioner: string, charge: LimitCharge): number {
    const limits = this.#limits.get(provisioner);
    if (limits === undefined) return Number.POSITIVE_INFINITY;
    let times = Number.POSITIVE_INFINITY;
    for (const name in limits) {
      const each = charge[name] ?? 0;
      if (each <= 0) continue;
      // The tolerance is for sums of prices only; all other amounts are integers.
      const left = (limits[name] ?? 0) - (this.#used.get(provisioner)?.[name] ?? 0);
      times = Math.min(times, Math.floor(left / each + 1e-9));
    }
    return Math.max(0, times);
  }

  add(provisioner: string, charge: LimitCharge, times: number): void {
    const used = this.#used.get(provisioner);
    if (used === undefined) return;
    for (const name in charge) used[name] = (used[name] ?? 0) + (charge[name] ?? 0) * times;
  }

  /** The first limit that one node of that charge would pass; null when it fits. */
  excess(provisioner: string, charge: LimitCharge): LimitExcess | null {
    const limits = this.#limits.get(provisioner);
    if (limits === undefined) return null;
    for (const resource of Object.keys(limits).sort()) {
      const limit = limits[resource] ?? 0;
      const used = this.#used.get(provisioner)?.[resource] ?? 0;
      const needed = charge[resource] ?? 0;
      if (needed > 0 && used + needed > limit + 1e-9) return { resource, limit, used, needed };
    }
    return null;
  }
}

/** A ledger charged for all nodes and claims in flight. */
export function ledgerOf(snapshot: ClusterSnapshot, catalogue: Catalogue): LimitLedger {
  const ledger = new LimitLedger(snapshot.provisioners);
  if (snapshot.provisioners.some(({ limits }) => limits !== null))
    chargeExisting(ledger, snapshot, catalogue);
  return ledger;
}

function chargeExisting(ledger: LimitLedger, snapshot: ClusterSnapshot, catalogue: Catalogue): void {
  const claimOfNode = new Map<string, NodeClaim>();
  const byProvider = new Map<string, NodeClaim>();
  for (const claim of snapshot.nodeClaims) {
    if (claim.status.nodeName !== '') claimOfNode.set(claim.status.nodeName, claim);
    if (claim.status.providerId !== '') byProvider.set(claim.status.providerId, claim);
  }
  const counted = new Set<string>();
  for (const node of snapshot.nodes) {
    const claim = claimOfNode.get(node.name) ?? byProvider.get(node.providerId);
    const provisioner = node.labels[LABEL.provisioner] ?? claim?.spec.provisioner;
    if (provisioner === undefined || !ledger.isLimited(provisioner)) continue;
    if (claim !== undefined) counted.add(claim.name);
    const capacity = largerCharge(claim?.status.capacity ?? {}, node.capacity);
    const type = catalogue.get(provisioner)?.find((one) => one.name === node.labels[LABEL.instanceType]);
    const usdPerHour = claim?.status.usdPerHour ?? priceOf(type, node.labels);
    ledger.add(provisioner, chargeOf(capacity, usdPerHour), 1);
  }
  for (const claim of snapshot.nodeClaims) {
    if (counted.has(claim.name) || !ledger.isLimited(claim.spec.provisioner)) continue;
    ledger.add(claim.spec.provisioner, claimCharge(claim, catalogue), 1);
  }
}

function priceOf(type: InstanceType | undefined, labels: Readonly<Record<string, string>>): number {
  const found = type?.offerings.find(
    (one) => one.zone === labels[LABEL.zone] && one.capacityType === labels[LABEL.capacityType],
  );
  return found?.usdPerHour ?? 0;
}

/** What a claim without a node counts: what it was launched as, or the largest and dearest that it may become. */
export function claimCharge(
  { spec, status }: Pick<NodeClaim, 'spec' | 'status'>,
  catalogue: Catalogue,
): LimitCharge {
  if (Object.keys(status.capacity).length > 0) return chargeOf(status.capacity, status.usdPerHour ?? 0);
  const names = new Set(status.instanceType === '' ? spec.instanceTypes : [status.instanceType]);
  let charge: LimitCharge = chargeOf({}, 0);
  for (const type of catalogue.get(spec.provisioner) ?? []) {
    if (!names.has(type.name)) continue;
    const prices = type.offerings
      .filter((one) => isAllowed(spec, LABEL.zone, one.zone))
      .filter((one) => isAllowed(spec, LABEL.capacityType, one.capacityType))
      .map((one) => one.usdPerHour);
    charge = largerCharge(charge, chargeOf(type.capacity, Math.max(0, ...prices)));
  }
  return charge;
}

function isAllowed(spec: NodeClaim['spec'], key: string, value: string): boolean {
  return spec.requirements.every(
    (one) => one.key !== key || one.operator !== 'In' || one.values.includes(value),
  );
}

/** True when one of the Provisioners has limits at all. */
export function anyLimits(provisioners: readonly Provisioner[]): boolean {
  return provisioners.some((one) => one.limits !== null);
}
