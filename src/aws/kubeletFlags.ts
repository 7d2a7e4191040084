// Kubelet settings as command line flags, for images whose bootstrap script takes nothing else.
import { type BootFacts, nodeLabelsFlag } from './bootFacts.ts';

/** Kubelet flags of the same meaning as `kubeletConfig`, for images that know no configuration file. */
export function kubeletFlags(boot: BootFacts): readonly string[] {
  const { kubelet, maxPods, taints } = boot;
  const pairs = (values: Readonly<Record<string, string>> | undefined, sign: string): string | undefined =>
    values === undefined
      ? undefined
      : Object.entries(values)
          .map(([key, value]) => `${key}${sign}${value}`)
          .join(',');
  const written = taints.map(({ key, value, effect }) => `${key}=${value}:${effect}`).join(',');
  const flags: Readonly<Record<string, string | number | boolean | undefined>> = {
    'node-labels': nodeLabelsFlag(boot),
    'register-with-taints': written,
    'max-pods': maxPods ?? undefined,
    'pods-per-core': kubelet.podsPerCore,
    'system-reserved': pairs(kubelet.systemReserved, '='),
    'kube-reserved': pairs(kubelet.kubeReserved, '='),
    'eviction-hard': pairs(kubelet.evictionHard, '<'),
    'eviction-soft': pairs(kubelet.evictionSoft, '<'),
    'eviction-soft-grace-period': pairs(kubelet.evictionSoftGracePeriod, '='),
    'eviction-max-pod-grace-period': kubelet.evictionMaxPodGracePeriod,
    'image-gc-high-threshold': kubelet.imageGcHighThresholdPercent,
    'image-gc-low-threshold': kubelet.imageGcLowThresholdPercent,
    'cpu-cfs-quota': kubelet.cpuCfsQuota,
  };
  const given = Object.entries(flags).filter(([, value]) => value !== undefined && value !== '');
  return given.map(([name, value]) => `--${name}=${value}`);
}
