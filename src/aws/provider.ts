// The CloudProvider over EC2 and SSM: puts the parts of this folder together, and decides nothing itself.
import type { InstanceType } from '../model/instanceType.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { NodeClass, NodeClassTargets } from '../model/nodeClass.ts';
import type { Provisioner } from '../model/provisioner.ts';
import type { Clock } from '../ports/clock.ts';
import type {
  CloudProvider,
  ConsoleTail,
  Instance,
  InstanceOwner,
  InstanceTypesOutcome,
  InterruptedOffering,
  LaunchOutcome,
  RegisteredNode,
  TakenInstances,
} from '../ports/cloudProvider.ts';
import type { Log } from '../ports/telemetry.ts';
import { currentImageIds } from './amis.ts';
import { awsFault, faultAdvice, faultKind, permissionAdvice } from './awsFault.ts';
import { ClaimTags } from './claimTags.ts';
import { consoleTail } from './consoleTail.ts';
import type { Ec2Api } from './ec2Api.ts';
import { Instances } from './instances.ts';
import { Launcher } from './launcher.ts';
import { LaunchTemplates } from './launchTemplates.ts';
import { LearnedMemory } from './learnedMemory.ts';
import { NodeClasses } from './nodeClasses.ts';
import { pacedEc2, pacedSsm } from './pacedEc2.ts';
import type { PriceTable, Surcharge } from './prices.ts';
import type { RequestPacer } from './requestPacer.ts';
import { Reservations } from './reservations.ts';
import type { AwsSettings } from './settings.ts';
import type { SsmApi } from './ssmApi.ts';
import { SubnetLedger } from './subnets.ts';
import { type LaunchableType, TypeCatalogue } from './typeCatalogue.ts';
import { type Chance, UnavailableOfferings } from './unavailableOfferings.ts';

export interface AwsDependencies {
  readonly ec2: Ec2Api;
  readonly ssm: SsmApi;
  readonly clock: Clock;
  /** Shared by all who call the same account, so that they keep to its limits together. */
  readonly pacer: RequestPacer;
  /** In [0, 1), for jitter. */
  readonly chance: Chance;
  readonly log: Log;
  readonly settings: AwsSettings;
  /** USD per hour by instance type: the shipped table, the user's prices applied. */
  readonly onDemandPrices: PriceTable;
  /** What each node costs beside its instance; none when absent. */
  readonly surcharges?: readonly Surcharge[];
}

export class AwsCloudProvider implements CloudProvider {
  readonly #nodeClasses: NodeClasses;
  readonly #catalogue: TypeCatalogue;
  readonly #instances: Instances;
  readonly #launcher: Launcher;
  readonly #templates: LaunchTemplates;
  readonly #tags: ClaimTags;
  readonly #background: Ec2Api;
  readonly #reservations: Reservations;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #outOfStock: UnavailableOfferings;
  readonly #learned = new LearnedMemory();
  readonly #bareTypes = new WeakMap<readonly LaunchableType[], readonly InstanceType[]>();

  constructor(dependencies: AwsDependencies) {
    const { clock, pacer, settings, log } = dependencies;
    const ssm = pacedSsm(dependencies.ssm, pacer);
    const ec2 = pacedEc2(dependencies.ec2, pacer, 'urgent');
    const background = pacedEc2(dependencies.ec2, pacer, 'background');
    const outOfStock = new UnavailableOfferings(dependencies.chance);
    const ledger = new SubnetLedger(clock);
    this.#background = background;
    this.#log = log;
    this.#clock = clock;
    this.#outOfStock = outOfStock;
    this.#nodeClasses = new NodeClasses({ ec2, ssm }, clock, settings);
    this.#catalogue = new TypeCatalogue({ ...dependencies, ec2, outOfStock, ledger, learned: this.#learned });
    this.#reservations = new Reservations(ec2, clock, log);
    this.#tags = new ClaimTags(background, log);
    this.#templates = new LaunchTemplates({ ec2, background }, clock, settings.clusterName);
    this.#instances = new Instances({ ec2, background }, { clock, settings, tags: this.#tags });
    this.#launcher = new Launcher({
      ...{ ec2, clock, settings, outOfStock, ledger },
      nodeClasses: this.#nodeClasses,
      catalogue: this.#catalogue,
      instances: this.#instances,
      templates: this.#templates,
      reservations: this.#reservations,
    });
  }

  async instanceTypes(provisioner: Provisioner, nodeClass: NodeClass): Promise<InstanceTypesOutcome> {
    try {
      const resolved = await this.#nodeClasses.resolve(nodeClass);
      if (resolved.kind === 'notReady') return resolved;
      const view = { nodeClass, kubelet: provisioner.kubelet, resolved: resolved.value };
      const types = await this.#catalogue.types(view);
      return { kind: 'found', instanceTypes: this.#bare(types) };
    } catch (caught) {
      const { action, code, message } = awsFault(caught);
      return faultKind(code) === 'permission'
        ? { kind: 'notReady', reason: 'PermissionDenied', message: permissionAdvice(action, message) }
        : {
            kind: 'notReady',
            reason: 'AwsUnreachable',
            message: `${action} failed: ${code}: ${message}; trying again`,
          };
    }
  }

  async nodeClassTargets(nodeClass: NodeClass): Promise<NodeClassTargets | null> {
    try {
      const resolved = await this.#nodeClasses.resolve(nodeClass);
      if (resolved.kind === 'notReady') return null;
      const { subnets, securityGroupIds, boot } = resolved.value;
      return {
        imageIds: boot === null ? null : currentImageIds(boot.images),
        subnetIds: subnets.map(({ id }) => id),
        securityGroupIds: boot === null ? null : securityGroupIds,
      };
    } catch {
      // Told where it stops a launch; drift can wait.
      return null;
    }
  }

  /** The same array for the same catalogue, so that what is derived from it can be kept by identity. */
  #bare(types: readonly LaunchableType[]): readonly InstanceType[] {
    const held = this.#bareTypes.get(types) ?? types.map(({ type }) => type);
    this.#bareTypes.set(types, held);
    return held;
  }

  launch(claim: NodeClaim, nodeClass: NodeClass, taken?: TakenInstances): Promise<LaunchOutcome> {
    return this.#launcher.launch(claim, nodeClass, taken);
  }

  list(): Promise<readonly Instance[]> {
    return this.#instances.list();
  }

  terminate(providerId: string): Promise<'terminating' | 'gone'> {
    this.#launcher.forgetInstance(providerId);
    return this.#instances.terminate(providerId);
  }

  /** EC2 takes back an instance of this offering: the next one would not last either. */
  noteInterrupted(offering: InterruptedOffering): void {
    this.#outOfStock.markUnavailable(offering, this.#clock.nowMs());
  }

  noteNode(node: RegisteredNode): void {
    this.#learned.note(node);
  }

  noteOwner(providerId: string, owner: InstanceOwner): void {
    this.#instances.noteOwner(providerId, owner);
  }

  consoleTail(providerId: string): Promise<ConsoleTail> {
    return consoleTail(this.#background, providerId);
  }

  /** Loads what takes long before the first launch needs it. Failures are logged: the first use tries again. */
  async warm(): Promise<void> {
    try {
      await this.#catalogue.load();
    } catch (caught) {
      const fault = awsFault(caught);
      const { action, code } = fault;
      this.#log.warn({ action, code, error: faultAdvice(fault) }, 'instance types not loaded yet');
    }
  }

  /** Asks again for whatever is stale; call it every half minute or so, and launches never wait for a describe. */
  async refresh(): Promise<void> {
    this.#launcher.sweep();
    await Promise.all([
      this.#nodeClasses.refresh(),
      this.#catalogue.refresh(),
      this.#reservations.refresh(),
      this.#tags.settle(),
      this.#sweepTemplates(),
    ]);
  }

  async #sweepTemplates(): Promise<void> {
    try {
      await this.#templates.sweep();
    } catch (caught) {
      const fault = awsFault(caught);
      const { action, code } = fault;
      this.#log.warn({ action, code, error: faultAdvice(fault) }, 'unused launch templates not swept');
    }
  }
}
