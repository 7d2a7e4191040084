// A scenario out of a recorded cluster: its Provisioners and workloads, and replicas as they changed while recorded.
import { controllingOwner } from '../api/objects/metadata.ts';
import { isLivingPod } from '../api/objects/pod.ts';
import { objectIn, type Raw, textIn, textMapIn } from '../api/objects/raw.ts';
import { describeProblem } from '../api/parsed.ts';
import { LABEL } from '../model/labels.ts';
import { readManifests } from './manifests.ts';
import type { WireCurve, WireScenario } from './scenarioFile.ts';

/** What was recorded; objects and pods are manifests. */
export interface RecordedHistory {
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly objects: readonly Raw[];
  readonly podChanges: readonly { readonly atMs: number; readonly key: string; readonly pod: Raw | null }[];
}

export interface RecordedScenarioOptions {
  readonly name: string;
  /** Names of the instance types that a simulation knows. */
  readonly knownTypes: ReadonlySet<string>;
}

export interface RecordedScenario {
  readonly scenario: WireScenario;
  /** What a simulation cannot take over, one sentence each. */
  readonly leftOut: readonly string[];
}

/** A snapshot alone is replayed for so long. */
const SNAPSHOT_MS = 3_600_000;
/** Kinds that a scenario takes over as they are. */
const TAKEN_OVER: ReadonlySet<string> = new Set([
  'Provisioner',
  'AWSNodeTemplate',
  'Namespace',
  'DaemonSet',
  'PodDisruptionBudget',
]);
const TEMPLATE_HASH = 'pod-template-hash';
/** Labels that differ between pods of one workload. */
const OWN_LABELS: ReadonlySet<string> = new Set([
  TEMPLATE_HASH,
  'controller-revision-hash',
  'statefulset.kubernetes.io/pod-name',
  'apps.kubernetes.io/pod-index',
  'batch.kubernetes.io/job-completion-index',
]);

/**
 * The scenario that has the recorded workloads on the recorded Provisioners, from an empty cluster: nodes that belong
 * to no Provisioner are there from the start, all others have to be bought.
 */
export function recordedScenario(
  history: RecordedHistory,
  { name, knownTypes }: RecordedScenarioOptions,
): RecordedScenario {
  const { startedAtMs, endedAtMs } = history;
  const leftOut: string[] = [];
  const groups = groupPods(history);
  const manifests = history.objects.filter((object) => TAKEN_OVER.has(textIn(object, 'kind')));
  const workloads = [...groups.values()].map(workloadManifest);
  const usable = [...manifests, ...workloads].filter((manifest) => isUsable(manifest, leftOut));
  const names = new Set(usable.map(titleOf));
  const curves = [...groups.values()].filter((group) => names.has(titleOf(workloadManifest(group))));
  const pods = curves.reduce((sum, { replicas }) => sum + replicas, 0);
  const lengthMs = endedAtMs > startedAtMs ? endedAtMs - startedAtMs : SNAPSHOT_MS;
  const zones = zonesOf(history.objects);
  const staticNodes = staticNodesOf(history.objects, knownTypes, leftOut);
  return {
    scenario: {
      name,
      summary: `A recorded cluster: ${curves.length} workloads, ${pods} pods at its start.`,
      start: new Date(startedAtMs).toISOString(),
      duration: `${Math.ceil(lengthMs / 1000)}s`,
      ...(zones.length === 0 ? {} : { cloud: { zones } }),
      manifests: usable,
      ...(staticNodes.length === 0 ? {} : { staticNodes }),
      curves: curves.map((group) => curveOf(group, startedAtMs)),
    },
    leftOut,
  };
}

/** Pods that one owner makes from one template. */
interface PodGroup {
  readonly kind: 'Deployment' | 'Job';
  readonly namespace: string;
  readonly name: string;
  readonly pod: Raw;
  /** At the start. */
  replicas: number;
  readonly changes: { readonly atMs: number; readonly replicas: number }[];
  /** Jobs: when each pod came and went; null for those that ran on. */
  readonly runs: Map<string, { readonly fromMs: number; toMs: number | null }>;
}

function groupPods({ objects, podChanges, startedAtMs }: RecordedHistory): ReadonlyMap<string, PodGroup> {
  const groups = new Map<string, PodGroup>();
  const groupOfPod = new Map<string, PodGroup>();
  for (const pod of objects) {
    if (pod.kind !== 'Pod' || !isLivingPod(pod)) continue;
    const group = groupFor(groups, pod);
    if (group === null) continue;
    group.replicas += 1;
    group.runs.set(keyOf(pod), { fromMs: startedAtMs, toMs: null });
    groupOfPod.set(keyOf(pod), group);
  }
  for (const { atMs, key, pod } of podChanges) {
    const held = groupOfPod.get(key);
    if (pod !== null && isLivingPod(pod)) {
      if (held !== undefined) continue;
      const group = groupFor(groups, pod);
      if (group === null) continue;
      groupOfPod.set(key, group);
      noteCount(group, atMs, 1);
      group.runs.set(key, { fromMs: atMs, toMs: null });
    } else if (held !== undefined) {
      groupOfPod.delete(key);
      noteCount(held, atMs, -1);
      const run = held.runs.get(key);
      if (run !== undefined) run.toMs = atMs;
    }
  }
  return groups;
}

function noteCount(group: PodGroup, atMs: number, difference: number): void {
  const before = group.changes.at(-1)?.replicas ?? group.replicas;
  group.changes.push({ atMs, replicas: before + difference });
}

/** Null for pods that come with their node: daemons and static pods. */
function groupFor(groups: Map<string, PodGroup>, pod: Raw): PodGroup | null {
  const metadata = objectIn(pod, 'metadata') ?? {};
  const owner = controllingOwner(metadata);
  if (owner?.kind === 'DaemonSet' || owner?.kind === 'Node') return null;
  const namespace = textIn(metadata, 'namespace') || 'default';
  const hash = textMapIn(metadata, 'labels')[TEMPLATE_HASH] ?? '';
  const ownName = owner?.name ?? textIn(metadata, 'name');
  const base = hash !== '' && ownName.endsWith(`-${hash}`) ? ownName.slice(0, -hash.length - 1) : ownName;
  const template = podTemplate(pod);
  const key = JSON.stringify([namespace, owner?.uid ?? textIn(metadata, 'uid'), template]);
  const held = groups.get(key);
  if (held !== undefined) return held;
  const kind = owner?.kind === 'Job' ? 'Job' : 'Deployment';
  const name = freeName(groups, namespace, base);
  const made: PodGroup = { kind, namespace, name, pod: template, replicas: 0, changes: [], runs: new Map() };
  groups.set(key, made);
  return made;
}

/** Two revisions of one Deployment become two workloads. */
function freeName(groups: ReadonlyMap<string, PodGroup>, namespace: string, base: string): string {
  const taken = new Set(
    [...groups.values()].filter((one) => one.namespace === namespace).map(({ name }) => name),
  );
  if (!taken.has(base)) return base;
  for (let number = 2; ; number += 1) if (!taken.has(`${base}-${number}`)) return `${base}-${number}`;
}

/** What all pods of the workload share: no node, no volumes (they are not simulated), no label of its own. */
function podTemplate(pod: Raw): Raw {
  const { nodeName: _node, volumes: _volumes, ...spec } = objectIn(pod, 'spec') ?? {};
  const metadata = objectIn(pod, 'metadata') ?? {};
  const labels = Object.entries(textMapIn(metadata, 'labels')).filter(([name]) => !OWN_LABELS.has(name));
  const annotations = objectIn(metadata, 'annotations');
  return {
    metadata: { labels: Object.fromEntries(labels), ...(annotations === null ? {} : { annotations }) },
    spec,
  };
}

function workloadManifest({ kind, namespace, name, pod, replicas }: PodGroup): Raw {
  const count = kind === 'Job' ? { parallelism: replicas } : { replicas };
  return {
    apiVersion: kind === 'Job' ? 'batch/v1' : 'apps/v1',
    kind,
    metadata: { name, namespace },
    spec: { ...count, template: pod },
  };
}

function curveOf({ kind, namespace, name, replicas, changes, runs }: PodGroup, startMs: number): WireCurve {
  const workload = `${namespace}/${name}`;
  const since = (atMs: number): string => `${Math.max(0, Math.round(atMs - startMs))}ms`;
  if (kind === 'Job') {
    const arrivals = [...runs.values()].map(({ fromMs, toMs }) => ({
      at: since(fromMs),
      ...(toMs === null ? {} : { runTime: `${Math.round(toMs - fromMs)}ms` }),
    }));
    return { workload, arrivals };
  }
  const steps = [{ atMs: startMs, replicas }, ...changes];
  return { workload, steps: steps.map((step) => ({ at: since(step.atMs), replicas: step.replicas })) };
}

/** What its reader refuses would spoil the whole scenario. */
function isUsable(manifest: Raw, leftOut: string[]): boolean {
  const read = readManifests([manifest]);
  if (read.kind === 'valid') return true;
  const [problem] = read.problems;
  const reason =
    problem === undefined ? 'it cannot be read' : describeProblem(problem).replace(/^manifests\[0\]\./, '');
  leftOut.push(`${titleOf(manifest)} is left out: ${reason}`);
  return false;
}

function zonesOf(objects: readonly Raw[]): readonly string[] {
  const zones = objects
    .filter(({ kind }) => kind === 'Node')
    .map((node) => textMapIn(objectIn(node, 'metadata'), 'labels')[LABEL.zone] ?? '')
    .filter((zone) => zone !== '');
  return [...new Set(zones)].sort();
}

function staticNodesOf(
  objects: readonly Raw[],
  knownTypes: ReadonlySet<string>,
  leftOut: string[],
): NonNullable<WireScenario['staticNodes']> {
  return objects.flatMap((node) => {
    const metadata = objectIn(node, 'metadata');
    const labels = textMapIn(metadata, 'labels');
    if (node.kind !== 'Node' || labels[LABEL.provisioner] !== undefined) return [];
    const name = textIn(metadata, 'name');
    const instanceType = labels[LABEL.instanceType] ?? '';
    const zone = labels[LABEL.zone] ?? '';
    if (knownTypes.has(instanceType) && zone !== '') return [{ name, instanceType, zone }];
    const type = instanceType === '' ? 'it has no instance type' : `its type ${instanceType} is not known`;
    leftOut.push(`Node ${name} is left out: ${zone === '' ? 'it has no zone' : type}`);
    return [];
  });
}

function keyOf(pod: Raw): string {
  const metadata = objectIn(pod, 'metadata');
  return `${textIn(metadata, 'namespace') || 'default'}/${textIn(metadata, 'name')}`;
}

function titleOf(manifest: Raw): string {
  const metadata = objectIn(manifest, 'metadata');
  const namespace = textIn(metadata, 'namespace');
  return `${textIn(manifest, 'kind')} ${namespace === '' ? '' : `${namespace}/`}${textIn(metadata, 'name')}`;
}
