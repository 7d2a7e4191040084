// Replacements on order: stored with what they replace written on them, waited for, and given up.

import {
  NO_REPLACEMENT,
  nominationsWith,
  type OpenReplacement,
  openReplacements,
  replacedBy,
  replacementAnnotations,
  strayMarks,
} from '../disruption/replacements.ts';
import type { BudgetedReason } from '../model/disruptionPolicy.ts';
import { hasCondition, type NodeClaim } from '../model/nodeClaim.ts';
import type { DisruptionPlan, Nomination, PlannedNodeClaim } from '../model/plan.ts';
import type { Catalogue, ClusterSnapshot } from '../model/snapshot.ts';
import type { Ports } from '../ports/ports.ts';
import type { LiveState } from './liveState.ts';
import { claimDraft, createSurely } from './plannedLaunches.ts';

/** Replacements that are not up by then are not waited for, and nodes are kept for their pods for so long. */
export const REPLACED_BY_MS = 600_000;
/** What is about to be deleted is taken for leaving for so long: the server may refuse it, or not answer. */
const SEEN_LEAVING_MS = 60_000;

/** One order: what goes, and what has been stored in its place. */
export interface Order extends OpenReplacement {
  readonly untilMs: number;
  /** What it is for, where that is money; not known any more after a restart. */
  readonly gain?: Gain;
  /** Where its pods are to go; nor is that. */
  readonly nominations?: readonly Nomination[];
}

export type Gain = Required<Pick<DisruptionPlan, 'savingUsdPerHour' | 'podsMoved'>>;

/** What is known of orders beyond what is written on the claims. */
export class ReplacementOrders {
  readonly #orders = new Map<string, Order>();
  /** Names of replacements that were given up and may still carry their mark. */
  readonly #abandoned = new Set<string>();
  /** Replacements of open orders that EC2 has launched: what fails after that is the machine's doing. */
  readonly #launched = new Set<string>();
  readonly #reservedUntilMs = new Map<string, number>();
  readonly #leavingUntilMs = new Map<string, number>();
  /** By uid of a claim that stands in the last snapshot: when the server accepted its deletion. */
  readonly #deletedAtMs = new Map<string, number>();
  #last: Promise<unknown> = Promise.resolve();

  /** Runs decisions one after the other: two at a time could count on the same room. */
  exclusively<T>(act: () => Promise<T>): Promise<T> {
    const next = this.#last.then(act, act);
    this.#last = next.catch(() => undefined);
    return next;
  }

  open(...reasons: readonly BudgetedReason[]): readonly Order[] {
    return [...this.#orders.values()].filter(({ reason }) => reasons.includes(reason));
  }

  begin(order: Order): void {
    this.#orders.set(keyOf(order), order);
    for (const name of order.replacements) this.reserve(name, order.untilMs);
  }

  /** The order is over; its replacements are marked no more. */
  end(order: Order): void {
    this.#orders.delete(keyOf(order));
    for (const name of order.replacements) this.#launched.delete(name);
  }

  abandon(order: Order): void {
    this.end(order);
    for (const name of order.replacements) {
      this.reserve(name, 0);
      this.#abandoned.add(name);
    }
  }

  /** Keeps a claim for pods that are still elsewhere. */
  reserve(claim: string, untilMs: number): void {
    this.#reservedUntilMs.set(claim, untilMs);
  }

  /** Until when the claim of that name is kept for pods that come; 0 for not at all. */
  reservedUntilMs(claim: string): number {
    return this.#reservedUntilMs.get(claim) ?? 0;
  }

  /** These are being deleted, by their names: a watch that is late may show them as if nothing had happened. */
  noteLeaving(claims: readonly string[], nowMs: number): void {
    for (const name of claims) this.#leavingUntilMs.set(name, nowMs + SEEN_LEAVING_MS);
  }

  /**
   * The server has accepted its deletion, which nothing takes back: however long the watch shows it as if nothing had
   * happened, it leaves, and uses up the budgets of its Provisioner.
   */
  noteDeleted({ uid }: NodeClaim, nowMs: number): void {
    this.#deletedAtMs.set(uid, nowMs);
  }

  /** The snapshot with what we have deleted shown as leaving. */
  seen(snapshot: ClusterSnapshot): ClusterSnapshot {
    const nowMs = snapshot.takenAtMs;
    const leavesAtMs = ({ name, uid, deletionRequestedAtMs }: NodeClaim): number | null => {
      const knownMs = deletionRequestedAtMs ?? this.#deletedAtMs.get(uid);
      if (knownMs !== undefined) return knownMs;
      return (this.#leavingUntilMs.get(name) ?? 0) > nowMs ? nowMs : null;
    };
    const isNews = (claim: NodeClaim): boolean => leavesAtMs(claim) !== claim.deletionRequestedAtMs;
    if (!snapshot.nodeClaims.some(isNews)) return snapshot;
    const nodeClaims = snapshot.nodeClaims.map((claim) =>
      isNews(claim) ? { ...claim, deletionRequestedAtMs: leavesAtMs(claim) } : claim,
    );
    return { ...snapshot, nodeClaims };
  }

  /** Takes up what an earlier life has ordered; forgets what is over. */
  look(snapshot: ClusterSnapshot): void {
    const claims = new Map(snapshot.nodeClaims.map((claim) => [claim.name, claim]));
    this.#prune(snapshot.takenAtMs, claims);
    for (const order of this.#orders.values())
      for (const name of order.replacements)
        if ((claims.get(name)?.status.providerId ?? '') !== '') this.#launched.add(name);
    for (const name of strayMarks(snapshot)) this.#abandoned.add(name);
    const known = new Set([...this.#orders.values()].flatMap(({ replacements }) => replacements));
    for (const found of openReplacements(snapshot)) {
      if (found.replacements.some((name) => known.has(name) || this.#abandoned.has(name))) continue;
      this.begin({ ...found, untilMs: found.orderedAtMs + REPLACED_BY_MS });
    }
  }

  #prune(nowMs: number, claims: ReadonlyMap<string, NodeClaim>): void {
    for (const [name, untilMs] of [...this.#reservedUntilMs])
      if (untilMs <= nowMs) this.#reservedUntilMs.delete(name);
    for (const [name, untilMs] of [...this.#leavingUntilMs])
      if (untilMs <= nowMs) this.#leavingUntilMs.delete(name);
    const standing = new Set([...claims.values()].map(({ uid }) => uid));
    for (const uid of [...this.#deletedAtMs.keys()]) if (!standing.has(uid)) this.#deletedAtMs.delete(uid);
    for (const name of [...this.#abandoned]) {
      const claim = claims.get(name);
      if (claim === undefined || replacedBy(claim).length === 0) this.#abandoned.delete(name);
    }
  }

  /** Replacements that were given up and still carry their mark. */
  toUnmark(): readonly string[] {
    return [...this.#abandoned];
  }

  wasLaunched(claim: string): boolean {
    return this.#launched.has(claim);
  }

  sizes(): Readonly<Record<string, number>> {
    return {
      replacementOrders: this.#orders.size,
      replacementsAbandoned: this.#abandoned.size,
      replacementsLaunched: this.#launched.size,
      replacementsReserved: this.#reservedUntilMs.size,
      claimsSeenLeaving: this.#leavingUntilMs.size,
      claimsDeleted: this.#deletedAtMs.size,
    };
  }
}

function keyOf({ nodeClaims }: OpenReplacement): string {
  return nodeClaims.join(',');
}

/** What a plan was made from. */
export interface PlannedFrom {
  readonly snapshot: ClusterSnapshot;
  readonly catalogue: Catalogue;
}

/** What orders work with. */
export interface Ordering {
  readonly live: LiveState;
  readonly orders: ReplacementOrders;
}

export interface ReplacementDraft {
  readonly reason: BudgetedReason;
  readonly nodeClaims: readonly string[];
  readonly replacements: readonly PlannedNodeClaim[];
  readonly message: string;
  readonly gain?: Gain;
  /** Where pods are to go that existing nodes take; none when that was not decided. */
  readonly nominations?: readonly Nomination[];
  /** Further annotations of the claims to be stored; none when absent. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * Stores the claims of the replacements, with what they replace, and keeps them for the pods to come.
 * @returns null when limits leave no room for all of them any more: then none is stored
 */
export async function orderReplacements(
  ports: Ports,
  { live, orders }: Ordering,
  draft: ReplacementDraft,
  { snapshot, catalogue }: PlannedFrom,
): Promise<Order | null> {
  const { reason, nodeClaims, message } = draft;
  const annotations = { ...replacementAnnotations(reason, nodeClaims, message), ...draft.annotations };
  const untilMs = ports.clock.nowMs() + REPLACED_BY_MS;
  const { launched, held } = live.promised.promise(draft.replacements, live.snapshot(), catalogue);
  const replacements: string[] = [];
  try {
    if (held.length > 0) return null;
    for (const [index, planned] of launched.entries()) {
      const made = claimDraft(planned, snapshot, index);
      const claim = { ...made, annotations: { ...made.annotations, ...annotations } };
      orders.reserve(claim.name, untilMs);
      const { object } = await createSurely(ports, claim);
      live.record({ type: 'upsert', kind: 'nodeClaim', key: object.name, object });
      replacements.push(object.name);
      tellOrdered(ports, object.name, planned, draft);
      live.promised.takeBack(planned);
    }
  } finally {
    for (const planned of launched) live.promised.takeBack(planned);
  }
  const order: Order = {
    ...{ reason, nodeClaims, message, replacements, untilMs },
    orderedAtMs: untilMs - REPLACED_BY_MS,
    ...(draft.gain === undefined ? {} : { gain: draft.gain }),
    ...(draft.nominations === undefined
      ? {}
      : { nominations: nominationsWith(draft.nominations, draft.replacements, replacements) }),
  };
  orders.begin(order);
  return order;
}

function tellOrdered(
  { clock, journal, telemetry }: Ports,
  name: string,
  { spec, instanceType, zone, capacityType, usdPerHour }: PlannedNodeClaim,
  { nodeClaims, message, reason: disruption }: ReplacementDraft,
): void {
  const facts = { instanceType, zone, capacityType, usdPerHour, replaces: nodeClaims, disruption };
  telemetry.log.info({ nodeClaim: name, ...facts }, 'replacement stored');
  telemetry.metrics.count('cooper_nodeclaims_created_total', { provisioner: spec.provisioner });
  const reason = `replacement: ${message}`;
  journal.append({ atMs: clock.nowMs(), kind: 'Provisioned', subject: name, reason, facts });
}

export type OrderStanding =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'up' }
  /** Nothing could be bought. */
  | { readonly kind: 'notBought'; readonly message: string }
  /** A machine was bought and is of no use. */
  | { readonly kind: 'notUp'; readonly message: string };

/** How far the replacements of an order have come. */
export function standingOf(order: Order, { live, orders }: Ordering, nowMs: number): OrderStanding {
  for (const name of order.replacements) {
    const claim = live.get('nodeClaim', name);
    if (claim !== undefined && claim.deletionRequestedAtMs === null) continue;
    return orders.wasLaunched(name)
      ? { kind: 'notUp', message: `its replacement ${name} has gone before it was up` }
      : { kind: 'notBought', message: 'its replacement could not be launched' };
  }
  const rising = order.replacements.filter((name) => {
    const claim = live.get('nodeClaim', name);
    return claim === undefined || !hasCondition(claim, 'Initialized');
  });
  const [first] = rising;
  if (first === undefined) return { kind: 'up' };
  if (nowMs <= order.untilMs) return { kind: 'waiting' };
  return orders.wasLaunched(first)
    ? { kind: 'notUp', message: `its replacement ${first} has not come up` }
    : { kind: 'notBought', message: `its replacement ${first} could not be launched in time` };
}

/** Gives an order up: what goes stays, and what was bought for it goes as an empty node once it is empty. */
export function giveUpOrder(ports: Ports, { orders }: Ordering, order: Order, because: string): void {
  orders.abandon(order);
  const { reason, nodeClaims, replacements } = order;
  ports.telemetry.log.info({ nodeClaims, replacements, disruption: reason, because }, 'replacement given up');
}

/** Takes the marks off replacements that were given up, so that no later life takes the orders up again. */
export async function unmarkAbandoned(ports: Ports, { live, orders }: Ordering): Promise<void> {
  for (const name of orders.toUnmark()) {
    const claim = live.get('nodeClaim', name);
    if (claim === undefined || replacedBy(claim).length === 0) continue;
    live.recordNodeClaim(claim, await ports.kube.annotateNodeClaim(claim, NO_REPLACEMENT));
  }
}
