// The Kubernetes objects of a scenario, read as users write them.
import { parseAwsNodeTemplate } from '../api/nodeClasses.ts';
import { parseDaemonSet } from '../api/objects/daemonSet.ts';
import { Interner } from '../api/objects/interner.ts';
import { readLabelSelector } from '../api/objects/labelSelector.ts';
import { keptAnnotations, readMetadata } from '../api/objects/metadata.ts';
import { readPodSpec } from '../api/objects/podSpec.ts';
import { asRaw, numberIn, objectIn, type Raw, textIn, textMapIn } from '../api/objects/raw.ts';
import { parseNamespace } from '../api/objects/workloads.ts';
import type { Parsed, Problem } from '../api/parsed.ts';
import { parseProvisioner } from '../api/provisioners.ts';
import type { NodeClass } from '../model/nodeClass.ts';
import type { Provisioner } from '../model/provisioner.ts';
import type { DaemonSet, Namespace } from '../model/workloads.ts';
import type { BudgetSpec } from './disruptionBudgets.ts';
import type { WorkloadSpec } from './workloads.ts';

export interface ReadManifests {
  readonly provisioners: readonly Provisioner[];
  readonly nodeClasses: readonly NodeClass[];
  readonly namespaces: readonly Namespace[];
  readonly daemonSets: readonly DaemonSet[];
  readonly budgets: readonly BudgetSpec[];
  /** Deployments and Jobs; the one step at time 0 holds the replicas of the manifest. */
  readonly workloads: readonly WorkloadSpec[];
}

interface Gathering {
  readonly provisioners: Provisioner[];
  readonly nodeClasses: NodeClass[];
  readonly namespaces: Namespace[];
  readonly daemonSets: DaemonSet[];
  readonly budgets: BudgetSpec[];
  readonly workloads: WorkloadSpec[];
  readonly interner: Interner;
}

/** Reads all objects; any fault in one of them makes the whole invalid, each named with its object. */
export function readManifests(manifests: readonly unknown[]): Parsed<ReadManifests> {
  const gathering: Gathering = {
    provisioners: [],
    nodeClasses: [],
    namespaces: [],
    daemonSets: [],
    budgets: [],
    workloads: [],
    interner: new Interner(),
  };
  const problems = manifests.flatMap((manifest, index) =>
    gather(gathering, manifest).map((problem) => ({
      ...problem,
      field: `manifests[${index}].${problem.field}`,
    })),
  );
  if (problems.length > 0) return { kind: 'invalid', name: '', problems };
  const { interner: _interner, ...objects } = gathering;
  return { kind: 'valid', value: objects };
}

function gather(into: Gathering, manifest: unknown): readonly Problem[] {
  const kind = textIn(asRaw(manifest), 'kind');
  switch (kind) {
    case 'Provisioner':
      return gatherProvisioner(into, manifest);
    case 'AWSNodeTemplate':
      return gatherParsed(into.nodeClasses, parseAwsNodeTemplate(manifest));
    case 'Namespace':
      return gatherParsed(into.namespaces, parseNamespace(manifest));
    case 'DaemonSet':
      return gatherParsed(into.daemonSets, parseDaemonSet(manifest, into.interner));
    case 'Deployment':
    case 'Job':
      return gatherWorkload(into, manifest, kind);
    case 'PodDisruptionBudget':
      return gatherBudget(into, manifest);
    default:
      return [
        {
          field: 'kind',
          problem: kind === '' ? 'is missing' : `is ${kind}, which is not simulated`,
          mend: 'write Provisioner, AWSNodeTemplate, Namespace, Deployment, Job, DaemonSet or PodDisruptionBudget',
        },
      ];
  }
}

function gatherParsed<T>(into: T[], parsed: Parsed<T>): readonly Problem[] {
  if (parsed.kind === 'invalid') return parsed.problems;
  into.push(parsed.value);
  return [];
}

function gatherProvisioner(into: Gathering, manifest: unknown): readonly Problem[] {
  const parsed = parseProvisioner(manifest);
  if (parsed.kind === 'invalid') return parsed.problems;
  const { provisioner, nodeClass } = parsed.value;
  into.provisioners.push({ ...provisioner, uid: `uid-${provisioner.name}` });
  if (nodeClass !== null) into.nodeClasses.push(nodeClass);
  return [];
}

function gatherWorkload(into: Gathering, manifest: unknown, kind: 'Deployment' | 'Job'): readonly Problem[] {
  const metadata = readMetadata(manifest);
  const spec = objectIn(asRaw(manifest), 'spec');
  const template = objectIn(spec, 'template');
  if (metadata === null || template === null)
    return [missing(metadata === null ? 'metadata.name' : 'spec.template')];
  const problems: Problem[] = [];
  const podMetadata = objectIn(template, 'metadata');
  const labels = into.interner.intern(textMapIn(podMetadata, 'labels'));
  const pod = readPodSpec(objectIn(template, 'spec'), {
    labels,
    status: null,
    path: 'spec.template.spec',
    problems,
    interner: into.interner,
  });
  const replicas = numberIn(spec, kind === 'Job' ? 'parallelism' : 'replicas') ?? 1;
  into.workloads.push({
    kind,
    namespace: metadata.namespace || 'default',
    name: metadata.name,
    labels,
    annotations: podMetadata === null ? {} : keptAnnotations(podMetadata),
    pod,
    steps: [{ atMs: 0, replicas }],
    runTimeMs: null,
  });
  return problems;
}

function gatherBudget(into: Gathering, manifest: unknown): readonly Problem[] {
  const metadata = readMetadata(manifest);
  if (metadata === null) return [missing('metadata.name')];
  const problems: Problem[] = [];
  const spec = objectIn(asRaw(manifest), 'spec');
  const selector = readLabelSelector(spec?.selector, { path: 'spec.selector', problems });
  if (selector === null) return problems.length > 0 ? problems : [missing('spec.selector')];
  into.budgets.push({
    namespace: metadata.namespace || 'default',
    name: metadata.name,
    selector,
    minAvailable: amountIn(spec, 'minAvailable'),
    maxUnavailable: amountIn(spec, 'maxUnavailable'),
    unhealthyPodEvictionPolicy:
      textIn(spec, 'unhealthyPodEvictionPolicy') === 'AlwaysAllow' ? 'AlwaysAllow' : 'IfHealthyBudget',
  });
  return problems;
}

/** A count or a percentage, as text; null when absent. */
function amountIn(raw: Raw | null, field: string): string | null {
  const value = raw?.[field];
  return typeof value === 'number' || typeof value === 'string' ? String(value) : null;
}

function missing(field: string): Problem {
  return { field, problem: 'is missing', mend: 'set it' };
}
