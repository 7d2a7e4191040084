// One launch group: claims that share fleets, and the instances bought for them until each has one.
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { NodeClass } from '../model/nodeClass.ts';
import type { Clock } from '../ports/clock.ts';
import type { LaunchedInstance, LaunchOutcome, TakenInstances } from '../ports/cloudProvider.ts';
import { Arrivals } from './arrivals.ts';
import { AwsFault, awsFault, faultKind } from './awsFault.ts';
import type { Ec2Api, Ec2Instance, FleetError, FleetResponse } from './ec2Api.ts';
import { allowedOfferings, type Candidate, clientToken, fleetCandidates } from './fleet.ts';
import { boughtAs, boughtInstance, contents, noteShortage, type UnclaimedInstance } from './fleetAnswers.ts';
import type { FleetPlan, FleetPlanner } from './fleetPlanner.ts';
import { type Instances, instanceOf } from './instances.ts';
import { isStaleId, mayHaveLaunched, type Refusal, refusalOutcome } from './launchRefusals.ts';
import type { LaunchTemplates } from './launchTemplates.ts';
import type { NodeClasses, ResolvedNodeClass } from './nodeClasses.ts';
import type { FreeReservation, Reservations } from './reservations.ts';
import type { AwsSettings } from './settings.ts';
import { addressesOf, type SubnetLedger } from './subnets.ts';
import type { TypeCatalogue } from './typeCatalogue.ts';
import type { UnavailableOfferings } from './unavailableOfferings.ts';
import { noneInStock } from './waitingFor.ts';

export interface LauncherDependencies {
  readonly ec2: Ec2Api;
  readonly clock: Clock;
  readonly settings: AwsSettings;
  readonly nodeClasses: NodeClasses;
  readonly catalogue: TypeCatalogue;
  readonly templates: LaunchTemplates;
  readonly instances: Instances;
  readonly ledger: SubnetLedger;
  readonly reservations: Reservations;
  readonly outOfStock: UnavailableOfferings;
}

/** One claim's call, without its answer. */
export interface LaunchAsk {
  readonly claim: NodeClaim;
  readonly nodeClass: NodeClass;
  readonly taken: TakenInstances;
}

interface Member extends LaunchAsk {
  readonly answer: (outcome: LaunchOutcome) => void;
  readonly fail: (bug: unknown) => void;
}

export interface GroupStart {
  readonly id: string;
  readonly isShared: boolean;
  /** An earlier life of the controller may have launched it. */
  readonly mayBeLaunched: boolean;
  /** The last time at which somebody may have sent what we know nothing of. */
  readonly unheardAtMs: number;
}

/** How long after the last launch that may have gone through its instances may stay invisible. */
const INVISIBLE_MS = 60_000;
/** Fleets in a row that bring nothing: spot, what is left of spot, on-demand, and one more. */
const MOST_FRUITLESS_ROUNDS = 4;

/** null: ask again, something has changed. Otherwise what all that still wait are told. */
type Round = LaunchOutcome | null;

export class GroupLaunch {
  readonly isShared: boolean;
  readonly #with: LauncherDependencies;
  readonly #planner: FleetPlanner;
  readonly #id: string;
  readonly #arrivals: Arrivals<Member>;
  /** By claim uid. */
  readonly #launched = new Map<string, LaunchedInstance>();
  /** Bought or found, and no claim's yet; by provider id. */
  readonly #unclaimed = new Map<string, UnclaimedInstance>();
  /** Launch templates that were made anew because EC2 did not know them, and have launched nothing since. */
  readonly #remade = new Set<string>();
  #underWay: Promise<void> = Promise.resolve();
  /** Counts fleets that EC2 has answered, and not refused: the next one needs a new token. */
  #attempt = 0;
  /** Sent, and not answered: repeated as it was, so that its token means the same. */
  #unanswered: FleetPlan | null = null;
  /** EC2 says that the token has been used for something else. */
  #isTokenReused = false;
  /** Instances may exist without our knowing. */
  #isUnsure: boolean;
  #unheardAtMs: number;
  #touchedAtMs: number;

  constructor(dependencies: LauncherDependencies, planner: FleetPlanner, start: GroupStart) {
    this.#with = dependencies;
    this.#planner = planner;
    this.#id = start.id;
    this.isShared = start.isShared;
    this.#isUnsure = start.mayBeLaunched;
    this.#unheardAtMs = start.unheardAtMs;
    this.#touchedAtMs = dependencies.clock.nowMs();
    this.#arrivals = new Arrivals(dependencies.clock, (members) => {
      // One fleet after the other: what the first could not buy, the next must not ask for again.
      this.#underWay = this.#underWay.then(() => this.#serve(members));
    });
  }

  launch(ask: LaunchAsk): Promise<LaunchOutcome> {
    this.#touchedAtMs = this.#with.clock.nowMs();
    const instance = this.#launched.get(ask.claim.uid);
    if (instance !== undefined) return Promise.resolve({ kind: 'launched', instance });
    const expected = (ask.claim.spec.launchGroup?.size ?? 1) - this.#launched.size;
    return new Promise((answer, fail) => this.#arrivals.add({ ...ask, answer, fail }, expected));
  }

  isIdleSince(timeMs: number): boolean {
    return this.#touchedAtMs <= timeMs;
  }

  /** True when the instance was one of the group's. */
  forgetInstance(providerId: string): boolean {
    if (this.#unclaimed.delete(providerId)) return true;
    for (const [uid, instance] of this.#launched) {
      if (instance.providerId !== providerId) continue;
      this.#isUnsure = true;
      return this.#launched.delete(uid);
    }
    return false;
  }

  /** Answers every member; never rejects for what AWS answers. */
  async #serve(members: readonly Member[]): Promise<void> {
    let waiting = members;
    try {
      await this.#lookForEarlier(members);
      waiting = this.#give(waiting);
      for (let fruitless = 0; waiting.length > 0 && fruitless < MOST_FRUITLESS_ROUNDS; ) {
        const round = await this.#round(waiting);
        const before = waiting.length;
        waiting = this.#give(waiting);
        if (round !== null) return answerAll(waiting, round);
        fruitless = waiting.length < before ? 0 : fruitless + 1;
      }
      const message = `EC2 had none of what was asked for in ${MOST_FRUITLESS_ROUNDS} fleets; asking for the rest`;
      answerAll(waiting, { kind: 'retryable', message });
    } catch (caught) {
      for (const { nodeClass, answer, fail } of waiting) {
        if (caught instanceof AwsFault) answer(refusalOutcome(caught, caught.action, nodeClass));
        else fail(caught);
      }
    }
  }

  /** Hands out what is there; returns those who got nothing. */
  #give(members: readonly Member[]): readonly Member[] {
    return members.filter(({ claim, answer }) => {
      const [next] = this.#unclaimed;
      if (next === undefined) return true;
      const [providerId, unclaimed] = next;
      this.#unclaimed.delete(providerId);
      const instance = { ...unclaimed, nodeClaim: claim.name, nodeClaimUid: claim.uid };
      this.#launched.set(claim.uid, instance);
      this.#with.instances.noteClaimed(instance);
      answer({ kind: 'launched', instance });
      return false;
    });
  }

  async #lookForEarlier(members: readonly Member[]): Promise<void> {
    const [first] = members;
    if (!this.#isUnsure || first === undefined) return;
    const { instances } = this.#with;
    const found = this.isShared
      ? await instances.findByGroup(this.#id)
      : await instances.findByClaim(this.#id);
    const taken = this.#takenBy(first);
    for (const instance of await this.#described(found, first)) this.#add(instance, taken);
    // A token in use elsewhere keeps us unsure; everything else is safe to repeat under the same token.
    if (!this.#isTokenReused) this.#isUnsure = false;
    else if (this.#with.clock.nowMs() - this.#unheardAtMs >= INVISIBLE_MS) {
      this.#answered();
      // Earlier lives may have used up any number of tokens: the time is a number that none of them has counted to.
      this.#attempt = this.#with.clock.nowMs();
    }
  }

  /** A claim by itself shares with nobody. */
  #takenBy({ taken }: LaunchAsk): ReadonlySet<string> {
    return this.isShared ? taken() : new Set();
  }

  #add(instance: UnclaimedInstance, taken: ReadonlySet<string>): void {
    const { providerId } = instance;
    if (taken.has(providerId)) return;
    for (const launched of this.#launched.values()) if (launched.providerId === providerId) return;
    this.#unclaimed.set(providerId, instance);
  }

  /** Instances that EC2 shows, with what their types hold and cost. */
  async #described(
    found: readonly Ec2Instance[],
    { claim, nodeClass }: LaunchAsk,
  ): Promise<readonly UnclaimedInstance[]> {
    if (found.length === 0) return [];
    const resolved = await this.#with.nodeClasses.resolve(nodeClass);
    const view =
      resolved.kind === 'found' ? { nodeClass, kubelet: claim.spec.kubelet, resolved: resolved.value } : null;
    const types = view === null ? [] : await this.#with.catalogue.types(view);
    return found.map((one) => {
      const { nodeClaim: _, nodeClaimUid: __, ...known } = instanceOf(one);
      const launchable = types.find(({ type }) => type.name === known.instanceType);
      const offering = launchable?.type.offerings.find(
        ({ zone, capacityType }) => zone === known.zone && capacityType === known.capacityType,
      );
      return { ...known, ...contents(launchable, offering?.usdPerHour ?? null) };
    });
  }

  async #round(waiting: readonly Member[]): Promise<Round> {
    const [first] = waiting;
    if (first === undefined) return null;
    if (this.#isTokenReused) {
      return {
        kind: 'retryable',
        message: 'an earlier launch of this claim is not visible yet; looking for it',
      };
    }
    const planned = this.#unanswered ?? (await this.#plan(first, waiting.length));
    return 'kind' in planned ? planned : this.#send(first, planned);
  }

  async #plan({ claim, nodeClass }: LaunchAsk, count: number): Promise<FleetPlan | LaunchOutcome> {
    const { catalogue, clock, nodeClasses, outOfStock, settings } = this.#with;
    const found = await nodeClasses.resolve(nodeClass);
    if (found.kind === 'notReady') return { kind: 'rejected', reason: found.reason, message: found.message };
    const resolved = found.value;
    const types = await catalogue.types({ nodeClass, kubelet: claim.spec.kubelet, resolved });
    const allowed = allowedOfferings(claim, types);
    const reserved = await this.#reserved(nodeClass, allowed, resolved);
    const candidates = reserved === null ? fleetCandidates(allowed) : [reserved.candidate];
    if (candidates.length === 0) return noneInStock(claim, allowed, { outOfStock, nowMs: clock.nowMs() });
    const id = this.isShared ? `${settings.clusterName}/${this.#id}` : this.#id;
    const token = clientToken(id, this.#attempt);
    return this.#planner.plan({
      ...{ claim, nodeClass, resolved, candidates, token },
      // No more than the reservation has room for: those left over are bought in the next round.
      count: Math.min(count, reserved?.count ?? count),
      reservationId: reserved?.id ?? null,
    });
  }

  /** Reserved capacity goes first, spot or not: it is paid for. A launch template of the user's own says itself. */
  async #reserved(
    nodeClass: NodeClass,
    allowed: readonly Candidate[],
    resolved: ResolvedNodeClass,
  ): Promise<FreeReservation | null> {
    if (resolved.boot === null) return null;
    const open = this.#with.ledger.choose(resolved.subnets);
    return this.#with.reservations.freeFor(
      nodeClass,
      allowed.filter(({ zone }) => open.has(zone)),
    );
  }

  async #send(first: LaunchAsk, plan: FleetPlan): Promise<Round> {
    this.#unanswered = plan;
    const { ledger, reservations } = this.#with;
    const release = ledger.hold(plan.addressesBySubnet);
    const keep =
      plan.reservationId === null ? null : reservations.take(plan.reservationId, plan.request.count);
    let response: FleetResponse;
    try {
      response = await this.#with.ec2.createFleet(plan.request);
    } catch (caught) {
      keep?.(0);
      return this.#afterFault(caught, first, plan);
    } finally {
      release();
    }
    keep?.(response.instances.length);
    for (const error of response.errors) noteShortage(error, plan, this.#with);
    this.#answered();
    if (response.instances.length === 0) return this.#afterErrors(response.errors, first.nodeClass, plan);
    this.#bought(response, first, plan);
    return null;
  }

  #bought({ instances }: FleetResponse, first: LaunchAsk, plan: FleetPlan): void {
    this.#remade.clear();
    const { clock, ledger, settings } = this.#with;
    const at = { nowMs: clock.nowMs(), provisioner: first.claim.spec.provisioner };
    const taken = this.#takenBy(first);
    for (const one of instances) {
      ledger.reserve(one.subnetId, addressesOf(boughtAs(plan, one)?.launchable, settings));
      const instance = boughtInstance(plan, one, at);
      this.#add(this.isShared ? { ...instance, launchGroup: this.#id } : instance, taken);
    }
  }

  /** EC2 has answered: the token is spent. */
  #answered(): void {
    this.#attempt += 1;
    this.#refused();
  }

  /**
   * EC2 has refused the call as a whole: it remembers nothing of the token, so the next fleet must use that one. With
   * another, a later life would count from the first, find it unused, and buy again.
   * Source: Amazon EC2 API Reference, "Ensuring idempotency".
   */
  #refused(): void {
    this.#unanswered = null;
    this.#isTokenReused = false;
    this.#isUnsure = false;
  }

  #afterErrors(errors: readonly FleetError[], nodeClass: NodeClass, plan: FleetPlan): Round {
    const capacity = errors.some(({ code }) => faultKind(code) === 'capacity');
    const other = errors.find(({ code }) => faultKind(code) !== 'capacity');
    if (other === undefined && !capacity) {
      return { kind: 'retryable', message: 'EC2 answered ec2:CreateFleet with neither instance nor error' };
    }
    // What lacks capacity is left out now, so asking again is worth it, whatever else was said.
    if (other === undefined || (capacity && faultKind(other.code) !== 'permission')) return null;
    return this.#afterRefusal(other, nodeClass, plan);
  }

  #afterRefusal(refusal: Refusal, nodeClass: NodeClass, plan: FleetPlan): Round {
    if (isStaleId(refusal.code)) this.#with.nodeClasses.invalidate();
    const kind = faultKind(refusal.code);
    const isOurs = kind === 'missingTemplate' && nodeClass.launchTemplate === null;
    if (!isOurs) {
      const mayBeReservation = plan.reservationId !== null && kind !== 'permission' && kind !== 'transient';
      if (!mayBeReservation) return refusalOutcome(refusal, 'ec2:CreateFleet', nodeClass);
      // Cancelled, expired or changed since we looked: what anybody can buy is asked for instead.
      this.#with.reservations.markFull(plan.reservationId);
      return null;
    }
    const templates = plan.request.templates.map(({ launchTemplate }) => launchTemplate);
    for (const one of templates) this.#with.templates.invalidate(one);
    // Made anew once, and still unknown to EC2: it needs time, and a fleet a second would not give it any.
    if (templates.every((one) => this.#remade.has(one))) {
      this.#remade.clear();
      const message = `EC2 does not know ${templates.join(', ')} yet, though it has just been made`;
      return { kind: 'retryable', message };
    }
    for (const one of templates) this.#remade.add(one);
    return null;
  }

  #afterFault(caught: unknown, { nodeClass }: LaunchAsk, plan: FleetPlan): Round {
    const fault = awsFault(caught);
    const kind = faultKind(fault.code);
    if (kind === 'tokenReused') {
      this.#unanswered = null;
      this.#isTokenReused = true;
      this.#isUnsure = true;
      return {
        kind: 'retryable',
        message: 'an earlier launch of this claim is not visible yet; looking for it',
      };
    }
    if (kind === 'transient') {
      if (mayHaveLaunched(fault.code)) {
        this.#unheardAtMs = this.#with.clock.nowMs();
        this.#isUnsure = true;
      }
      return refusalOutcome(fault, fault.action, nodeClass);
    }
    this.#refused();
    if (kind !== 'capacity') return this.#afterRefusal(fault, nodeClass, plan);
    noteShortage(
      { code: fault.code, message: fault.message, instanceType: '', subnetId: '' },
      plan,
      this.#with,
    );
    return null;
  }
}

function answerAll(members: readonly Member[], outcome: LaunchOutcome): void {
  for (const { answer } of members) answer(outcome);
}
