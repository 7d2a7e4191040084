// What a node class stands for in the account just now: subnets, security groups, images, instance profile.
import type { NodeClass, TagSelector } from '../model/nodeClass.ts';
import type { Clock } from '../ports/clock.ts';
import { type BootImage, bootImages } from './amis.ts';
import type { Ec2Api, Image, Subnet } from './ec2Api.ts';
import { FreshCache } from './freshCache.ts';
import { found, notReady, type Resolved } from './readiness.ts';
import { fieldOf, selectorFilters, writeSelector } from './selectors.ts';
import type { AwsSettings } from './settings.ts';
import type { SsmApi } from './ssmApi.ts';

export interface ResolvedNodeClass {
  readonly subnets: readonly Subnet[];
  readonly securityGroupIds: readonly string[];
  /** null when the user's own launch template brings everything but subnets. */
  readonly boot: { readonly images: readonly BootImage[]; readonly instanceProfile: string } | null;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Subnets and groups change when people retag them; a minute is what users of Karpenter know. */
const NETWORK_FRESHNESS = { staleAfterMs: MINUTE_MS, uselessAfterMs: 10 * MINUTE_MS };
/** New images come out about weekly. */
const IMAGE_FRESHNESS = { staleAfterMs: 10 * MINUTE_MS, uselessAfterMs: 24 * HOUR_MS };

export class NodeClasses {
  readonly #ec2: Ec2Api;
  readonly #ssm: SsmApi;
  readonly #settings: AwsSettings;
  readonly #subnets: FreshCache<readonly Subnet[]>;
  readonly #groups: FreshCache<readonly string[]>;
  readonly #parameters: FreshCache<string | null>;
  readonly #images: FreshCache<readonly Image[]>;

  constructor(api: { readonly ec2: Ec2Api; readonly ssm: SsmApi }, clock: Clock, settings: AwsSettings) {
    this.#ec2 = api.ec2;
    this.#ssm = api.ssm;
    this.#settings = settings;
    this.#subnets = new FreshCache(clock, NETWORK_FRESHNESS);
    this.#groups = new FreshCache(clock, NETWORK_FRESHNESS);
    this.#parameters = new FreshCache(clock, IMAGE_FRESHNESS);
    this.#images = new FreshCache(clock, IMAGE_FRESHNESS);
  }

  /** Throws `AwsFault` when AWS cannot be asked and nothing usable is known from before. */
  async resolve(nodeClass: NodeClass): Promise<Resolved<ResolvedNodeClass>> {
    const [subnets, groups, boot] = await Promise.all([
      this.#subnetsOf(nodeClass),
      this.#groupsOf(nodeClass),
      this.#bootOf(nodeClass),
    ]);
    if (subnets.kind === 'notReady') return subnets;
    if (groups.kind === 'notReady') return groups;
    if (boot.kind === 'notReady') return boot;
    return found({ subnets: subnets.value, securityGroupIds: groups.value, boot: boot.value });
  }

  /** Asks again for all that is stale. */
  async refresh(): Promise<void> {
    const caches = [this.#subnets, this.#groups, this.#parameters, this.#images];
    await Promise.all(caches.map((cache) => cache.refresh()));
  }

  /** EC2 has refused an id that we had from here: everything is looked up again. */
  invalidate(): void {
    this.#subnets.clear();
    this.#groups.clear();
    this.#parameters.clear();
    this.#images.clear();
  }

  async #subnetsOf(nodeClass: NodeClass): Promise<Resolved<readonly Subnet[]>> {
    const selector = nodeClass.subnetSelector;
    if (isEmpty(selector)) return selectorMissing(nodeClass, 'subnetSelector');
    const filters = selectorFilters(selector, 'subnet-id');
    const key = JSON.stringify(filters);
    const subnets = await this.#subnets.get(key, () => this.#ec2.describeSubnets(filters));
    if (subnets.length > 0) return found(subnets);
    // Nothing is not worth keeping: the user is about to tag a subnet.
    this.#subnets.invalidate(key);
    return notReady('SubnetsNotFound', this.#noMatch(nodeClass, 'subnetSelector', 'subnet'));
  }

  async #groupsOf(nodeClass: NodeClass): Promise<Resolved<readonly string[]>> {
    if (nodeClass.launchTemplate !== null) return found([]);
    const selector = nodeClass.securityGroupSelector;
    if (isEmpty(selector)) return selectorMissing(nodeClass, 'securityGroupSelector');
    const filters = selectorFilters(selector, 'group-id');
    const key = JSON.stringify(filters);
    const groups = await this.#groups.get(key, () => this.#ec2.describeSecurityGroups(filters));
    if (groups.length > 0) return found(groups);
    this.#groups.invalidate(key);
    return notReady(
      'SecurityGroupsNotFound',
      this.#noMatch(nodeClass, 'securityGroupSelector', 'security group'),
    );
  }

  #noMatch(nodeClass: NodeClass, field: 'subnetSelector' | 'securityGroupSelector', what: string): string {
    const { region } = this.#settings;
    return (
      `${fieldOf(nodeClass, field)}: no ${what} in ${region} matches ${writeSelector(nodeClass[field])}; ` +
      `tag one so, or change the selector`
    );
  }

  async #bootOf(nodeClass: NodeClass): Promise<Resolved<ResolvedNodeClass['boot']>> {
    if (nodeClass.launchTemplate !== null) return found(null);
    const instanceProfile = nodeClass.instanceProfile ?? this.#settings.defaultInstanceProfile;
    if (instanceProfile === null || instanceProfile === '') {
      const field = fieldOf(nodeClass, 'instanceProfile');
      const mend = 'name the profile of the node role here or in the setting defaultInstanceProfile';
      const message = `${field}: missing, and there is no default; ${mend}`;
      return notReady('InstanceProfileMissing', message);
    }
    const images = await bootImages(nodeClass, this.#settings.kubernetesVersion, {
      parameter: (name) => this.#parameters.get(name, () => this.#ssm.parameter(name)),
      images: (query) => this.#images.get(JSON.stringify(query), () => this.#ec2.describeImages(query)),
    });
    return images.kind === 'notReady' ? images : found({ images: images.value, instanceProfile });
  }
}

function isEmpty(selector: TagSelector): boolean {
  return Object.keys(selector).length === 0;
}

function selectorMissing(nodeClass: NodeClass, field: string): Resolved<never> {
  const mend = 'write the tags to look for, as karpenter.sh/discovery: <cluster>';
  const message = `${fieldOf(nodeClass, field)}: missing; ${mend}`;
  return notReady('SelectorMissing', message);
}
