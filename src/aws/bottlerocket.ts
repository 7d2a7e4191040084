// User data for Bottlerocket: TOML settings, the user's own kept except for what joining the cluster needs.
import type { NodeClass } from '../model/nodeClass.ts';
import type { Taint } from '../model/taint.ts';
import type { BootFacts } from './bootFacts.ts';
import { found, notReady, type Resolved } from './readiness.ts';
import { fieldOf } from './selectors.ts';
import {
  emptyTable,
  isTable,
  mergeTables,
  type TomlTable,
  type TomlValue,
  tableOf,
  writeToml,
} from './toml.ts';
import { readToml } from './tomlReader.ts';

/** The user's TOML with ours over it. Source: bottlerocket.dev, settings.kubernetes. */
export function bottlerocketUserData(nodeClass: NodeClass, boot: BootFacts): Resolved<string> {
  const read = readToml(nodeClass.userData ?? '');
  if (read.kind === 'invalid') {
    const message = `${fieldOf(nodeClass, 'userData')}: is no TOML (${read.problem}); Bottlerocket takes settings only`;
    return notReady('UserDataInvalid', message);
  }
  const settings = tableOf({
    kubernetes: kubernetesSettings(boot),
    'bootstrap-commands': nodeClass.instanceStorePolicy === 'RAID0' ? joinDisks() : undefined,
  });
  return found(writeToml(mergeTables(read.value, tableOf({ settings }))));
}

/** Joins the local disks and keeps what pods write on them. Source: bottlerocket.dev, "Ephemeral storage". */
function joinDisks(): TomlTable {
  const paths = ['/var/lib/containerd', '/var/lib/kubelet', '/var/log/pods'];
  const commands = [
    ['apiclient', 'ephemeral-storage', 'init'],
    ['apiclient', 'ephemeral-storage', 'bind', '--dirs', ...paths],
  ];
  return tableOf({
    // Bootstrap commands run in the order of their names.
    '000-join-local-disks': tableOf({ commands, essential: true, mode: 'always' }),
  });
}

/**
 * Bytes of huge pages of 2 MiB that the user's settings set aside; 0 for none.
 * Source: bottlerocket.dev, settings.kernel.sysctl; Linux, vm.nr_hugepages.
 */
export function bottlerocketHugePages(nodeClass: NodeClass): number {
  const read = readToml(nodeClass.userData ?? '');
  let at: TomlValue | undefined = read.kind === 'valid' ? read.value : undefined;
  for (const key of ['settings', 'kernel', 'sysctl', 'vm.nr_hugepages']) {
    at = isTable(at) ? at[key] : undefined;
  }
  const pages = typeof at === 'string' && /^\d+$/.test(at) ? Number(at) : 0;
  return pages * HUGE_PAGE_BYTES;
}

const HUGE_PAGE_BYTES = 2 * 1024 * 1024;

function kubernetesSettings(boot: BootFacts): TomlTable {
  const { kubelet } = boot;
  return tableOf({
    'api-server': boot.clusterEndpoint,
    'cluster-certificate': boot.clusterCaBundle ?? undefined,
    'cluster-name': boot.clusterName,
    'cluster-dns-ip': kubelet.clusterDns?.[0],
    'cpu-cfs-quota-enforced': kubelet.cpuCfsQuota,
    'eviction-hard': optionalTable(kubelet.evictionHard),
    'eviction-max-pod-grace-period': kubelet.evictionMaxPodGracePeriod,
    'eviction-soft': optionalTable(kubelet.evictionSoft),
    'eviction-soft-grace-period': optionalTable(kubelet.evictionSoftGracePeriod),
    'image-gc-high-threshold-percent': optionalText(kubelet.imageGcHighThresholdPercent),
    'image-gc-low-threshold-percent': optionalText(kubelet.imageGcLowThresholdPercent),
    'kube-reserved': optionalTable(kubelet.kubeReserved),
    'max-pods': boot.maxPods ?? undefined,
    'node-labels': tableOf(boot.labels),
    'node-taints': taintTable(boot.taints),
    'pods-per-core': kubelet.podsPerCore,
    'system-reserved': optionalTable(kubelet.systemReserved),
  });
}

function optionalTable(record: Readonly<Record<string, string>> | undefined): TomlTable | undefined {
  return record === undefined ? undefined : tableOf(record);
}

/** Bottlerocket writes these two percentages as text. */
function optionalText(value: number | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}

/** `key = ["value:Effect", …]`: one key may carry several taints. */
function taintTable(taints: readonly Taint[]): TomlTable {
  const table = emptyTable();
  for (const { key, value, effect } of taints) {
    const held: TomlValue = table[key] ?? [];
    table[key] = [...(Array.isArray(held) ? held : []), `${value}:${effect}`];
  }
  return table;
}
