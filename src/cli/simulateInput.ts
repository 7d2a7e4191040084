// Manifests of `cooper simulate`, turned into the snapshot that the packer is asked about.
import { parseNodeClaim } from '../api/nodeClaims.ts';
import { parseAwsNodeTemplate } from '../api/nodeClasses.ts';
import { parseDaemonSet } from '../api/objects/daemonSet.ts';
import { Interner } from '../api/objects/interner.ts';
import { parseNode } from '../api/objects/node.ts';
import { parsePod } from '../api/objects/pod.ts';
import { asRaw, objectIn, type Raw, textIn } from '../api/objects/raw.ts';
import {
  parseCsiNode,
  parsePersistentVolume,
  parsePersistentVolumeClaim,
  parseStorageClass,
} from '../api/objects/volumes.ts';
import { parseDisruptionBudget, parseNamespace } from '../api/objects/workloads.ts';
import type { Parsed, Problem } from '../api/parsed.ts';
import { type ParsedProvisioner, parseProvisioner } from '../api/provisioners.ts';
import { LABEL } from '../model/labels.ts';
import type { NodeClass } from '../model/nodeClass.ts';
import { type Pod, podKey } from '../model/pod.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { awaitingPreemption, isProvisionable } from '../scheduling/provisionable.ts';
import { type AdmissionRules, admitPodSpec } from './admission.ts';
import { expandWorkload, WORKLOAD_KINDS } from './workloadPods.ts';

/** Something that cannot be used, and is left out. */
export interface InvalidObject {
  /** `Pod default/web`, or where in which file when it is no object. */
  readonly object: string;
  readonly field: string;
  readonly problem: string;
}

export interface SimulateInput {
  readonly snapshot: ClusterSnapshot;
  /** Pods that the kube-scheduler would be asked about. */
  readonly pods: readonly Pod[];
  readonly invalid: readonly InvalidObject[];
  /** True when no Provisioner was given and a default one stands in. */
  readonly provisionerMissing: boolean;
}

/** Used when no manifest is a Provisioner: everything at its default. */
const STAND_IN_PROVISIONER = {
  apiVersion: 'karpenter.sh/v1alpha5',
  kind: 'Provisioner',
  metadata: { name: 'default' },
  spec: { providerRef: { name: 'default' } },
} as const;

/** The same beside a catalogue file: whoever gives the types means all of them to be used. */
const UNRESTRICTED_STAND_IN = {
  ...STAND_IN_PROVISIONER,
  spec: {
    ...STAND_IN_PROVISIONER.spec,
    requirements: [
      { key: LABEL.capacityType, operator: 'In', values: ['spot', 'on-demand'] },
      { key: LABEL.arch, operator: 'In', values: ['amd64', 'arm64'] },
      { key: LABEL.instanceType, operator: 'Exists' },
    ],
  },
} as const;

const SCHEDULER = 'default-scheduler';

/**
 * Reads all manifests, applies what admission would, and expands workloads.
 * @param manifests parsed YAML or JSON, trusted in nothing; kinds without a meaning here are passed over
 * @param source where instance types come from, which decides what a missing Provisioner would allow
 */
export function readSimulateInput(
  manifests: readonly unknown[],
  source: 'shippedTypes' | 'typesFile',
): SimulateInput {
  const reader = new Reader(manifests);
  const rules: AdmissionRules = {
    priorityClasses: reader.raw('PriorityClass'),
    runtimeClasses: reader.raw('RuntimeClass'),
    limitRanges: reader.raw('LimitRange'),
  };
  const interner = new Interner();
  const expansions = reader.workloads().map((workload) => expandWorkload(workload, reader.objects));
  const rawPods = [...reader.raw('Pod'), ...expansions.flatMap(({ pods }) => pods)];
  const pods = reader.parse(reader.admitted(rawPods, ['spec'], rules), (pod) => parsePod(pod, interner));
  const rawDaemons = reader.admitted(reader.raw('DaemonSet'), ['spec', 'template', 'spec'], rules);
  const daemonSets = reader.parse(rawDaemons, (daemon) => parseDaemonSet(daemon, interner));
  const given = reader.parse(reader.raw('Provisioner'), parseProvisioner);
  const provisionerMissing = reader.raw('Provisioner').length === 0;
  const standIn = source === 'typesFile' ? UNRESTRICTED_STAND_IN : STAND_IN_PROVISIONER;
  const provisioners = provisionerMissing ? reader.parse([standIn], parseProvisioner) : given;
  const claims = [...reader.raw('PersistentVolumeClaim'), ...missingClaims(reader, expansions)];
  const snapshot: ClusterSnapshot = {
    takenAtMs: 0,
    provisioners: provisioners.map(({ provisioner }) => provisioner),
    nodeClasses: nodeClasses(reader, provisioners),
    nodes: reader.parse(reader.raw('Node'), parseNode),
    nodeClaims: reader.parse(reader.raw('NodeClaim'), parseNodeClaim),
    pods,
    daemonSets,
    namespaces: reader.parse(reader.raw('Namespace'), parseNamespace),
    disruptionBudgets: reader.parse(reader.raw('PodDisruptionBudget'), parseDisruptionBudget),
    persistentVolumes: reader.parse(reader.raw('PersistentVolume'), parsePersistentVolume),
    persistentVolumeClaims: reader.parse(claims, parsePersistentVolumeClaim),
    storageClasses: reader.parse(reader.raw('StorageClass'), parseStorageClass),
    csiNodes: reader.parse(reader.raw('CSINode'), parseCsiNode),
  };
  // Nothing has tried to schedule these pods yet: each one that could be counts as tried and failed.
  const waiting = pods.filter((pod) => isProvisionable({ ...pod, unschedulableSinceMs: 0 }, SCHEDULER));
  const preempting = awaitingPreemption(waiting, snapshot, () => true);
  const asking = waiting.filter((pod) => !preempting.has(podKey(pod)));
  return { snapshot, pods: asking, invalid: reader.invalid, provisionerMissing };
}

function nodeClasses(reader: Reader, provisioners: readonly ParsedProvisioner[]): readonly NodeClass[] {
  const inline = provisioners.flatMap(({ nodeClass }) => (nodeClass === null ? [] : [nodeClass]));
  return [...reader.parse(reader.raw('AWSNodeTemplate'), parseAwsNodeTemplate), ...inline];
}

/** Claims that a StatefulSet would make and that are not there yet. */
function missingClaims(
  reader: Reader,
  expansions: readonly { readonly claims: readonly Raw[] }[],
): readonly Raw[] {
  const there = new Set(reader.raw('PersistentVolumeClaim').map(objectTitle));
  return expansions.flatMap(({ claims }) => claims).filter((claim) => !there.has(objectTitle(claim)));
}

/** `Pod default/web`; cluster-scoped kinds without a namespace. */
function objectTitle(object: Raw): string {
  const kind = textIn(object, 'kind');
  const metadata = objectIn(object, 'metadata');
  const namespace = textIn(metadata, 'namespace') || (NAMESPACED.has(kind) ? 'default' : '');
  return `${kind} ${namespace === '' ? '' : `${namespace}/`}${textIn(metadata, 'name')}`;
}

const NAMESPACED: ReadonlySet<string> = new Set([
  ...WORKLOAD_KINDS,
  'Pod',
  'DaemonSet',
  'PersistentVolumeClaim',
  'PodDisruptionBudget',
  'LimitRange',
]);

/** Sorts manifests by kind and collects what is wrong with them. */
class Reader {
  readonly objects: readonly Raw[];
  readonly invalid: InvalidObject[] = [];

  constructor(manifests: readonly unknown[]) {
    const seen = new Set<string>();
    this.objects = manifests.flatMap((manifest) => {
      const raw = asRaw(manifest);
      if (raw === null || textIn(raw, 'kind') === '') {
        const mend = 'write a manifest with apiVersion, kind and metadata';
        this.#add('object without a kind', { field: 'kind', problem: 'is missing', mend });
        return [];
      }
      const title = objectTitle(raw);
      if (seen.has(title)) {
        this.#add(title, {
          field: 'metadata.name',
          problem: 'is given twice',
          mend: 'leave one of them out',
        });
        return [];
      }
      seen.add(title);
      return [raw];
    });
  }

  raw(kind: string): readonly Raw[] {
    return this.objects.filter((object) => object.kind === kind);
  }

  workloads(): readonly Raw[] {
    return this.objects.filter((object) => WORKLOAD_KINDS.has(textIn(object, 'kind')));
  }

  /** The values that can be read; problems of the others are noted. */
  parse<T>(objects: readonly Raw[], parser: (object: Raw) => Parsed<T>): T[] {
    return objects.flatMap((object) => {
      const parsed = parser(object);
      if (parsed.kind === 'valid') return [parsed.value];
      for (const problem of parsed.problems) this.#add(objectTitle(object), problem);
      return [];
    });
  }

  /**
   * The objects with their pod specs, found under `path`, as admission would store them; without those it would
   * turn away. Bound pods have been admitted already.
   */
  admitted(objects: readonly Raw[], path: readonly string[], rules: AdmissionRules): readonly Raw[] {
    return objects.flatMap((object) => {
      const spec = path.reduce<Raw | null>(objectIn, object);
      if (spec === null || textIn(spec, 'nodeName') !== '') return [object];
      const namespace = textIn(objectIn(object, 'metadata'), 'namespace') || 'default';
      const { spec: filled, problems } = admitPodSpec(spec, namespace, rules);
      for (const problem of problems) this.#add(objectTitle(object), problem);
      return problems.length > 0 ? [] : [replaceAt(object, path, filled)];
    });
  }

  #add(object: string, { field, problem, mend }: Problem): void {
    this.invalid.push({ object, field, problem: `${problem}; ${mend}` });
  }
}

function replaceAt(object: Raw, [field, ...rest]: readonly string[], value: Raw): Raw {
  if (field === undefined) return value;
  return { ...object, [field]: replaceAt(objectIn(object, field) ?? {}, rest, value) };
}
