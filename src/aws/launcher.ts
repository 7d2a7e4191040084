// Launching one claim: exactly one instance, whatever EC2 answers, forgets or loses on the way.
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { NodeClass } from '../model/nodeClass.ts';
import type { Clock } from '../ports/clock.ts';
import type { Instance, LaunchedInstance, LaunchOutcome } from '../ports/cloudProvider.ts';
import { awsFault, faultKind } from './awsFault.ts';
import type { Ec2Api, Ec2Instance, FleetError, FleetInstance } from './ec2Api.ts';
import { allowedOfferings, type Candidate, clientToken, fleetCandidates } from './fleet.ts';
import { type FleetPlan, FleetPlanner } from './fleetPlanner.ts';
import { type Instances, instanceOf } from './instances.ts';
import { isStaleId, mayHaveLaunched, refusalOutcome } from './launchRefusals.ts';
import type { LaunchTemplates } from './launchTemplates.ts';
import type { NodeClasses, ResolvedNodeClass } from './nodeClasses.ts';
import type { AwsSettings } from './settings.ts';
import type { SubnetLedger } from './subnets.ts';
import type { LaunchableType, TypeCatalogue } from './typeCatalogue.ts';
import type { UnavailableOfferings } from './unavailableOfferings.ts';

export interface LauncherDependencies {
  readonly ec2: Ec2Api;
  readonly clock: Clock;
  readonly settings: AwsSettings;
  readonly nodeClasses: NodeClasses;
  readonly catalogue: TypeCatalogue;
  readonly templates: LaunchTemplates;
  readonly instances: Instances;
  readonly ledger: SubnetLedger;
  readonly outOfStock: UnavailableOfferings;
}

/** What this process knows of the tries for one claim. */
interface Tries {
  /** Counts tries that EC2 has answered with no instance: the next one needs a new token. */
  attempt: number;
  /** Sent, and not answered: repeated as it was, so that its token means the same. */
  unanswered: FleetPlan | null;
  /** EC2 says that the token has been used for something else. */
  isTokenReused: boolean;
  /** When this process last sent what may have gone through unheard. */
  unheardAtMs: number;
  launched: LaunchedInstance | null;
  touchedAtMs: number;
}

/** A claim older than this may have been launched by an earlier life of the controller. */
const OLD_CLAIM_MS = 5_000;
/** How long after the last launch that may have gone through its instance may stay invisible. */
const INVISIBLE_MS = 60_000;
/** Fleets for one launch: spot, what is left of spot, on-demand, and one more. */
const MOST_ROUNDS = 4;
const FORGET_TRIES_MS = 3_600_000;

type Round = { readonly kind: 'done'; readonly outcome: LaunchOutcome } | { readonly kind: 'again' };

const AGAIN: Round = { kind: 'again' };

function done(outcome: LaunchOutcome): Round {
  return { kind: 'done', outcome };
}

export class Launcher {
  readonly #with: LauncherDependencies;
  readonly #planner: FleetPlanner;
  readonly #tries = new Map<string, Tries>();
  /** Earlier lives of the controller have launched nothing after this. */
  #firstLaunchAtMs = Infinity;

  constructor(dependencies: LauncherDependencies) {
    this.#with = dependencies;
    this.#planner = new FleetPlanner(dependencies);
  }

  /** Never throws for what AWS answers. Calls for the same claim must not overlap. */
  async launch(claim: NodeClaim, nodeClass: NodeClass): Promise<LaunchOutcome> {
    const tries = this.#triesOf(claim);
    if (tries.launched !== null) return { kind: 'launched', instance: tries.launched };
    try {
      const found = await this.#earlierInstance(claim, nodeClass, tries);
      return found ?? (await this.#rounds(claim, nodeClass, tries));
    } catch (caught) {
      const fault = awsFault(caught);
      return refusalOutcome(fault, fault.action, nodeClass);
    }
  }

  /** Forgets claims that nobody has asked about for an hour. */
  sweep(): void {
    const nowMs = this.#with.clock.nowMs();
    for (const [uid, { touchedAtMs }] of this.#tries) {
      if (nowMs - touchedAtMs >= FORGET_TRIES_MS) this.#tries.delete(uid);
    }
  }

  /** The instance is going: a claim that still asks for it must hear the truth from EC2. */
  forgetInstance(providerId: string): void {
    for (const [uid, { launched }] of this.#tries) {
      if (launched?.providerId === providerId) this.#tries.delete(uid);
    }
  }

  #triesOf({ uid, createdAtMs }: NodeClaim): Tries {
    const nowMs = this.#with.clock.nowMs();
    this.#firstLaunchAtMs = Math.min(this.#firstLaunchAtMs, nowMs);
    const held = this.#tries.get(uid);
    if (held !== undefined) {
      held.touchedAtMs = nowMs;
      return held;
    }
    const tries: Tries = {
      attempt: 0,
      unanswered: null,
      isTokenReused: false,
      unheardAtMs: this.#firstLaunchAtMs,
      launched: null,
      touchedAtMs: nowMs,
    };
    this.#tries.set(uid, tries);
    if (nowMs - createdAtMs >= OLD_CLAIM_MS) this.#unsure.add(uid);
    return tries;
  }

  /** Claims whose instance may exist without our knowing. */
  readonly #unsure = new Set<string>();

  async #earlierInstance(
    claim: NodeClaim,
    nodeClass: NodeClass,
    tries: Tries,
  ): Promise<LaunchOutcome | null> {
    if (!this.#unsure.has(claim.uid)) return null;
    const instance = await this.#with.instances.findByClaim(claim.uid);
    if (instance !== null) return this.#adopt(claim, nodeClass, instance);
    // A token in use elsewhere keeps us unsure; everything else is safe to repeat under the same token.
    if (!tries.isTokenReused) this.#unsure.delete(claim.uid);
    return null;
  }

  async #rounds(claim: NodeClaim, nodeClass: NodeClass, tries: Tries): Promise<LaunchOutcome> {
    const nowMs = this.#with.clock.nowMs();
    if (tries.isTokenReused && nowMs - tries.unheardAtMs >= INVISIBLE_MS) {
      this.#answeredWithNothing(tries, claim.uid);
      // Earlier lives may have used up any number of tokens: the time is a number that none of them has counted to.
      tries.attempt = nowMs;
    }
    for (let round = 0; round < MOST_ROUNDS; round += 1) {
      const result = await this.#round(claim, nodeClass, tries);
      if (result.kind === 'done') return result.outcome;
    }
    return {
      kind: 'retryable',
      message: `EC2 had none of what was asked for in ${MOST_ROUNDS} fleets; asking for the rest`,
    };
  }

  async #round(claim: NodeClaim, nodeClass: NodeClass, tries: Tries): Promise<Round> {
    const resolved = await this.#with.nodeClasses.resolve(nodeClass);
    if (resolved.kind === 'notReady') {
      return done({ kind: 'rejected', reason: resolved.reason, message: resolved.message });
    }
    const planned = tries.unanswered ?? (await this.#plan(claim, nodeClass, tries, resolved.value));
    return 'kind' in planned ? done(planned) : this.#send(claim, nodeClass, tries, planned);
  }

  async #plan(
    claim: NodeClaim,
    nodeClass: NodeClass,
    tries: Tries,
    resolved: ResolvedNodeClass,
  ): Promise<FleetPlan | LaunchOutcome> {
    const { catalogue } = this.#with;
    const types = await catalogue.types({ nodeClass, kubelet: claim.spec.kubelet, resolved });
    const allowed = allowedOfferings(claim, types);
    const candidates = fleetCandidates(allowed);
    if (candidates.length === 0) return noneInStock(claim, allowed);
    const token = clientToken(claim.uid, tries.attempt);
    return this.#planner.plan({ claim, nodeClass, resolved, candidates, token });
  }

  async #send(claim: NodeClaim, nodeClass: NodeClass, tries: Tries, plan: FleetPlan): Promise<Round> {
    tries.unanswered = plan;
    try {
      const response = await this.#with.ec2.createFleet(plan.request);
      const instance = response.instances[0];
      for (const error of response.errors) this.#noteError(error, plan);
      if (instance !== undefined) return done(this.#launched(claim, tries, plan, instance));
      this.#answeredWithNothing(tries, claim.uid);
      return this.#afterErrors(response.errors, nodeClass, plan);
    } catch (caught) {
      return this.#afterFault(caught, { claim, nodeClass, tries, plan });
    }
  }

  #launched(claim: NodeClaim, tries: Tries, plan: FleetPlan, fleet: FleetInstance): LaunchOutcome {
    const { clock, instances, ledger, settings } = this.#with;
    const zone = plan.zoneOf.get(fleet.subnetId) ?? '';
    const candidate = plan.candidates.find(
      (one) => one.launchable.type.name === fleet.instanceType && one.zone === zone,
    );
    const instance: LaunchedInstance = {
      providerId: `aws:///${zone}/${fleet.id}`,
      instanceType: fleet.instanceType,
      zone,
      capacityType: fleet.capacityType,
      imageId: candidate?.launchable.image?.id ?? '',
      launchedAtMs: clock.nowMs(),
      state: 'pending',
      nodeClaim: claim.name,
      nodeClaimUid: claim.uid,
      provisioner: claim.spec.provisioner,
      ...contents(candidate?.launchable, candidate?.usdPerHour ?? null),
    };
    ledger.reserve(fleet.subnetId, addressesOf(candidate, settings));
    instances.noteLaunched(instance);
    return this.#settled(tries, claim.uid, instance);
  }

  #settled(tries: Tries, uid: string, instance: LaunchedInstance): LaunchOutcome {
    tries.launched = instance;
    tries.unanswered = null;
    this.#unsure.delete(uid);
    return { kind: 'launched', instance };
  }

  async #adopt(claim: NodeClaim, nodeClass: NodeClass, instance: Ec2Instance): Promise<LaunchOutcome> {
    const known: Instance = instanceOf(instance);
    const resolved = await this.#with.nodeClasses.resolve(nodeClass);
    const view =
      resolved.kind === 'found' ? { nodeClass, kubelet: claim.spec.kubelet, resolved: resolved.value } : null;
    const types = view === null ? [] : await this.#with.catalogue.types(view);
    const launchable = types.find(({ type }) => type.name === known.instanceType);
    const offering = launchable?.type.offerings.find(
      ({ zone, capacityType }) => zone === known.zone && capacityType === known.capacityType,
    );
    const adopted = { ...known, ...contents(launchable, offering?.usdPerHour ?? null) };
    return this.#settled(this.#triesOf(claim), claim.uid, adopted);
  }

  /** EC2 has answered, and nothing came of it: its token is spent. */
  #answeredWithNothing(tries: Tries, uid: string): void {
    tries.attempt += 1;
    tries.unanswered = null;
    tries.isTokenReused = false;
    this.#unsure.delete(uid);
  }

  #noteError({ code, instanceType, subnetId }: FleetError, plan: FleetPlan): void {
    if (faultKind(code) !== 'capacity') return;
    const { ledger, outOfStock, clock } = this.#with;
    const { capacityType } = plan.request;
    if (code === 'InsufficientFreeAddressesInSubnet' && subnetId !== '') {
      ledger.markExhausted(subnetId);
      return;
    }
    if (WHOLESALE_CODES.has(code)) {
      outOfStock.markUnavailable({ instanceType: '*', zone: '*', capacityType }, clock.nowMs());
      return;
    }
    const zone = plan.zoneOf.get(subnetId);
    for (const candidate of plan.candidates) {
      const { name } = candidate.launchable.type;
      const isMeant =
        (instanceType === '' || name === instanceType) && (zone === undefined || candidate.zone === zone);
      if (isMeant)
        outOfStock.markUnavailable({ instanceType: name, zone: candidate.zone, capacityType }, clock.nowMs());
    }
  }

  #afterErrors(errors: readonly FleetError[], nodeClass: NodeClass, plan: FleetPlan): Round {
    const capacity = errors.some(({ code }) => faultKind(code) === 'capacity');
    const other = errors.find(({ code }) => faultKind(code) !== 'capacity');
    if (other === undefined && !capacity) {
      return done({
        kind: 'retryable',
        message: 'EC2 answered ec2:CreateFleet with neither instance nor error',
      });
    }
    // What lacks capacity is left out now, so asking again is worth it, whatever else was said.
    if (other === undefined || (capacity && faultKind(other.code) !== 'permission')) return AGAIN;
    return this.#afterRefusal(other, nodeClass, plan);
  }

  #afterRefusal(
    refusal: { readonly code: string; readonly message: string },
    nodeClass: NodeClass,
    plan: FleetPlan,
  ): Round {
    if (isStaleId(refusal.code)) this.#with.nodeClasses.invalidate();
    const isOurs = faultKind(refusal.code) === 'missingTemplate' && nodeClass.launchTemplate === null;
    if (!isOurs) return done(refusalOutcome(refusal, 'ec2:CreateFleet', nodeClass));
    for (const { launchTemplate } of plan.request.templates) this.#with.templates.invalidate(launchTemplate);
    return AGAIN;
  }

  #afterFault(caught: unknown, sent: Sent): Round {
    const fault = awsFault(caught);
    const { claim, nodeClass, tries, plan } = sent;
    const kind = faultKind(fault.code);
    if (kind === 'tokenReused') {
      tries.unanswered = null;
      tries.isTokenReused = true;
      this.#unsure.add(claim.uid);
      return done({
        kind: 'retryable',
        message: 'an earlier launch of this claim is not visible yet; looking for it',
      });
    }
    if (kind === 'transient') {
      if (mayHaveLaunched(fault.code)) {
        tries.unheardAtMs = this.#with.clock.nowMs();
        this.#unsure.add(claim.uid);
      }
      return done(refusalOutcome(fault, fault.action, nodeClass));
    }
    this.#answeredWithNothing(tries, claim.uid);
    if (kind !== 'capacity') return this.#afterRefusal(fault, nodeClass, plan);
    this.#noteError({ code: fault.code, message: fault.message, instanceType: '', subnetId: '' }, plan);
    return AGAIN;
  }
}

interface Sent {
  readonly claim: NodeClaim;
  readonly nodeClass: NodeClass;
  readonly tries: Tries;
  readonly plan: FleetPlan;
}

/** These say nothing of one type or zone, but of a whole capacity type in the account. */
const WHOLESALE_CODES: ReadonlySet<string> = new Set([
  'MaxSpotInstanceCountExceeded',
  'MaxFleetCountExceeded',
  'AuthFailure.ServiceLinkedRoleCreationNotPermitted',
]);

function contents(
  launchable: LaunchableType | undefined,
  usdPerHour: number | null,
): Pick<LaunchedInstance, 'usdPerHour' | 'capacity' | 'allocatable'> {
  const { capacity, allocatable } = launchable?.type ?? { capacity: {}, allocatable: {} };
  return { usdPerHour, capacity, allocatable };
}

/** Addresses that the node's pods may take, and its own. */
function addressesOf(candidate: Candidate | undefined, { eniLimitedPodDensity }: AwsSettings): number {
  const pods = candidate?.launchable.type.capacity.pods ?? 0;
  return 1 + (eniLimitedPodDensity ? pods : 0);
}

function noneInStock({ spec }: NodeClaim, allowed: readonly Candidate[]): LaunchOutcome {
  const offerings = allowed.map(({ launchable, ...offering }) => ({
    ...offering,
    instanceType: launchable.type.name,
  }));
  const message =
    allowed.length === 0
      ? `Provisioner ${spec.provisioner}: none of the planned types is sold at a known price where it has subnets`
      : `EC2 is out of all ${allowed.length} offerings that would do, ` +
        `${offerings[0]?.instanceType} in ${offerings[0]?.zone} among them; they are tried again in some minutes`;
  return { kind: 'insufficientCapacity', offerings, message };
}
