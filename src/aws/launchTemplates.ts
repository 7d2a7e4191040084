// Launch templates named after their content: the same content is one template, made once and found again.
import { createHash } from 'node:crypto';
import type { AmiFamily, BlockDevice, MetadataOptions, NodeClass } from '../model/nodeClass.ts';
import { awsFault } from './awsFault.ts';
import type { Ec2Api, LaunchTemplateDraft } from './ec2Api.ts';
import { DEFAULT_AMI_FAMILY, DEFAULT_VOLUME_GIB } from './instanceTypes.ts';
import type { AwsSettings } from './settings.ts';
import { templateTags } from './tags.ts';

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
}

/** The template for this content, its name being a hash of it. */
export function launchTemplateDraft(content: TemplateContent, settings: AwsSettings): LaunchTemplateDraft {
  const { nodeClass } = content;
  const draft = {
    imageId: content.imageId,
    userData: content.userData,
    instanceProfile: content.instanceProfile,
    securityGroupIds: [...content.securityGroupIds].sort(),
    blockDevices: blockDevicesOf(nodeClass),
    metadataOptions: nodeClass.metadataOptions ?? DEFAULT_METADATA_OPTIONS,
    detailedMonitoring: nodeClass.detailedMonitoring,
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

/** Which templates are known to exist. Asks EC2 once per name, however many launches need it at a time. */
export class LaunchTemplates {
  readonly #ec2: Ec2Api;
  readonly #ensured = new Map<string, Promise<void>>();

  constructor(ec2: Ec2Api) {
    this.#ec2 = ec2;
  }

  /** Makes the template unless it exists. Throws `AwsFault`. */
  ensure(draft: LaunchTemplateDraft): Promise<void> {
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
