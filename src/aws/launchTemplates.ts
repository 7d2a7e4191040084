// Launch templates named after their content: the same content is one template, made once and found again.
import { createHash } from 'node:crypto';
import type { AmiFamily, BlockDevice, MetadataOptions, NodeClass } from '../model/nodeClass.ts';
import type { Clock } from '../ports/clock.ts';
import { type AwsFault, awsFault } from './awsFault.ts';
import type { Ec2Api, Ec2ByPriority, LaunchTemplateDraft } from './ec2Api.ts';
import { DEFAULT_AMI_FAMILY, DEFAULT_VOLUME_GIB } from './instanceTypes.ts';
import type { AwsSettings } from './settings.ts';
import { CLUSTER_TAG, templateTags } from './tags.ts';

/** IMDSv2 only, and one hop: pods cannot reach it. */
const DEFAULT_METADATA_OPTIONS: MetadataOptions = {
  httpEndpoint: 'enabled',
  httpProtocolIpv6: 'disabled',
  httpPutResponseHopLimit: 1,
  httpTokens: 'required',
};

export interface TemplateContent {
  readonly provisioner: string;
  readonly nodeClass: NodeClass;
  readonly imageId: string;
  readonly userData: string;
  readonly instanceProfile: string;
  readonly securityGroupIds: readonly string[];
  readonly capacityReservationId: string | null;
}

/** The template for this content, its name being a hash of it. */
export function launchTemplateDraft(content: TemplateContent, settings: AwsSettings): LaunchTemplateDraft {
  const { nodeClass, capacityReservationId } = content;
  const draft = {
    imageId: content.imageId,
    userData: content.userData,
    instanceProfile: content.instanceProfile,
    securityGroupIds: [...content.securityGroupIds].sort(),
    blockDevices: blockDevicesOf(nodeClass),
    metadataOptions: nodeClass.metadataOptions ?? DEFAULT_METADATA_OPTIONS,
    detailedMonitoring: nodeClass.detailedMonitoring,
    ...(capacityReservationId === null ? {} : { capacityReservationId }),
    tags: templateTags(content.provisioner, nodeClass, settings),
  };
  const hash = createHash('sha256').update(stableJson(draft)).digest('hex').slice(0, 16);
  return { name: `Karpenter-${settings.clusterName}-${hash}`, ...draft };
}

/** JSON with keys sorted, so that the order in which a user wrote tags changes nothing. */
function stableJson(value: unknown): string {
  return JSON.stringify(value, (_key, held: unknown) => {
    if (typeof held !== 'object' || held === null || Array.isArray(held)) return held;
    return Object.fromEntries(Object.entries(held).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

function blockDevicesOf(nodeClass: NodeClass): readonly BlockDevice[] {
  if (nodeClass.blockDevices.length > 0) return nodeClass.blockDevices;
  return defaultDevices(nodeClass.amiFamily ?? DEFAULT_AMI_FAMILY).map(([deviceName, volumeSizeGib]) => ({
    deviceName,
    volumeSizeGib,
    volumeType: 'gp3',
    iops: null,
    throughput: null,
    encrypted: true,
    kmsKeyId: null,
    deleteOnTermination: true,
    snapshotId: null,
  }));
}

/** Device names and GiB by family; a Custom image keeps the mapping it was made with. */
function defaultDevices(family: AmiFamily): readonly (readonly [string, number])[] {
  if (family === 'Custom') return [];
  if (family.startsWith('Windows')) return [['/dev/sda1', 50]];
  if (family === 'Ubuntu') return [['/dev/sda1', DEFAULT_VOLUME_GIB]];
  if (family !== 'Bottlerocket') return [['/dev/xvda', DEFAULT_VOLUME_GIB]];
  return [
    ['/dev/xvda', 4],
    ['/dev/xvdb', DEFAULT_VOLUME_GIB],
  ];
}

const EXISTS_CODE = 'InvalidLaunchTemplateName.AlreadyExistsException';

/** Making one anew takes a moment of the next launch only; EC2 allows 5,000 of them in a region. */
const UNUSED_MS = 24 * 3_600_000;
const SWEEP_EVERY_MS = 3_600_000;

/** Which templates are known to exist. Asks EC2 once per name, however many launches need it at a time. */
export class LaunchTemplates {
  readonly #ec2: Ec2Api;
  readonly #background: Ec2Api;
  readonly #clock: Clock;
  readonly #clusterName: string;
  readonly #ensured = new Map<string, Promise<void>>();
  /** By name: when a launch used it last, or when it was first seen. */
  readonly #usedAtMs = new Map<string, number>();
  #sweptAtMs: number;

  constructor(api: Ec2ByPriority, clock: Clock, clusterName: string) {
    this.#ec2 = api.ec2;
    this.#background = api.background;
    this.#clock = clock;
    this.#clusterName = clusterName;
    this.#sweptAtMs = clock.nowMs();
  }

  /**
   * Once an hour: deletes templates of this cluster that no launch of this process has used for a day. Running
   * instances need them no more, and a launch that needs one again makes it anew. Throws `AwsFault`, though only once
   * all have been tried.
   */
  async sweep(): Promise<void> {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#sweptAtMs < SWEEP_EVERY_MS) return;
    this.#sweptAtMs = nowMs;
    const found = await this.#background.describeLaunchTemplates([
      { name: `tag:${CLUSTER_TAG}`, values: [this.#clusterName] },
    ]);
    const names = new Set(found.map(({ name }) => name));
    for (const name of this.#usedAtMs.keys()) if (!names.has(name)) this.#usedAtMs.delete(name);
    let refused: AwsFault | null = null;
    for (const name of names) {
      const usedAtMs = this.#usedAtMs.get(name) ?? nowMs;
      this.#usedAtMs.set(name, usedAtMs);
      if (nowMs - usedAtMs < UNUSED_MS) continue;
      // Forgotten first: a launch that comes meanwhile makes it anew.
      this.#ensured.delete(name);
      await this.#background.deleteLaunchTemplate(name).catch((caught: unknown) => {
        refused ??= awsFault(caught);
      });
    }
    if (refused !== null) throw refused;
  }

  /** Makes the template unless it exists. Throws `AwsFault`. */
  ensure(draft: LaunchTemplateDraft): Promise<void> {
    this.#usedAtMs.set(draft.name, this.#clock.nowMs());
    const held = this.#ensured.get(draft.name);
    if (held !== undefined) return held;
    const made = this.#create(draft).catch((caught: unknown) => {
      this.#ensured.delete(draft.name);
      throw caught;
    });
    this.#ensured.set(draft.name, made);
    return made;
  }

  /** EC2 does not know it any more: somebody has deleted it. */
  invalidate(name: string): void {
    this.#ensured.delete(name);
  }

  async #create(draft: LaunchTemplateDraft): Promise<void> {
    try {
      await this.#ec2.createLaunchTemplate(draft);
    } catch (caught) {
      // Another replica, or our own earlier life, has made the very same one.
      if (awsFault(caught).code !== EXISTS_CODE) throw caught;
    }
  }
}
