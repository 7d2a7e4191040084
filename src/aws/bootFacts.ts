// What a machine must know to join: the input of every kind of user data, cleaned for what a kubelet may say.
import { LABEL, UNREGISTERED_TAINT_KEY } from '../model/labels.ts';
import type { NodeClaimSpec } from '../model/nodeClaim.ts';
import type { KubeletConfiguration } from '../model/provisioner.ts';
import type { Taint } from '../model/taint.ts';
import type { AwsSettings } from './settings.ts';

export interface BootFacts {
  readonly clusterName: string;
  readonly clusterEndpoint: string;
  readonly clusterCaBundle: string | null;
  readonly serviceCidr: string | null;
  /** Sorted by key. */
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly kubelet: KubeletConfiguration;
  /** null leaves it to the machine, which counts its network interfaces as we do. */
  readonly maxPods: number | null;
}

/** Keeps pods that tolerate nothing off the node until its NodeClaim has been matched to it. */
const UNREGISTERED_TAINT: Taint = { key: UNREGISTERED_TAINT_KEY, value: '', effect: 'NoExecute' };

/** Boot facts of a claim; nothing in them names the claim itself, so that claims alike share a launch template. */
export function bootFacts(
  spec: NodeClaimSpec,
  settings: AwsSettings,
  node: { readonly capacityType: string; readonly maxPods: number | null },
): BootFacts {
  const labels = {
    ...spec.labels,
    [LABEL.provisioner]: spec.provisioner,
    [LABEL.capacityType]: node.capacityType,
  };
  return {
    clusterName: settings.clusterName,
    clusterEndpoint: settings.clusterEndpoint,
    clusterCaBundle: settings.clusterCaBundle,
    serviceCidr: settings.serviceCidr,
    labels: kubeletLabels(labels),
    taints: [...spec.taints, ...spec.startupTaints, UNREGISTERED_TAINT],
    kubelet: spec.kubelet,
    maxPods: node.maxPods,
  };
}

const LABEL_KEY = /^([a-z0-9]([a-z0-9.-]*[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$/;

/** Said by the kubelet or the cloud controller themselves, or different from one instance of a fleet to the next. */
const SAID_BY_OTHERS: ReadonlySet<string> = new Set([
  LABEL.zone,
  LABEL.region,
  LABEL.instanceType,
  LABEL.arch,
  LABEL.os,
  LABEL.hostname,
  LABEL.registered,
  LABEL.initialized,
]);

/**
 * Labels that go into the boot configuration. Left out, and written at registration instead: what only others may
 * say, what the NodeRestriction admission plugin refuses from a kubelet, and anything that is no valid label, because
 * labels reach a root shell on some images. Source: Kubernetes, "Using Admission Controllers", NodeRestriction.
 */
export function kubeletLabels(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const kept = Object.entries(labels).filter(
    ([key, value]) =>
      LABEL_KEY.test(key) && LABEL_VALUE.test(value) && !SAID_BY_OTHERS.has(key) && kubeletMaySet(key),
  );
  return Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1)));
}

const KUBELET_DOMAINS = ['kubelet.kubernetes.io', 'node.kubernetes.io'];

function kubeletMaySet(key: string): boolean {
  const domain = key.includes('/') ? key.slice(0, key.indexOf('/')) : '';
  const within = (suffix: string): boolean => domain === suffix || domain.endsWith(`.${suffix}`);
  if (key.startsWith('karpenter.k8s.aws/instance-')) return false;
  return !(within('kubernetes.io') || within('k8s.io')) || KUBELET_DOMAINS.some(within);
}

/** `a=b,c=d`, as `--node-labels` takes it. */
export function nodeLabelsFlag({ labels }: BootFacts): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

/** Kubelet settings under the names of KubeletConfiguration (kubelet.config.k8s.io/v1beta1), only those given. */
export function kubeletConfig({ kubelet, maxPods, taints }: BootFacts): Readonly<Record<string, unknown>> {
  const config: Readonly<Record<string, unknown>> = {
    clusterDNS: kubelet.clusterDns,
    cpuCFSQuota: kubelet.cpuCfsQuota,
    evictionHard: kubelet.evictionHard,
    evictionMaxPodGracePeriod: kubelet.evictionMaxPodGracePeriod,
    evictionSoft: kubelet.evictionSoft,
    evictionSoftGracePeriod: kubelet.evictionSoftGracePeriod,
    imageGCHighThresholdPercent: kubelet.imageGcHighThresholdPercent,
    imageGCLowThresholdPercent: kubelet.imageGcLowThresholdPercent,
    kubeReserved: kubelet.kubeReserved,
    maxPods: maxPods ?? undefined,
    podsPerCore: kubelet.podsPerCore,
    systemReserved: kubelet.systemReserved,
    registerWithTaints: taints.map(({ key, value, effect }) =>
      value === '' ? { key, effect } : { key, value, effect },
    ),
  };
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
}
