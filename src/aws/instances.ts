// The instances of this cluster as EC2 shows them, put right where EC2 lags behind what it has told us.
import { TAG } from '../model/labels.ts';
import type { Clock } from '../ports/clock.ts';
import type { Instance, InstanceOwner } from '../ports/cloudProvider.ts';
import { AwsFault, awsFault, faultKind } from './awsFault.ts';
import type { ClaimTags } from './claimTags.ts';
import type { Ec2Api, Ec2ByPriority, Ec2Instance, Filter, InstanceState } from './ec2Api.ts';
import { Gathered } from './gathered.ts';
import type { AwsSettings } from './settings.ts';
import { CLAIM_UID_TAG, clusterTag, LAUNCH_GROUP_TAG } from './tags.ts';

/** How long a new instance may be missing from answers. Source: EC2 API Reference, "Eventual consistency". */
const UNSEEN_MS = 60_000;
/** A termination that EC2 does not show by then is asked for again. */
const ASK_ANEW_MS = 60_000;
/** Ids in one TerminateInstances: as many as Karpenter v1; EC2 takes 1,000. */
const MOST_TERMINATIONS = 500;
/** What a filter takes. Source: EC2 API Reference, "Filter", at most 200 values. */
const MOST_FILTER_VALUES = 200;
const LIVING_STATES = ['pending', 'running', 'stopping', 'stopped'];

export interface InstancesDependencies {
  readonly clock: Clock;
  readonly settings: AwsSettings;
  readonly tags: ClaimTags;
}

export class Instances {
  readonly #ec2: Ec2Api;
  readonly #background: Ec2Api;
  readonly #tags: ClaimTags;
  readonly #clock: Clock;
  readonly #settings: AwsSettings;
  readonly #terminations: Gathered<InstanceState>;
  readonly #states: Gathered<InstanceState>;
  /** Launched by us, by id, until EC2 shows them. */
  readonly #recent = new Map<string, Instance>();
  /** Instances of shared fleets, by id: their first tags do not say which claim has them. */
  readonly #claimed = new Map<string, Instance>();
  /** When termination was asked for last, by id, until the instance is gone. */
  readonly #terminationAskedMs = new Map<string, number>();

  constructor(api: Ec2ByPriority, { clock, settings, tags }: InstancesDependencies) {
    const { ec2 } = api;
    this.#tags = tags;
    this.#ec2 = ec2;
    this.#background = api.background;
    this.#clock = clock;
    this.#settings = settings;
    this.#terminations = new Gathered({
      mostIds: MOST_TERMINATIONS,
      ask: async (ids) => statesById(await ec2.terminateInstances(ids)),
      // An unknown, protected or foreign instance makes EC2 refuse the whole call.
      isAboutOneId: (caught) =>
        caught instanceof AwsFault &&
        /^(InvalidInstanceID|OperationNotPermitted|Unauthorized)/.test(caught.code),
    });
    this.#states = new Gathered({
      mostIds: MOST_FILTER_VALUES,
      ask: async (ids) => statesById(await ec2.describeInstances([{ name: 'instance-id', values: ids }])),
      isAboutOneId: () => false,
    });
  }

  /** A fleet has answered with this instance, and this claim has it. */
  noteClaimed(instance: Instance): void {
    const id = instanceId(instance.providerId);
    this.#recent.set(id, instance);
    if (instance.launchGroup === undefined) return;
    this.#claimed.set(id, instance);
    this.#tags.owe(id, { name: instance.nodeClaim, uid: instance.nodeClaimUid });
  }

  /** The tags of an instance do not say which claim has it: an earlier life has not come to write them. */
  noteOwner(providerId: string, owner: InstanceOwner): void {
    this.#tags.owe(instanceId(providerId), owner);
  }

  /** Everything of this cluster that carries owner tags and is not terminated. Throws `AwsFault`. */
  async list(): Promise<readonly Instance[]> {
    const described = await this.#background.describeInstances([
      { name: 'tag-key', values: [TAG.nodeClaim] },
      this.#clusterFilter(),
      { name: 'instance-state-name', values: [...LIVING_STATES, 'shutting-down'] },
    ]);
    const seen = new Set(described.map(({ id }) => id));
    const unseen = this.#unseen(seen);
    for (const id of this.#claimed.keys()) {
      if (!seen.has(id) && !this.#recent.has(id)) this.#claimed.delete(id);
    }
    return [...described.map((one) => this.#withClaim(one)), ...unseen];
  }

  /** What EC2 shows, with the claim that has it where its tags do not say so yet. */
  #withClaim(described: Ec2Instance): Instance {
    const instance = instanceOf(described);
    const claimed = this.#claimed.get(described.id);
    if (claimed === undefined || instance.nodeClaimUid !== '') return instance;
    return { ...instance, nodeClaim: claimed.nodeClaim, nodeClaimUid: claimed.nodeClaimUid };
  }

  /** The living instances bought for a launch group, by its id. Throws `AwsFault`. */
  findByGroup(group: string): Promise<readonly Ec2Instance[]> {
    return this.#living({ name: `tag:${LAUNCH_GROUP_TAG}`, values: [group] });
  }

  /** The living instance of a claim, none when EC2 shows none. Throws `AwsFault`. */
  async findByClaim(claimUid: string): Promise<readonly Ec2Instance[]> {
    return (await this.#living({ name: `tag:${CLAIM_UID_TAG}`, values: [claimUid] })).slice(0, 1);
  }

  /** Oldest first. */
  async #living(filter: Filter): Promise<readonly Ec2Instance[]> {
    const described = await this.#ec2.describeInstances([
      filter,
      this.#clusterFilter(),
      { name: 'instance-state-name', values: LIVING_STATES },
    ]);
    return [...described].sort((a, b) => a.launchedAtMs - b.launchedAtMs || (a.id < b.id ? -1 : 1));
  }

  /**
   * Asks for termination, and when called again, whether the instance is gone. A termination that EC2 does not show
   * after a while is asked for anew. Throws `AwsFault` when a person must mend something.
   */
  async terminate(providerId: string): Promise<'terminating' | 'gone'> {
    const id = instanceId(providerId);
    this.#tags.forget(id);
    try {
      const gone = this.#isAsked(id) ? await this.#isGone(id) : await this.#askTermination(id);
      if (!gone) return 'terminating';
      this.#recent.delete(id);
      this.#terminationAskedMs.delete(id);
      return 'gone';
    } catch (caught) {
      const fault = awsFault(caught);
      if (fault.code === 'InvalidInstanceID.NotFound') return this.#mayBeUnseen(id) ? 'terminating' : 'gone';
      if (faultKind(fault.code) === 'transient') return 'terminating';
      throw fault;
    }
  }

  #isAsked(id: string): boolean {
    const askedMs = this.#terminationAskedMs.get(id) ?? -Infinity;
    return this.#clock.nowMs() - askedMs < ASK_ANEW_MS;
  }

  async #askTermination(id: string): Promise<boolean> {
    const state = await this.#terminations.of(id);
    this.#terminationAskedMs.set(id, this.#clock.nowMs());
    return state === 'terminated';
  }

  /** Terminated instances stay visible for about an hour, then EC2 knows them no more. */
  async #isGone(id: string): Promise<boolean> {
    const state = await this.#states.of(id);
    return state === undefined ? !this.#mayBeUnseen(id) : state === 'terminated';
  }

  #clusterFilter(): Filter {
    return { name: `tag:${clusterTag(this.#settings.clusterName)}`, values: ['owned'] };
  }

  #unseen(seen: ReadonlySet<string>): readonly Instance[] {
    const unseen: Instance[] = [];
    for (const [id, instance] of this.#recent) {
      // Once seen, EC2's answers are believed: a later absence means that it is gone.
      if (seen.has(id) || !this.#mayBeUnseen(id)) this.#recent.delete(id);
      else unseen.push(instance);
    }
    return unseen;
  }

  /** EC2 may answer "not found" to an instance that it has just launched. */
  #mayBeUnseen(id: string): boolean {
    const launchedAtMs = this.#recent.get(id)?.launchedAtMs ?? -Infinity;
    return this.#clock.nowMs() - launchedAtMs < UNSEEN_MS;
  }
}

function statesById(
  instances: readonly { readonly id: string; readonly state: InstanceState }[],
): ReadonlyMap<string, InstanceState> {
  return new Map(instances.map(({ id, state }) => [id, state]));
}

/** The port's view of an instance. */
export function instanceOf(instance: Ec2Instance): Instance {
  const { id, zone, instanceType, capacityType, imageId, launchedAtMs, state, tags } = instance;
  const group = tags[LAUNCH_GROUP_TAG];
  return {
    providerId: `aws:///${zone}/${id}`,
    instanceType,
    zone,
    capacityType,
    imageId,
    launchedAtMs,
    state,
    nodeClaim: tags[TAG.nodeClaim] ?? '',
    nodeClaimUid: tags[CLAIM_UID_TAG] ?? '',
    provisioner: tags[TAG.provisioner] ?? '',
    subnetId: instance.subnetId,
    securityGroupIds: instance.securityGroupIds,
    ...(group === undefined ? {} : { launchGroup: group }),
  };
}

/** The id that EC2 knows it by. */
export function instanceId(providerId: string): string {
  const match = /^aws:\/\/\/[^/]*\/(i-[0-9a-z]+)$/.exec(providerId);
  if (match?.[1] === undefined)
    throw new Error(`${providerId} is no provider id of EC2: aws:///<zone>/i-<id>`);
  return match[1];
}
