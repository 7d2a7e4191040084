// How much of a machine pods may take: kubelet's reserve, the system's, and the eviction thresholds.
import type { AmiFamily } from '../model/nodeClass.ts';
import type { KubeletConfiguration } from '../model/provisioner.ts';
import { parseAmount, type Resources, subtractResources } from '../model/resources.ts';
import type { InstanceTypeFacts } from './instanceTypeFacts.ts';
import type { AwsSettings } from './settings.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const DEFAULT_MAX_PODS = 110;
/** Each slot of an interface takes a /28 instead of one address. Source: AWS, "Prefix mode for Linux". */
const ADDRESSES_PER_PREFIX = 16;
/** What AWS's max-pods calculator caps at, below and from 30 vCPUs. Source: Amazon EKS User Guide, same page. */
const PREFIX_POD_CAPS = { small: 110, large: 250, largeFromVcpus: 30 } as const;

export type DensitySettings = Pick<AwsSettings, 'eniLimitedPodDensity' | 'reservedEnis' | 'prefixDelegation'>;

/**
 * Pods that network interfaces allow: the first address of each belongs to the node, and two pods of the host's
 * network (aws-node, kube-proxy) need none. Source: Amazon EKS, max-pods formula.
 */
export function eniLimitedPods(facts: InstanceTypeFacts, reservedEnis: number): number {
  const enis = Math.max(facts.enis - reservedEnis, 0);
  return enis === 0 ? 0 : enis * (facts.ipv4PerEni - 1) + 2;
}

/** Pods that a node takes: `maxPods`, else by network, each also bounded by `podsPerCore`. */
export function podCapacity(
  facts: InstanceTypeFacts,
  kubelet: KubeletConfiguration,
  settings: DensitySettings,
): number {
  const byNetwork = kubelet.maxPods ?? networkPods(facts, settings);
  const { podsPerCore } = kubelet;
  return podsPerCore === undefined || podsPerCore === 0
    ? byNetwork
    : Math.min(byNetwork, podsPerCore * facts.vcpus);
}

function networkPods(facts: InstanceTypeFacts, settings: DensitySettings): number {
  if (!settings.eniLimitedPodDensity) return DEFAULT_MAX_PODS;
  const hasPrefixes = facts.bareMetal || facts.hypervisor === 'nitro';
  if (!settings.prefixDelegation || !hasPrefixes) return eniLimitedPods(facts, settings.reservedEnis);
  const enis = Math.max(facts.enis - settings.reservedEnis, 0);
  const { small, large, largeFromVcpus } = PREFIX_POD_CAPS;
  const cap = facts.vcpus < largeFromVcpus ? small : large;
  return Math.min(enis * (facts.ipv4PerEni - 1) * ADDRESSES_PER_PREFIX + 2, cap);
}

/** Shares of the first core, the second, the third and fourth, and all others that kubelet keeps, per mille / 10. */
const CPU_SHARES = [
  { fromMillis: 0, toMillis: 1000, share: 0.06 },
  { fromMillis: 1000, toMillis: 2000, share: 0.01 },
  { fromMillis: 2000, toMillis: 4000, share: 0.005 },
  { fromMillis: 4000, toMillis: Infinity, share: 0.0025 },
] as const;

/** CPU kept for kubelet, in millicores. Source: Amazon EKS AMI, nodeadm and bootstrap.sh, kube-reserved. */
export function kubeReservedMillis(vcpus: number): number {
  const millis = vcpus * 1000;
  return CPU_SHARES.reduce((sum, { fromMillis, toMillis, share }) => {
    const within = Math.min(millis, toMillis) - fromMillis;
    return within > 0 ? sum + Math.floor(within * share + 1e-9) : sum;
  }, 0);
}

export interface OverheadInput {
  readonly facts: InstanceTypeFacts;
  readonly kubelet: KubeletConfiguration;
  readonly amiFamily: AmiFamily;
  readonly capacity: Resources;
}

/** Capacity less kube-reserved, system-reserved and eviction thresholds; never below zero. */
export function allocatableOf(input: OverheadInput): Resources {
  const { capacity, kubelet } = input;
  const kept = [
    kubeReserved(input),
    parsedReserve(kubelet.systemReserved),
    evictionReserve(capacity, kubelet),
    // Huge pages are set aside from memory, whoever uses them.
    { memory: capacity['hugepages-2Mi'] ?? 0 },
  ];
  const left = kept.reduce((rest, one) => subtractResources(rest, withoutPid(one)), capacity);
  return Object.fromEntries(Object.entries(left).map(([name, amount]) => [name, Math.max(amount, 0)]));
}

/**
 * What kubelet reserves for itself. Bottlerocket counts the node's own max-pods; nodeadm and bootstrap.sh count the
 * pods that interfaces allow, even when `maxPods` differs.
 */
function kubeReserved({ facts, kubelet, amiFamily, capacity }: OverheadInput): Resources {
  const pods = amiFamily === 'Bottlerocket' ? (capacity.pods ?? 0) : eniLimitedPods(facts, 0);
  return {
    cpu: kubeReservedMillis(facts.vcpus),
    memory: (255 + 11 * pods) * MIB,
    'ephemeral-storage': GIB,
    ...parsedReserve(kubelet.kubeReserved),
  };
}

function parsedReserve(reserve: Readonly<Record<string, string>> | undefined): Resources {
  const parsed: Record<string, number> = {};
  for (const [name, text] of Object.entries(reserve ?? {})) parsed[name] = parseAmount(name, text) ?? 0;
  return parsed;
}

/** `pid` is reserved but is no resource that pods ask for. */
function withoutPid(reserve: Resources): Resources {
  return Object.fromEntries(Object.entries(reserve).filter(([name]) => name !== 'pid'));
}

const HARD_EVICTION_DEFAULTS = { 'memory.available': '100Mi', 'nodefs.available': '10%' } as const;

/**
 * Memory and disk below which kubelet evicts. Only hard thresholds lower what the node reports, but pods above the
 * soft one are evicted too, so the larger counts. Sources: Kubernetes, "Node-pressure Eviction"; "Reserve Compute
 * Resources for System Daemons".
 */
function evictionReserve(capacity: Resources, kubelet: KubeletConfiguration): Resources {
  const hard = { ...HARD_EVICTION_DEFAULTS, ...kubelet.evictionHard };
  const soft = kubelet.evictionSoft ?? {};
  const larger = (signal: 'memory.available' | 'nodefs.available', name: string): number => {
    const total = capacity[name] ?? 0;
    return Math.max(threshold(hard[signal], total), threshold(soft[signal], total));
  };
  return {
    memory: larger('memory.available', 'memory'),
    'ephemeral-storage': larger('nodefs.available', 'ephemeral-storage'),
  };
}

/** A threshold in bytes: percentages round up, and 100 % turns it off. */
function threshold(text: string | undefined, total: number): number {
  if (text === undefined) return 0;
  if (!text.endsWith('%')) return parseAmount('memory', text) ?? 0;
  const percent = Number(text.slice(0, -1));
  return percent >= 100 ? 0 : Math.ceil((total * percent) / 100);
}
