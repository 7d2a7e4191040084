// Parts that several of our resources share, turned from JSON into the model and back.
import { normalizeLabel } from '../model/labels.ts';
import type { KubeletConfiguration } from '../model/provisioner.ts';
import type { Requirement } from '../model/requirement.ts';
import { parseAmount, type Resources } from '../model/resources.ts';
import type { Taint } from '../model/taint.ts';
import { kubelet as kubeletSchema } from './schemas/kubelet.ts';
import type { Quantities, WireKubelet, WireRequirement, WireTaint } from './wire.ts';

export const readTaint = ({ key, value = '', effect }: WireTaint): Taint => ({ key, value, effect });

/** Keys take their modern name, so that later steps know one name for each label. */
export function readRequirement({ key, operator, values = [], minValues }: WireRequirement): Requirement {
  const requirement = { key: normalizeLabel(key), operator, values };
  return minValues === undefined ? requirement : { ...requirement, minValues };
}

/** Amounts in the model's integers; see `Resources`. */
export function readAmounts(quantities: Quantities = {}): Resources {
  const names = Object.keys(quantities).sort();
  return Object.fromEntries(names.map((name) => [name, parseAmount(name, quantities[name] ?? 0) ?? 0]));
}

/** Fields whose names differ between manifests, which shout their acronyms, and the model. */
const KUBELET_NAMES = {
  clusterDNS: 'clusterDns',
  imageGCHighThresholdPercent: 'imageGcHighThresholdPercent',
  imageGCLowThresholdPercent: 'imageGcLowThresholdPercent',
  cpuCFSQuota: 'cpuCfsQuota',
} as const satisfies Partial<Record<keyof WireKubelet, keyof KubeletConfiguration>>;

const MODEL_NAMES: ReadonlyMap<string, string> = new Map(Object.entries(KUBELET_NAMES));
const WIRE_NAMES: ReadonlyMap<string, string> = new Map(
  Object.entries(KUBELET_NAMES).map(([wire, model]) => [model, wire]),
);

const KUBELET_FIELDS: ReadonlySet<string> = new Set(Object.keys(kubeletSchema.properties ?? {}));
const RESERVED_FIELDS: ReadonlySet<string> = new Set(['systemReserved', 'kubeReserved']);

/** Kubelet settings as the model names them; reserved amounts written as numbers become texts. */
export function readKubelet(kubelet: WireKubelet = {}): KubeletConfiguration {
  return Object.fromEntries(
    Object.entries(kubelet)
      .filter(([name]) => KUBELET_FIELDS.has(name))
      .map(([name, value]) => [
        MODEL_NAMES.get(name) ?? name,
        RESERVED_FIELDS.has(name) ? textsOf(value as Quantities) : value,
      ]),
  );
}

/** The inverse of `readKubelet`. */
export function writeKubelet(kubelet: KubeletConfiguration): WireKubelet {
  return Object.fromEntries(
    Object.entries(kubelet).map(([name, value]) => [WIRE_NAMES.get(name) ?? name, value]),
  );
}

function textsOf(quantities: Quantities): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(quantities).map(([name, amount]) => [name, String(amount)]));
}
