// From candidates to a request that can be sent: user data written, launch templates in place, subnets chosen.
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { NodeClass } from '../model/nodeClass.ts';
import type { LaunchOutcome } from '../ports/cloudProvider.ts';
import { bootFacts } from './bootFacts.ts';
import type { FleetRequest, FleetTemplate } from './ec2Api.ts';
import { type Candidate, fleetTemplate, type TemplateGroup, templateGroups } from './fleet.ts';
import { DEFAULT_AMI_FAMILY } from './instanceTypes.ts';
import { type LaunchTemplates, launchTemplateDraft } from './launchTemplates.ts';
import type { ResolvedNodeClass } from './nodeClasses.ts';
import { eniLimitedPods } from './overhead.ts';
import { found, type Resolved } from './readiness.ts';
import type { AwsSettings } from './settings.ts';
import { addressesOf, type SubnetLedger } from './subnets.ts';
import { fleetTags } from './tags.ts';
import type { LaunchableType } from './typeCatalogue.ts';
import { userData } from './userData.ts';

/** A request and what is needed to understand its answer. */
export interface FleetPlan {
  readonly request: FleetRequest;
  readonly candidates: readonly Candidate[];
  /** By subnet id. */
  readonly zoneOf: ReadonlyMap<string, string>;
  /** What the launch may take of each subnet, by its id. */
  readonly addressesBySubnet: ReadonlyMap<string, number>;
  /** The reservation that it is to use up; null for what anybody can buy. */
  readonly reservationId: string | null;
}

export interface PlanInput {
  readonly claim: NodeClaim;
  readonly nodeClass: NodeClass;
  readonly resolved: ResolvedNodeClass;
  readonly candidates: readonly Candidate[];
  readonly token: string;
  /** Instances to buy: one for each claim of the launch group that waits. */
  readonly count: number;
  readonly reservationId: string | null;
}

export interface PlannerDependencies {
  readonly settings: AwsSettings;
  readonly templates: LaunchTemplates;
  readonly ledger: SubnetLedger;
}

export class FleetPlanner {
  readonly #with: PlannerDependencies;

  constructor(dependencies: PlannerDependencies) {
    this.#with = dependencies;
  }

  /** A plan, or the outcome that a person must mend. Throws `AwsFault` when a template cannot be made. */
  async plan(input: PlanInput): Promise<FleetPlan | LaunchOutcome> {
    const { claim, nodeClass, resolved, candidates, token, count } = input;
    const { settings, ledger } = this.#with;
    const subnets = ledger.choose(resolved.subnets);
    const groups = templateGroups(candidates, (launchable) => this.#maxPods(launchable, input));
    const templates = await Promise.all(
      groups.map(async (group): Promise<Resolved<FleetTemplate>> => {
        const name = await this.#templateName(group, input);
        return name.kind === 'notReady' ? name : found(fleetTemplate(name.value, group, subnets));
      }),
    );
    const ready: FleetTemplate[] = [];
    for (const template of templates) {
      if (template.kind === 'notReady') {
        return { kind: 'rejected', reason: template.reason, message: template.message };
      }
      // A zone's last subnet may have filled up since the offerings were looked at.
      if (template.value.overrides.length > 0) ready.push(template.value);
    }
    if (ready.length === 0) {
      return {
        kind: 'retryable',
        message: 'the subnets of all zones that would do have just run out of addresses',
      };
    }
    const request: FleetRequest = {
      clientToken: token,
      capacityType: groups[0]?.capacityType ?? 'on-demand',
      count,
      templates: ready,
      tags: fleetTags(claim, nodeClass, settings),
      context: nodeClass.context,
    };
    const most = Math.max(...candidates.map(({ launchable }) => addressesOf(launchable, settings)));
    return {
      request,
      candidates,
      reservationId: input.reservationId,
      zoneOf: new Map(resolved.subnets.map(({ id, zone }) => [id, zone])),
      addressesBySubnet: new Map(
        ready.flatMap(({ overrides }) => overrides.map(({ subnetId }) => [subnetId, count * most])),
      ),
    };
  }

  async #templateName(
    group: TemplateGroup,
    { claim, nodeClass, resolved, reservationId }: PlanInput,
  ): Promise<Resolved<string>> {
    if (resolved.boot === null) return found(nodeClass.launchTemplate ?? '');
    const { settings, templates } = this.#with;
    const { capacityType, maxPods, imageId } = group;
    const text = userData(nodeClass, bootFacts(claim.spec, settings, { capacityType, maxPods }));
    if (text.kind === 'notReady') return text;
    const draft = launchTemplateDraft(
      {
        provisioner: claim.spec.provisioner,
        nodeClass,
        imageId,
        userData: text.value,
        instanceProfile: resolved.boot.instanceProfile,
        securityGroupIds: resolved.securityGroupIds,
        capacityReservationId: reservationId,
      },
      settings,
    );
    await templates.ensure(draft);
    return found(draft.name);
  }

  /**
   * What the machine must be told, because it would count differently. Told only when needed: every different count
   * is a launch template of its own. Bottlerocket and nodeadm count interfaces as we do, and know podsPerCore.
   */
  #maxPods({ type, facts }: LaunchableType, { claim, nodeClass }: PlanInput): number | null {
    const { maxPods, podsPerCore } = claim.spec.kubelet;
    if (maxPods !== undefined) return maxPods;
    const counted = type.capacity.pods ?? 0;
    if (podsPerCore !== undefined && (nodeClass.amiFamily ?? DEFAULT_AMI_FAMILY) !== 'Bottlerocket')
      return null;
    return counted === eniLimitedPods(facts, 0) ? null : counted;
  }
}
