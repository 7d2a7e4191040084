// The simulated EC2 account: sells, boots, lists and ends instances, with the delays and refusals of the real one.
import type { InstanceType } from '../model/instanceType.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { NodeClass, NodeClassTargets } from '../model/nodeClass.ts';
import type { Provisioner } from '../model/provisioner.ts';
import type {
  CloudProvider,
  ConsoleTail,
  Instance,
  InstanceTypesOutcome,
  InterruptedOffering,
  LaunchedInstance,
  LaunchOutcome,
} from '../ports/cloudProvider.ts';
import { allowedLots, type BadImage, hasBadImage, isShort, type Lot, type Shortage } from './cloudMarket.ts';
import { CALM, type CloudFaults } from './faults.ts';
import { LaunchTargets } from './launchTargets.ts';
import type { Random } from './random.ts';
import type { VirtualClock } from './virtualClock.ts';

/** Delays drawn evenly between the two bounds, in milliseconds. */
export type DelayRange = readonly [leastMs: number, mostMs: number];

export interface CloudTimings {
  /** CreateFleet's answer. */
  readonly launch: DelayRange;
  /** From the answer until the kubelet registers. */
  readonly boot: DelayRange;
  /** From TerminateInstances until the instance is terminated. */
  readonly shutdown: DelayRange;
  /** Describe and terminate calls. */
  readonly call: DelayRange;
}

/** Measured orders of magnitude for Nitro instances with an EKS-optimised image; scenarios set their own. */
export const USUAL_TIMINGS: CloudTimings = {
  launch: [900, 2200],
  boot: [22_000, 35_000],
  shutdown: [4000, 9000],
  call: [60, 180],
};

/** Told of what happens in the account. */
export interface CloudObserver {
  launchAsked?(claim: NodeClaim): void;
  launchAnswered?(claim: NodeClaim, outcome: LaunchOutcome): void;
  terminationAsked?(instance: SimulatedInstance): void;
  changed?(instance: SimulatedInstance): void;
  /** EC2 has said that it will take the spot instance back. */
  noticed?(instance: SimulatedInstance, notice: SpotNotice): void;
}

/** What EC2 says of a spot instance before it takes it back. */
export interface SpotNotice {
  readonly providerId: string;
  readonly noticedAtMs: number;
  readonly endsAtMs: number;
}

/** What goes wrong with one machine once it has booted. */
export interface BootMishaps {
  readonly isNeverReady: boolean;
  /** Its Node goes and is registered anew, or it joins once more under another name. */
  readonly again: { readonly kind: 'deleted' | 'renamed'; readonly afterMs: number } | null;
}

/** An instance, and the claim it boots with: what user data carries. */
export interface SimulatedInstance {
  instance: LaunchedInstance;
  readonly claim: NodeClaim;
  readonly lot: Lot;
  /** As its kubelet registers it; a machine may come back under another. */
  nodeName: string;
  readonly mishaps: BootMishaps;
  /** Its states so far and since when, the oldest first: what stale answers are made from. */
  readonly states: { readonly state: Instance['state']; readonly sinceMs: number }[];
}

export interface CloudParts {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly instanceTypes: readonly InstanceType[];
  readonly timings: CloudTimings;
  readonly badImages?: readonly BadImage[];
}

/** How long before its end a spot instance is told (Amazon EC2 User Guide, "Spot Instance interruption notices"). */
export const NOTICE_MS = 120_000;
/** Launches that are asked for within so short a time count as one fleet. */
const FLEET_MS = 100;
/** Describe calls may answer as of this long ago. */
const STALE_MOST_MS = 20_000;
/** A terminated instance still answers for its claim this long, as the client token of its launch does. */
const TOKEN_MEMORY_MS = 3_600_000;
/** How long a pool that had no capacity is reported as unavailable, as the real adapter remembers it. */
const SHORTAGE_MEMORY_MS = 180_000;

export class SimulatedCloud implements CloudProvider {
  readonly #parts: CloudParts;
  readonly #types: ReadonlyMap<string, InstanceType>;
  readonly #observers: CloudObserver[] = [];
  readonly targets: LaunchTargets;
  readonly #byProviderId = new Map<string, SimulatedInstance>();
  readonly #byClaimUid = new Map<string, SimulatedInstance>();
  readonly #unavailableUntilMs = new Map<string, number>();
  readonly #shortages: Shortage[] = [];
  readonly #notices = new Map<string, SpotNotice>();
  /** Terminated a moment ago: stale answers still have them. */
  readonly #lately = new Set<SimulatedInstance>();
  #fleet = { sinceMs: Number.NEGATIVE_INFINITY, left: 0 };
  #offered: readonly InstanceType[] | null = null;
  #faults: CloudFaults = CALM.cloud;
  #nextAddress = 0;

  constructor(parts: CloudParts) {
    this.#parts = parts;
    this.targets = new LaunchTargets(parts.instanceTypes);
    this.#types = new Map(parts.instanceTypes.map((type) => [type.name, type]));
  }

  observe(observer: CloudObserver): void {
    this.#observers.push(observer);
  }

  setFaults(faults: CloudFaults): void {
    this.#faults = faults;
  }

  addShortage(shortage: Shortage): void {
    this.#shortages.push(shortage);
  }

  /** Every instance that is not terminated, as it truly is: for checkers and faults, not for controllers. */
  living(): IterableIterator<SimulatedInstance> {
    return this.#byProviderId.values();
  }

  find(providerId: string): SimulatedInstance | undefined {
    return this.#byProviderId.get(providerId);
  }

  async nodeClassTargets(): Promise<NodeClassTargets> {
    return this.targets.now();
  }

  async instanceTypes(_provisioner: Provisioner, _nodeClass: NodeClass): Promise<InstanceTypesOutcome> {
    return { kind: 'found', instanceTypes: this.#typesOffered() };
  }

  launch(claim: NodeClaim, _nodeClass: NodeClass): Promise<LaunchOutcome> {
    for (const observer of this.#observers) observer.launchAsked?.(claim);
    const { random, timings } = this.#parts;
    const isThrottled = random.chance(this.#faults.throttled);
    const isAnswerLost = random.chance(this.#faults.answerLost);
    const isLeftOut = this.#isLeftOut();
    return this.#call(timings.launch, () => {
      const outcome: LaunchOutcome = isThrottled
        ? { kind: 'retryable', message: 'RequestLimitExceeded: simulated' }
        : this.#launchNow(claim, isLeftOut);
      for (const observer of this.#observers) observer.launchAnswered?.(claim, outcome);
      return isAnswerLost ? { kind: 'retryable', message: 'the answer was lost: simulated' } : outcome;
    });
  }

  list(): Promise<readonly Instance[]> {
    const { clock, random, timings } = this.#parts;
    const isFailing = random.chance(this.#faults.listFails);
    const staleMs = random.chance(this.#faults.staleList) ? random.integer(1000, STALE_MOST_MS) : 0;
    return this.#call(timings.call, () => {
      if (isFailing) throw new Error('RequestLimitExceeded: simulated');
      return this.#listAsOf(clock.nowMs() - staleMs);
    });
  }

  /** Spot instances that EC2 is about to take back, as its API shows them to whoever asks. */
  interruptionNotices(): readonly SpotNotice[] {
    return [...this.#notices.values()];
  }

  terminate(providerId: string): Promise<'terminating' | 'gone'> {
    const isFailing = this.#parts.random.chance(this.#faults.throttled);
    return this.#call(this.#parts.timings.call, () => {
      if (isFailing) throw new Error('RequestLimitExceeded: simulated');
      const held = this.#byProviderId.get(providerId);
      if (held === undefined) return 'gone';
      if (held.instance.state !== 'shutting-down') {
        for (const observer of this.#observers) observer.terminationAsked?.(held);
        this.#shutDown(held);
      }
      return 'terminating';
    });
  }

  /** What instances say that never join: those of a broken host nothing at all. */
  consoleTail(providerId: string): Promise<ConsoleTail> {
    return this.#call(this.#parts.timings.call, () => {
      const held = this.#byProviderId.get(providerId);
      if (held === undefined) return { kind: 'none', because: 'InvalidInstanceID.NotFound: simulated' };
      return { kind: 'lines', lines: ['Failed to start the kubelet: simulated'] };
    });
  }

  /** EC2 gives notice, and takes the spot instance back two minutes later. */
  interrupt(providerId: string): void {
    const held = this.#byProviderId.get(providerId);
    if (held === undefined || held.instance.state === 'shutting-down' || this.#notices.has(providerId))
      return;
    const { clock } = this.#parts;
    const notice = { providerId, noticedAtMs: clock.nowMs(), endsAtMs: clock.nowMs() + NOTICE_MS };
    this.#notices.set(providerId, notice);
    for (const observer of this.#observers) observer.noticed?.(held, notice);
    clock.at(notice.endsAtMs, () => this.takeBack(providerId));
  }

  /** What is taken back is short: it is not offered for a while. */
  noteInterrupted({ instanceType, zone, capacityType }: InterruptedOffering): void {
    this.#noteShort([lotKey(instanceType, { zone, capacityType })]);
  }

  /** EC2 ends the instance by itself, as after a notice, or without one when a host fails. */
  takeBack(providerId: string): void {
    const held = this.#byProviderId.get(providerId);
    if (held !== undefined && held.instance.state !== 'shutting-down') this.#shutDown(held);
  }

  /** An instance that someone started by hand with the claim's tags: what a leak looks like. */
  adopt(claim: NodeClaim, lot: Lot): SimulatedInstance {
    return this.#create(claim, lot);
  }

  /** A fleet may be given fewer instances than it asked for. */
  #isLeftOut(): boolean {
    const { clock, random } = this.#parts;
    if (clock.nowMs() - this.#fleet.sinceMs > FLEET_MS) {
      const isPartial = random.chance(this.#faults.partialFleet);
      const given = random.integer(0, 3);
      this.#fleet = { sinceMs: clock.nowMs(), left: isPartial ? given : Number.POSITIVE_INFINITY };
    }
    this.#fleet.left -= 1;
    return this.#fleet.left < 0;
  }

  #listAsOf(atMs: number): readonly Instance[] {
    const known = [...this.#byProviderId.values(), ...this.#lately];
    return known.flatMap(({ instance, states }) => {
      const state = states.findLast(({ sinceMs }) => sinceMs <= atMs)?.state;
      return state === undefined || state === 'terminated' ? [] : [{ ...instance, state }];
    });
  }

  #launchNow(claim: NodeClaim, isLeftOut: boolean): LaunchOutcome {
    const known = this.#byClaimUid.get(claim.uid);
    if (known !== undefined) return { kind: 'launched', instance: known.instance };
    const lots = allowedLots(claim.spec, this.#types);
    if (lots.length === 0) {
      const message = `NodeClaim ${claim.name}: no offering satisfies its requirements; widen its Provisioner`;
      return { kind: 'rejected', reason: 'NoOffering', message };
    }
    const nowMs = this.#parts.clock.nowMs();
    const lot = isLeftOut
      ? undefined
      : lots.find((one) => one.offering.available && !isShort(this.#shortages, one, nowMs));
    if (lot !== undefined) return { kind: 'launched', instance: this.#create(claim, lot).instance };
    this.#noteShort(lots.map(({ type, offering }) => lotKey(type.name, offering)));
    const offerings = lots.map(({ type, offering }) => ({ ...offering, instanceType: type.name }));
    const message = `no capacity in ${lots.length} offerings: simulated`;
    return { kind: 'insufficientCapacity', offerings, message };
  }

  #noteShort(lots: readonly string[]): void {
    const { clock } = this.#parts;
    for (const lot of lots) this.#unavailableUntilMs.set(lot, clock.nowMs() + SHORTAGE_MEMORY_MS);
    this.#offered = null;
    clock.after(SHORTAGE_MEMORY_MS, () => {
      this.#offered = null;
    });
  }

  #create(claim: NodeClaim, lot: Lot): SimulatedInstance {
    const { clock, random } = this.#parts;
    const { type, offering } = lot;
    this.#nextAddress += 1;
    const address = `10-0-${Math.floor(this.#nextAddress / 250)}-${(this.#nextAddress % 250) + 2}`;
    const created: SimulatedInstance = {
      claim,
      lot,
      nodeName: `ip-${address}.ec2.internal`,
      mishaps: this.#drawBootMishaps(),
      states: [{ state: 'pending', sinceMs: clock.nowMs() }],
      instance: {
        providerId: `aws:///${offering.zone}/i-${random.hex(17)}`,
        instanceType: type.name,
        zone: offering.zone,
        capacityType: offering.capacityType,
        ...this.targets.ofLaunch(offering.zone),
        launchedAtMs: clock.nowMs(),
        state: 'pending',
        nodeClaim: claim.name,
        nodeClaimUid: claim.uid,
        provisioner: claim.spec.provisioner,
        usdPerHour: offering.usdPerHour,
        capacity: type.capacity,
        allocatable: type.allocatable,
      },
    };
    this.#byProviderId.set(created.instance.providerId, created);
    this.#byClaimUid.set(claim.uid, created);
    this.#tell(created);
    const { badImages = [] } = this.#parts;
    const isBad = hasBadImage(badImages, claim.spec.provisioner, clock.nowMs());
    clock.after(this.#delay(this.#parts.timings.boot), () => {
      if (created.instance.state !== 'pending' || random.chance(this.#faults.neverBoots) || isBad) return;
      if (this.targets.isBad(created.instance.imageId)) return;
      this.#setState(created, 'running');
    });
    return created;
  }

  #drawBootMishaps(): BootMishaps {
    const random = this.#parts.random.fork(`boot/${this.#nextAddress}`);
    const isNeverReady = random.chance(this.#faults.neverReady);
    const again = random.chance(this.#faults.registersTwice);
    const kind = random.chance(0.5) ? 'deleted' : 'renamed';
    return { isNeverReady, again: again ? { kind, afterMs: random.integer(1000, 90_000) } : null };
  }

  #shutDown(held: SimulatedInstance): void {
    this.#setState(held, 'shutting-down');
    this.#parts.clock.after(this.#delay(this.#parts.timings.shutdown), () => {
      this.#byProviderId.delete(held.instance.providerId);
      this.#notices.delete(held.instance.providerId);
      this.#setState(held, 'terminated');
      this.#lately.add(held);
      this.#parts.clock.after(STALE_MOST_MS, () => this.#lately.delete(held));
      this.#parts.clock.after(TOKEN_MEMORY_MS, () => this.#byClaimUid.delete(held.claim.uid));
    });
  }

  #setState(held: SimulatedInstance, state: Instance['state']): void {
    held.instance = { ...held.instance, state };
    held.states.push({ state, sinceMs: this.#parts.clock.nowMs() });
    this.#tell(held);
  }

  #tell(held: SimulatedInstance): void {
    for (const observer of this.#observers) observer.changed?.(held);
  }

  /** The list is made again only when a pool's standing changes: identity tells callers that nothing has. */
  #typesOffered(): readonly InstanceType[] {
    if (this.#offered !== null) return this.#offered;
    const nowMs = this.#parts.clock.nowMs();
    const isGone = (
      name: string,
      offering: { readonly zone: string; readonly capacityType: string },
    ): boolean => (this.#unavailableUntilMs.get(lotKey(name, offering)) ?? 0) > nowMs;
    this.#offered = this.#parts.instanceTypes.map((type) =>
      type.offerings.some((offering) => isGone(type.name, offering))
        ? {
            ...type,
            offerings: type.offerings.map((offering) =>
              isGone(type.name, offering) ? { ...offering, available: false } : offering,
            ),
          }
        : type,
    );
    return this.#offered;
  }

  #delay([leastMs, mostMs]: DelayRange): number {
    return this.#parts.random.integer(leastMs, mostMs);
  }

  #call<T>(range: DelayRange, act: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#parts.clock.after(this.#delay(range), () => {
        try {
          resolve(act());
        } catch (failure) {
          reject(failure);
        }
      });
    });
  }
}

function lotKey(
  instanceType: string,
  offering: { readonly zone: string; readonly capacityType: string },
): string {
  return `${instanceType} ${offering.zone} ${offering.capacityType}`;
}
