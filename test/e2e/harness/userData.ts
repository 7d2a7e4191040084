// Reads an instance's user data the way its boot image does: nodeadm (AL2023), Bottlerocket settings, AL2 bootstrap.
import { parseAllDocuments } from 'yaml';

export interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
}

/** What the image makes of its user data. With problems the node never joins, as in life. */
export interface NodeBoot {
  readonly clusterName: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly maxPods: number | null;
  /** As written in the kubelet's configuration: `{cpu: '80m', memory: '255Mi'}`. */
  readonly kubeReserved: Readonly<Record<string, string>> | null;
  readonly systemReserved: Readonly<Record<string, string>>;
  readonly evictionHard: Readonly<Record<string, string>>;
  readonly problems: readonly string[];
}

type Json = Readonly<Record<string, unknown>>;

const NOTHING: NodeBoot = {
  clusterName: '',
  labels: {},
  taints: [],
  maxPods: null,
  kubeReserved: null,
  systemReserved: {},
  evictionHard: {},
  problems: [],
};

/** Reads base64 user data. Labels that a kubelet may not set on itself are a problem too. */
export function readUserData(base64: string): NodeBoot {
  const text = Buffer.from(base64, 'base64').toString('utf8');
  const boot = readText(text);
  const forbidden = Object.keys(boot.labels).filter((label) => !isAllowedToKubelet(label));
  if (forbidden.length === 0) return boot;
  const problem = `the kubelet refuses to start with --node-labels ${forbidden.join(', ')}`;
  return { ...boot, problems: [...boot.problems, problem] };
}

function readText(text: string): NodeBoot {
  const configs = partsOf(text).flatMap(nodeConfigsIn);
  if (configs.length > 0) return readNodeConfigs(configs);
  if (text.includes('[settings.kubernetes')) return readBottlerocket(text);
  if (text.includes('/etc/eks/bootstrap.sh')) return readBootstrapScript(text);
  return {
    ...NOTHING,
    problems: ['the user data holds neither NodeConfig, Bottlerocket settings nor bootstrap.sh'],
  };
}

/** The bodies of a MIME multipart document, or the text itself. */
function partsOf(text: string): string[] {
  const normal = text.replaceAll('\r\n', '\n');
  const boundary = /^content-type:\s*multipart\/mixed;\s*boundary="?([^"\n]+)"?/im.exec(normal)?.[1];
  if (boundary === undefined) return [normal];
  return normal
    .split(`\n--${boundary}`) // a boundary begins a line; "--//" may well stand inside one
    .slice(1)
    .filter((part) => !part.startsWith('--'))
    .map((part) => part.slice(part.indexOf('\n\n') + 2));
}

function nodeConfigsIn(part: string): Json[] {
  if (!part.includes('node.eks.aws/')) return [];
  return parseAllDocuments(part)
    .map((document) => document.toJS() as unknown)
    .filter((value): value is Json => isRecord(value) && value.kind === 'NodeConfig');
}

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function merge(base: Json, over: Json): Json {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const before = merged[key];
    merged[key] = isRecord(before) && isRecord(value) ? merge(before, value) : value;
  }
  return merged;
}

function child(value: Json, ...path: readonly string[]): Json {
  let at: unknown = value;
  for (const key of path) at = isRecord(at) ? at[key] : undefined;
  return isRecord(at) ? at : {};
}

/**
 * nodeadm: several NodeConfigs merge, later ones win. It refuses a cluster without name, apiServerEndpoint,
 * certificateAuthority or cidr (https://awslabs.github.io/amazon-eks-ami/nodeadm/).
 */
function readNodeConfigs(configs: readonly Json[]): NodeBoot {
  const config = configs.reduce(merge);
  const cluster = child(config, 'spec', 'cluster');
  const kubelet = child(config, 'spec', 'kubelet', 'config');
  const flags = child(config, 'spec', 'kubelet').flags;
  const problems = ['name', 'apiServerEndpoint', 'certificateAuthority', 'cidr']
    .filter((field) => typeof cluster[field] !== 'string' || cluster[field] === '')
    .map((field) => `nodeadm: NodeConfig has no spec.cluster.${field}`);
  const fromFlags = readKubeletFlags(Array.isArray(flags) ? flags.join('\n') : '');
  const registered = kubelet.registerWithTaints;
  return {
    clusterName: String(cluster.name ?? ''),
    labels: fromFlags.labels,
    taints: [...fromFlags.taints, ...(Array.isArray(registered) ? (registered as Taint[]) : [])],
    maxPods: typeof kubelet.maxPods === 'number' ? kubelet.maxPods : fromFlags.maxPods,
    kubeReserved: isRecord(kubelet.kubeReserved) ? (kubelet.kubeReserved as Record<string, string>) : null,
    systemReserved: child(kubelet, 'systemReserved') as Record<string, string>,
    evictionHard: child(kubelet, 'evictionHard') as Record<string, string>,
    problems,
  };
}

type FromFlags = Pick<NodeBoot, 'labels' | 'taints' | 'maxPods' | 'kubeReserved' | 'systemReserved'>;

function readKubeletFlags(flags: string): FromFlags {
  const textOf = (flag: string): string => new RegExp(`--${flag}[= ]"?([^\\s"']+)`).exec(flags)?.[1] ?? '';
  const pairsOf = (flag: string): Record<string, string> => {
    const pairs = textOf(flag).split(',').filter(Boolean);
    return Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s).slice(0, 2) as [string, string]));
  };
  const maxPods = textOf('max-pods');
  const kubeReserved = pairsOf('kube-reserved');
  return {
    labels: pairsOf('node-labels'),
    taints: textOf('register-with-taints').split(',').filter(Boolean).map(readTaint),
    maxPods: maxPods === '' ? null : Number(maxPods),
    kubeReserved: Object.keys(kubeReserved).length > 0 ? kubeReserved : null,
    systemReserved: pairsOf('system-reserved'),
  };
}

/** `key=value:Effect` or `key:Effect`. */
function readTaint(text: string): Taint {
  const [pair = '', effect = ''] = text.split(':'); // neither keys nor values hold a colon
  const [key = '', value] = pair.split('=');
  return { key, effect, ...(value === undefined || value === '' ? {} : { value }) };
}

/** Amazon Linux 2: everything is on the command line of bootstrap.sh. */
function readBootstrapScript(text: string): NodeBoot {
  const clusterName = /bootstrap\.sh['"]?\s+['"]?([^\s'"]+)/.exec(text)?.[1] ?? '';
  return { ...NOTHING, ...readKubeletFlags(text), clusterName };
}

/** Bottlerocket's TOML, as far as it concerns the node (https://bottlerocket.dev, API settings: kubernetes). */
function readBottlerocket(text: string): NodeBoot {
  const tables = tomlTables(text);
  const main = tables.get('settings.kubernetes') ?? {};
  const taints = Object.entries(tables.get('settings.kubernetes.node-taints') ?? {}).flatMap(
    ([key, values]) =>
      (Array.isArray(values) ? (values as string[]) : [String(values)]).map((value) =>
        readTaint(`${key}=${value}`),
      ),
  );
  const maxPods = main['max-pods'];
  const reserved = tables.get('settings.kubernetes.kube-reserved');
  return {
    ...NOTHING,
    clusterName: String(main['cluster-name'] ?? ''),
    labels: (tables.get('settings.kubernetes.node-labels') ?? {}) as Record<string, string>,
    taints,
    maxPods: typeof maxPods === 'number' ? maxPods : null,
    kubeReserved: (reserved as Record<string, string> | undefined) ?? null,
    systemReserved: (tables.get('settings.kubernetes.system-reserved') ?? {}) as Record<string, string>,
    evictionHard: (tables.get('settings.kubernetes.eviction-hard') ?? {}) as Record<string, string>,
    problems: ['api-server', 'cluster-certificate', 'cluster-name']
      .filter((field) => typeof main[field] !== 'string' || main[field] === '')
      .map((field) => `Bottlerocket: settings.kubernetes.${field} is missing`),
  };
}

/** Tables of one-line scalars and arrays: all that such settings need. */
function tomlTables(text: string): ReadonlyMap<string, Json> {
  const tables = new Map<string, Record<string, unknown>>();
  let table: Record<string, unknown> = {};
  for (const line of text.split('\n').map((raw) => raw.trim())) {
    const header = /^\[([^\]]+)\]$/.exec(line)?.[1];
    if (header !== undefined) {
      table = tables.get(header.replaceAll(/["']/g, '')) ?? {};
      tables.set(header.replaceAll(/["']/g, ''), table);
      continue;
    }
    const pair = /^(?:"([^"]+)"|'([^']+)'|([\w./-]+))\s*=\s*(.+)$/.exec(line);
    const key = pair?.[1] ?? pair?.[2] ?? pair?.[3];
    if (key !== undefined) table[key] = tomlValue(pair?.[4] ?? '');
  }
  return tables;
}

/** Numbers, booleans, basic strings and arrays of them are written as in JSON; anything else stays text. */
function tomlValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text.replaceAll(/^'|'$/g, '');
  }
}

const KUBELET_MAY_SET = new Set([
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/instance-type',
  'beta.kubernetes.io/os',
  'failure-domain.beta.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'kubernetes.io/arch',
  'kubernetes.io/hostname',
  'kubernetes.io/os',
  'node.kubernetes.io/instance-type',
  'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone',
]);

/** The rule of --node-labels (https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/). */
function isAllowedToKubelet(label: string): boolean {
  const domain = label.includes('/') ? label.slice(0, label.indexOf('/')) : '';
  const reserved = /(^|\.)(kubernetes|k8s)\.io$/.test(domain);
  const open = /(^|\.)(kubelet|node)\.kubernetes\.io$/.test(domain);
  return !reserved || open || KUBELET_MAY_SET.has(label);
}
