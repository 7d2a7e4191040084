// AWSNodeTemplates and inline `provider` sections, turned into the model's node class.
import type { AmiFamily, BlockDevice, MetadataOptions, NodeClass } from '../model/nodeClass.ts';
import { nodeClassKey } from '../model/nodeClass.ts';
import { parseQuantity } from '../model/quantity.ts';
import { checkManifest } from './manifest.ts';
import type { Parsed } from './parsed.ts';
import { AWS_NODE_TEMPLATE } from './schemas/awsNodeTemplate.ts';
import type { WireAwsSpec, WireBlockDevice } from './wire.ts';

/** Parses an AWSNodeTemplate. Never throws, whatever the JSON. */
export function parseAwsNodeTemplate(manifest: unknown): Parsed<NodeClass> {
  const checked = checkManifest<WireAwsSpec>(AWS_NODE_TEMPLATE, manifest);
  if (checked.kind === 'invalid') return checked;
  const { metadata, generation, spec } = checked.value;
  const key = nodeClassKey({ kind: AWS_NODE_TEMPLATE.kind, name: metadata.name });
  return { kind: 'valid', value: readNodeClass({ key, generation }, spec) };
}

/** A node class from a section that fits its schema. */
export function readNodeClass(id: Pick<NodeClass, 'key' | 'generation'>, spec: WireAwsSpec): NodeClass {
  return {
    ...id,
    subnetSelector: spec.subnetSelector,
    securityGroupSelector: spec.securityGroupSelector ?? {},
    ...(spec.capacityReservationSelector === undefined
      ? {}
      : { capacityReservationSelector: spec.capacityReservationSelector }),
    instanceProfile: spec.instanceProfile ?? null,
    // The schema lists the same families as the model.
    amiFamily: (spec.amiFamily as AmiFamily | undefined) ?? null,
    amiSelector: spec.amiSelector ?? {},
    userData: spec.userData ?? null,
    launchTemplate: spec.launchTemplate ?? null,
    tags: spec.tags ?? {},
    metadataOptions: spec.metadataOptions === undefined ? null : readMetadataOptions(spec.metadataOptions),
    blockDevices: (spec.blockDeviceMappings ?? []).map(readBlockDevice),
    detailedMonitoring: spec.detailedMonitoring ?? false,
    ...(spec.instanceStorePolicy === 'RAID0' ? { instanceStorePolicy: 'RAID0' as const } : {}),
    context: spec.context ?? null,
  };
}

/** Options left out take the values that Karpenter v0.16 gave them. */
function readMetadataOptions(options: NonNullable<WireAwsSpec['metadataOptions']>): MetadataOptions {
  return {
    httpEndpoint: options.httpEndpoint ?? 'enabled',
    httpProtocolIpv6: options.httpProtocolIPv6 ?? 'disabled',
    httpPutResponseHopLimit: options.httpPutResponseHopLimit ?? 2,
    httpTokens: options.httpTokens ?? 'required',
  };
}

function readBlockDevice({ deviceName, ebs }: WireBlockDevice): BlockDevice {
  return {
    deviceName,
    volumeSizeGib: ebs.volumeSize === undefined ? null : wholeGib(ebs.volumeSize),
    volumeType: ebs.volumeType ?? null,
    iops: ebs.iops ?? null,
    throughput: ebs.throughput ?? null,
    encrypted: ebs.encrypted ?? null,
    kmsKeyId: ebs.kmsKeyID ?? null,
    deleteOnTermination: ebs.deleteOnTermination ?? null,
    snapshotId: ebs.snapshotID ?? null,
  };
}

function wholeGib(size: string | number): number {
  return Math.ceil((parseQuantity(size, 0) ?? 0) / 2 ** 30);
}
