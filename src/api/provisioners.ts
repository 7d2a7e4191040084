// Provisioner manifests, turned into the model with defaults applied.
import { parseDurationMs } from '../model/duration.ts';
import { ROLLOUT_ATTEMPT } from '../model/labels.ts';
import type { NodeClass } from '../model/nodeClass.ts';
import { nodeClassKey } from '../model/nodeClass.ts';
import { type NodeClassRef, PRICE_LIMIT, type Provisioner } from '../model/provisioner.ts';
import type { Resources } from '../model/resources.ts';
import { defaultRequirements } from './defaults.ts';
import { readDisruptionPolicy, readOffHours, windowProblems } from './disruptionPolicies.ts';
import { readLaunchFailures } from './launchFailures.ts';
import { type CheckedManifest, checkManifest } from './manifest.ts';
import { readNodeClass } from './nodeClasses.ts';
import { objectIn, textIn } from './objects/raw.ts';
import type { Parsed } from './parsed.ts';
import { readAmounts, readKubelet, readRequirement, readTaint } from './parts.ts';
import { inlineProvider } from './schemas/awsSpec.ts';
import { PROVISIONER } from './schemas/provisioner.ts';
import { unknownFieldProblems } from './unknownFields.ts';
import type { WireProvisionerSpec } from './wire.ts';

/** A Provisioner, and the node class that its inline `provider` describes; null when it names a template. */
export interface ParsedProvisioner {
  readonly provisioner: Provisioner;
  readonly nodeClass: NodeClass | null;
}

/**
 * Parses a Provisioner (karpenter.sh/v1alpha5) and applies the defaults. Never throws, whatever the JSON.
 * Unknown fields of the inline `provider` are problems, as Karpenter's strict decoding made them; elsewhere
 * they are ignored, since the API server drops them (`unknownManifestFields` finds them in files).
 */
export function parseProvisioner(manifest: unknown): Parsed<ParsedProvisioner> {
  const checked = checkManifest<WireProvisionerSpec>(PROVISIONER, manifest);
  if (checked.kind === 'invalid') return checked;
  const { metadata, generation, spec } = checked.value;
  const unknown = unknownFieldProblems(inlineProvider, spec.provider, ['spec', 'provider']);
  const problems = [...unknown, ...windowProblems(spec)];
  if (problems.length > 0) return { kind: 'invalid', name: metadata.name, problems };
  const nodeClassRef: NodeClassRef =
    spec.providerRef === undefined
      ? { kind: 'Provisioner', name: metadata.name }
      : { kind: 'AWSNodeTemplate', name: spec.providerRef.name };
  const id = { key: nodeClassKey(nodeClassRef), generation };
  const nodeClass = spec.provider === undefined ? null : readNodeClass(id, spec.provider);
  const launchFailures = readLaunchFailures(manifest);
  const provisioner = {
    ...readProvisioner(checked.value, nodeClassRef),
    ...(launchFailures === null ? {} : { launchFailures }),
  };
  return { kind: 'valid', value: { provisioner, nodeClass } };
}

function readProvisioner(
  { metadata, generation, spec }: CheckedManifest<WireProvisionerSpec, unknown>,
  nodeClassRef: NodeClassRef,
): Provisioner {
  const labels = spec.labels ?? {};
  const attempt = textIn(objectIn(metadata.raw, 'annotations'), ROLLOUT_ATTEMPT);
  const requirements = (spec.requirements ?? []).map(readRequirement);
  return {
    name: metadata.name,
    uid: metadata.uid,
    generation,
    labels,
    annotations: spec.annotations ?? {},
    taints: (spec.taints ?? []).map(readTaint),
    startupTaints: (spec.startupTaints ?? []).map(readTaint),
    requirements: [...requirements, ...defaultRequirements(requirements, labels)],
    kubelet: readKubelet(spec.kubeletConfiguration),
    nodeClassRef,
    ttlAfterEmptyMs: toMs(spec.ttlSecondsAfterEmpty),
    ttlUntilExpiredMs: toMs(spec.ttlSecondsUntilExpired),
    disruption: readDisruptionPolicy(spec),
    ...(attempt === '' ? {} : { rolloutAttempt: attempt }),
    terminationGracePeriodMs:
      spec.terminationGracePeriod === undefined ? null : parseDurationMs(spec.terminationGracePeriod),
    suspended: spec.suspend ?? false,
    offHours: readOffHours(spec),
    limits: readLimits(spec.limits),
    weight: spec.weight ?? 0,
    deletionRequestedAtMs: metadata.deletionRequestedAtMs,
  };
}

function readLimits(limits: WireProvisionerSpec['limits']): Resources | null {
  if (limits?.resources === undefined && limits?.usdPerHour === undefined) return null;
  const { resources, usdPerHour } = limits;
  return { ...readAmounts(resources), ...(usdPerHour === undefined ? {} : { [PRICE_LIMIT]: usdPerHour }) };
}

function toMs(seconds: number | undefined): number | null {
  return seconds === undefined ? null : seconds * 1000;
}
