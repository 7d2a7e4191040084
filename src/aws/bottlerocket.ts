// User data for Bottlerocket: TOML settings, the user's own kept except for what joining the cluster needs.
import type { NodeClass } from '../model/nodeClass.ts';
import type { Taint } from '../model/taint.ts';
import type { BootFacts } from './bootFacts.ts';
import { found, notReady, type Resolved } from './readiness.ts';
import { fieldOf } from './selectors.ts';
import { emptyTable, mergeTables, type TomlTable, type TomlValue, tableOf, writeToml } from './toml.ts';
import { readToml } from './tomlReader.ts';

/** The user's TOML with ours over it. Source: bottlerocket.dev, settings.kubernetes. */
export function bottlerocketUserData(nodeClass: NodeClass, boot: BootFacts): Resolved<string> {
  const read = readToml(nodeClass.userData ?? '');
  if (read.kind === 'invalid') {
    const message = `${fieldOf(nodeClass, 'userData')}: is no TOML (${read.problem}); Bottlerocket takes settings only`;
    return notReady('UserDataInvalid', message);
  }
  const settings = tableOf({ kubernetes: kubernetesSettings(boot) });
  return found(writeToml(mergeTables(read.value, tableOf({ settings }))));
}

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
