// EC2 in memory for tests: what its documents say of fleets, tokens, templates and lag, with faults to order.
import { AwsFault } from '../../src/aws/awsFault.ts';
import type {
  CapacityReservation,
  Ec2Api,
  Ec2Instance,
  Filter,
  FleetError,
  FleetOverride,
  FleetRequest,
  FleetResponse,
  Image,
  ImageQuery,
  LaunchTemplate,
  LaunchTemplateDraft,
  SpotPrice,
  Subnet,
  TerminatedInstance,
  TypeInZone,
} from '../../src/aws/ec2Api.ts';
import type { InstanceTypeFacts } from '../../src/aws/instanceTypeFacts.ts';
import type { SsmApi } from '../../src/aws/ssmApi.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { RequestLimits } from './requestLimits.ts';

export interface TaggedSubnet extends Subnet {
  readonly tags: Readonly<Record<string, string>>;
}

export interface TaggedGroup {
  readonly id: string;
  readonly tags: Readonly<Record<string, string>>;
}

export interface MemoryAccount {
  readonly facts: readonly InstanceTypeFacts[];
  readonly zones: readonly TypeInZone[];
  readonly spotPrices: readonly SpotPrice[];
  readonly subnets: readonly TaggedSubnet[];
  readonly groups: readonly TaggedGroup[];
  readonly images: readonly Image[];
}

type Action = Exclude<keyof Ec2Api, symbol>;

/** 'before': refused, nothing done. 'after': done, but the answer is lost. */
export interface OrderedFault {
  readonly action: Action;
  readonly when: 'before' | 'after';
  readonly code: string;
  readonly message?: string;
}

export interface HeldReservation extends CapacityReservation {
  freeInstances: number;
  readonly tags: Readonly<Record<string, string>>;
}

interface Fleet {
  readonly request: FleetRequest;
  readonly response: FleetResponse;
}

interface Held extends Ec2Instance {
  readonly visibleAtMs: number;
}

export class MemoryEc2 implements Ec2Api {
  account: MemoryAccount;
  /** Calls so far, in order. */
  readonly calls: Action[] = [];
  readonly fleets: FleetRequest[] = [];
  /** What instances have written, by id. */
  readonly consoles = new Map<string, string>();
  /** Calls refused by `limits`. */
  readonly throttles: Action[] = [];
  readonly templates = new Map<string, LaunchTemplateDraft>();
  /** `capacityType:type:zone`, `*` for any part. */
  readonly outOfStock = new Set<string>();
  /** Instances left of `capacityType:type:zone`; what is not in it never ends. */
  readonly stock = new Map<string, number>();
  /** `freeInstances` is the truth; launches into one take of it. */
  readonly reservations: HeldReservation[] = [];
  /** Errors that the next fleets answer with, in place of an instance. */
  readonly fleetErrors: (readonly FleetError[])[] = [];
  /** Decides for each call whether it fails, beside the faults ordered. */
  mischief: (action: Action) => Pick<OrderedFault, 'when' | 'code'> | null = () => null;
  /** Throttles as the account would; null: it takes any number of calls. */
  limits: RequestLimits | null = null;
  /** How long each call takes. */
  answerMs = 0;
  /** How long a new instance is missing from describes and unknown to terminations. */
  lagMs = 0;
  readonly #clock: Clock;
  readonly #faults: OrderedFault[] = [];
  readonly #instances = new Map<string, Held>();
  /** Ids by `key=value`; may hold ids that have lost the tag. */
  readonly #byTag = new Map<string, Set<string>>();
  readonly #tokens = new Map<string, Fleet>();
  readonly #used = new Map<string, number>();
  #sequence = 0;

  constructor(clock: Clock, account: MemoryAccount) {
    this.#clock = clock;
    this.account = account;
  }

  /** The next call of the action fails so. */
  order(fault: OrderedFault): void {
    this.#faults.push(fault);
  }

  /** Every instance ever launched, terminated ones too, lag or not. */
  everyInstance(): readonly Ec2Instance[] {
    return [...this.#instances.values()];
  }

  livingInstances(): readonly Ec2Instance[] {
    return this.everyInstance().filter(({ state }) => state !== 'terminated' && state !== 'shutting-down');
  }

  setState(id: string, state: Ec2Instance['state']): void {
    const held = this.#instances.get(id);
    if (held !== undefined) this.#instances.set(id, { ...held, state });
  }

  describeInstanceTypes(): Promise<readonly InstanceTypeFacts[]> {
    return this.#call('describeInstanceTypes', 0, () => this.account.facts);
  }

  describeInstanceTypeZones(): Promise<readonly TypeInZone[]> {
    return this.#call('describeInstanceTypeZones', 0, () => this.account.zones);
  }

  describeSpotPrices(): Promise<readonly SpotPrice[]> {
    return this.#call('describeSpotPrices', 0, () => this.account.spotPrices);
  }

  describeSubnets(filters: readonly Filter[]): Promise<readonly Subnet[]> {
    return this.#call('describeSubnets', 0, () =>
      this.account.subnets
        .filter(({ id, tags }) => matches(filters, tags, { 'subnet-id': id }))
        .map((subnet) => ({
          ...subnet,
          freeAddresses: subnet.freeAddresses - (this.#used.get(subnet.id) ?? 0),
        })),
    );
  }

  describeSecurityGroups(filters: readonly Filter[]): Promise<readonly string[]> {
    return this.#call('describeSecurityGroups', 0, () =>
      this.account.groups
        .filter(({ id, tags }) => matches(filters, tags, { 'group-id': id }))
        .map(({ id }) => id),
    );
  }

  describeImages({ filters }: ImageQuery): Promise<readonly Image[]> {
    return this.#call('describeImages', 0, () =>
      this.account.images.filter(({ id, name, tags }) => matches(filters, tags, { 'image-id': id, name })),
    );
  }

  createLaunchTemplate(draft: LaunchTemplateDraft): Promise<void> {
    return this.#call('createLaunchTemplate', 0, () => {
      if (this.templates.has(draft.name)) {
        throw new AwsFault(
          'ec2:CreateLaunchTemplate',
          'InvalidLaunchTemplateName.AlreadyExistsException',
          'in use',
        );
      }
      this.templates.set(draft.name, draft);
    });
  }

  describeCapacityReservations(filters: readonly Filter[]): Promise<readonly CapacityReservation[]> {
    return this.#call('describeCapacityReservations', 0, () =>
      this.reservations
        .filter(({ id, tags }) => matches(filters, tags, { 'capacity-reservation-id': id, state: 'active' }))
        .map((one) => ({ ...one })),
    );
  }

  describeLaunchTemplates(filters: readonly Filter[]): Promise<readonly LaunchTemplate[]> {
    return this.#call('describeLaunchTemplates', 0, () =>
      [...this.templates.values()]
        .filter(({ tags }) => matches(filters, tags, {}))
        .map(({ name }) => ({ name, createdAtMs: 0 })),
    );
  }

  createTags(ids: readonly string[], tags: Readonly<Record<string, string>>): Promise<void> {
    return this.#call('createTags', 0, () => {
      const nowMs = this.#clock.nowMs();
      for (const id of ids) {
        const held = this.#instances.get(id);
        if (held === undefined || nowMs < held.visibleAtMs)
          throw new AwsFault('ec2:CreateTags', 'InvalidInstanceID.NotFound', `${id} does not exist`);
        const tagged = { ...held, tags: { ...held.tags, ...tags } };
        this.#instances.set(id, tagged);
        this.#index(tagged);
      }
    });
  }

  getConsoleOutput(id: string): Promise<string> {
    return this.#call('getConsoleOutput', 0, () => {
      if (!this.#instances.has(id))
        throw new AwsFault('ec2:GetConsoleOutput', 'InvalidInstanceID.NotFound', `${id} does not exist`);
      return this.consoles.get(id) ?? '';
    });
  }

  deleteLaunchTemplate(name: string): Promise<void> {
    return this.#call('deleteLaunchTemplate', 0, () => {
      this.templates.delete(name);
    });
  }

  createFleet(request: FleetRequest): Promise<FleetResponse> {
    return this.#call('createFleet', request.count, () => {
      this.fleets.push(request);
      const earlier = this.#tokens.get(request.clientToken);
      if (earlier !== undefined) {
        // Source: EC2 API Reference, "Ensuring idempotency": same request, same answer; otherwise an error.
        if (JSON.stringify(earlier.request) === JSON.stringify(request)) return earlier.response;
        throw new AwsFault(
          'ec2:CreateFleet',
          'IdempotentParameterMismatch',
          'token used with other parameters',
        );
      }
      const response = this.#launch(request);
      this.#tokens.set(request.clientToken, { request, response });
      return response;
    });
  }

  describeInstances(filters: readonly Filter[]): Promise<readonly Ec2Instance[]> {
    return this.#call('describeInstances', 0, () => {
      const nowMs = this.#clock.nowMs();
      return this.#mayMatch(filters).filter(
        ({ id, visibleAtMs, tags, state }) =>
          nowMs >= visibleAtMs && matches(filters, tags, { 'instance-id': id, 'instance-state-name': state }),
      );
    });
  }

  terminateInstances(ids: readonly string[]): Promise<readonly TerminatedInstance[]> {
    return this.#call('terminateInstances', ids.length, () => {
      const nowMs = this.#clock.nowMs();
      const unknown = ids.find((id) => nowMs < (this.#instances.get(id)?.visibleAtMs ?? Infinity));
      if (unknown !== undefined) {
        throw new AwsFault(
          'ec2:TerminateInstances',
          'InvalidInstanceID.NotFound',
          `${unknown} does not exist`,
        );
      }
      return ids.map((id) => {
        const state = this.#instances.get(id)?.state === 'terminated' ? 'terminated' : 'shutting-down';
        this.setState(id, state);
        return { id, state };
      });
    });
  }

  /** Looks at the tag filter with the fewest instances only, so that a large account answers as fast as a small one. */
  #mayMatch(filters: readonly Filter[]): readonly Held[] {
    let fewest: ReadonlySet<string> | null = null;
    for (const { name, values } of filters) {
      const [value = ''] = values;
      if (!name.startsWith('tag:') || values.length !== 1 || /[*?]/.test(value)) continue;
      const ids = this.#byTag.get(`${name.slice(4)}=${value}`) ?? new Set<string>();
      if (fewest === null || ids.size < fewest.size) fewest = ids;
    }
    if (fewest === null) return [...this.#instances.values()];
    return [...fewest].flatMap((id) => this.#instances.get(id) ?? []);
  }

  #index({ id, tags }: Held): void {
    for (const [key, value] of Object.entries(tags)) {
      const ids = this.#byTag.get(`${key}=${value}`);
      if (ids === undefined) this.#byTag.set(`${key}=${value}`, new Set([id]));
      else ids.add(id);
    }
  }

  async #call<T>(action: Action, resources: number, answer: () => T): Promise<T> {
    this.calls.push(action);
    if (this.answerMs > 0) await this.#clock.sleep(this.answerMs);
    const index = this.#faults.findIndex((fault) => fault.action === action);
    const ordered = index === -1 ? undefined : this.#faults.splice(index, 1)[0];
    const fault: Omit<OrderedFault, 'action'> | null = ordered ?? this.mischief(action);
    const iamAction = `ec2:${action.charAt(0).toUpperCase()}${action.slice(1)}`;
    const refused = this.limits?.refusal(iamAction, resources, this.#clock.nowMs()) ?? null;
    if (refused !== null) {
      this.throttles.push(action);
      throw new AwsFault(iamAction, 'RequestLimitExceeded', refused);
    }
    if (fault?.when === 'before') throw new AwsFault(iamAction, fault.code, fault.message ?? fault.code);
    const value = answer();
    if (fault?.when === 'after') throw new AwsFault(iamAction, fault.code, fault.message ?? fault.code);
    return value;
  }

  #launch(request: FleetRequest): FleetResponse {
    const fleetId = this.#nextId('fleet');
    const ordered = this.fleetErrors.shift();
    if (ordered !== undefined) return { fleetId, instances: [], errors: ordered };
    const errors: FleetError[] = [];
    const instances: FleetResponse['instances'][0][] = [];
    for (const { launchTemplate, overrides } of request.templates) {
      if (!this.templates.has(launchTemplate) && !launchTemplate.startsWith('users-')) {
        const code = 'InvalidLaunchTemplateName.NotFoundException';
        return {
          fleetId,
          instances: [],
          errors: [{ code, message: launchTemplate, instanceType: '', subnetId: '' }],
        };
      }
      for (const override of overrides) {
        // Source: EC2 User Guide, "Configure an EC2 Fleet of type instant": each pool once, refusals beside instances.
        while (instances.length < request.count) {
          const error =
            this.#reservationRefusal(launchTemplate, override) ?? this.#refusalOf(request, override);
          if (error !== null) {
            errors.push(error);
            break;
          }
          this.#sell(request, launchTemplate, override);
          instances.push(this.#start(request, launchTemplate, override));
        }
      }
    }
    return { fleetId, instances, errors };
  }

  #reservationOf(template: string): HeldReservation | undefined {
    const id = this.templates.get(template)?.capacityReservationId;
    return this.reservations.find((one) => one.id === id);
  }

  /** Source: EC2 User Guide, "Launch instances into an existing Capacity Reservation"; code of RunInstances. */
  #reservationRefusal(template: string, { instanceType, subnetId }: FleetOverride): FleetError | null {
    const reservation = this.#reservationOf(template);
    if (reservation === undefined || reservation.freeInstances > 0) return null;
    const code = 'ReservationCapacityExceeded';
    return { code, message: `${reservation.id} has no capacity left`, instanceType, subnetId };
  }

  #sell({ capacityType }: FleetRequest, template: string, { instanceType, subnetId }: FleetOverride): void {
    const reservation = this.#reservationOf(template);
    if (reservation !== undefined) reservation.freeInstances -= 1;
    const key = `${capacityType}:${instanceType}:${this.#zoneOf(subnetId)}`;
    const left = this.stock.get(key);
    if (left !== undefined) this.stock.set(key, left - 1);
  }

  #zoneOf(subnetId: string): string {
    return this.account.subnets.find(({ id }) => id === subnetId)?.zone ?? '';
  }

  #refusalOf({ capacityType }: FleetRequest, { instanceType, subnetId }: FleetOverride): FleetError | null {
    const subnet = this.account.subnets.find(({ id }) => id === subnetId);
    if (subnet === undefined) {
      return {
        code: 'InvalidSubnetID.NotFound',
        message: `${subnetId} does not exist`,
        instanceType,
        subnetId,
      };
    }
    if (subnet.freeAddresses - (this.#used.get(subnetId) ?? 0) <= 0) {
      return {
        code: 'InsufficientFreeAddressesInSubnet',
        message: 'no address is free',
        instanceType,
        subnetId,
      };
    }
    const isOut = [
      `${capacityType}:${instanceType}:${subnet.zone}`,
      `${capacityType}:${instanceType}:*`,
      `${capacityType}:*:*`,
    ].some((key) => this.outOfStock.has(key) || (this.stock.get(key) ?? Infinity) <= 0);
    if (!isOut) return null;
    const message = `no capacity for ${instanceType} in ${subnet.zone}`;
    return { code: 'InsufficientInstanceCapacity', message, instanceType, subnetId };
  }

  #start(
    request: FleetRequest,
    template: string,
    { instanceType, subnetId }: FleetOverride,
  ): FleetResponse['instances'][0] {
    const id = this.#nextId('i');
    const nowMs = this.#clock.nowMs();
    this.#used.set(subnetId, (this.#used.get(subnetId) ?? 0) + 1);
    const started: Held = {
      id,
      instanceType,
      zone: this.#zoneOf(subnetId),
      capacityType: request.capacityType,
      imageId: this.templates.get(template)?.imageId ?? '',
      launchedAtMs: nowMs,
      state: 'running',
      tags: request.tags,
      subnetId,
      securityGroupIds: this.templates.get(template)?.securityGroupIds ?? [],
      visibleAtMs: nowMs + this.lagMs,
    };
    this.#instances.set(id, started);
    this.#index(started);
    return { id, instanceType, subnetId, capacityType: request.capacityType };
  }

  #nextId(prefix: string): string {
    this.#sequence += 1;
    return `${prefix}-${String(this.#sequence).padStart(8, '0')}`;
  }
}

function matches(
  filters: readonly Filter[],
  tags: Readonly<Record<string, string>>,
  fields: Readonly<Record<string, string>>,
): boolean {
  return filters.every(({ name, values }) => {
    if (name === 'tag-key') return values.some((key) => tags[key] !== undefined);
    // A filter that this stand-in does not know must fail loudly, or tests pass for the wrong reason.
    if (!name.startsWith('tag:') && !(name in fields)) throw new Error(`unknown filter ${name}`);
    const actual = name.startsWith('tag:') ? tags[name.slice(4)] : fields[name];
    return actual !== undefined && values.some((value) => wildcard(value).test(actual));
  });
}

function wildcard(pattern: string): RegExp {
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${escaped}$`);
}

/** SSM with these parameters and no others. */
export class MemorySsm implements SsmApi {
  readonly parameters: Map<string, string>;
  readonly asked: string[] = [];
  fault: AwsFault | null = null;

  constructor(parameters: Readonly<Record<string, string>>) {
    this.parameters = new Map(Object.entries(parameters));
  }

  async parameter(name: string): Promise<string | null> {
    this.asked.push(name);
    if (this.fault !== null) throw this.fault;
    return this.parameters.get(name) ?? null;
  }
}
