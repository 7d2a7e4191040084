// What the API server's admission would write into a pod spec: priority, overhead, default requests and limits.
import { asRaw, objectIn, objectsIn, type Raw, textIn } from '../api/objects/raw.ts';
import type { Problem } from '../api/parsed.ts';

/** The cluster's classes and ranges, as manifests. */
export interface AdmissionRules {
  readonly priorityClasses: readonly Raw[];
  readonly runtimeClasses: readonly Raw[];
  readonly limitRanges: readonly Raw[];
}

/** Classes that every cluster has. Source: Kubernetes, "Pod Priority and Preemption". */
const SYSTEM_PRIORITIES: ReadonlyMap<string, number> = new Map([
  ['system-cluster-critical', 2_000_000_000],
  ['system-node-critical', 2_000_001_000],
]);

export interface Admitted {
  readonly spec: Raw;
  /** Why admission would turn the pod away. */
  readonly problems: readonly Problem[];
}

/**
 * Fills in what admission would, where the spec does not say it already; repeating it changes nothing.
 * @param spec a pod's raw spec, or a workload's template spec
 * @param namespace whose LimitRanges apply
 */
export function admitPodSpec(spec: Raw, namespace: string, rules: AdmissionRules): Admitted {
  const priority = withPriority(spec, rules);
  const overhead = withRuntimeClass(priority.spec, rules);
  const ranges = rules.limitRanges.filter((range) => namespaceOf(range) === namespace);
  const limits = ranges.flatMap((range) => objectsIn(objectIn(range, 'spec'), 'limits'));
  const forContainers = limits.filter((limit) => textIn(limit, 'type') === 'Container');
  return {
    spec: forContainers.reduce(withContainerDefaults, overhead.spec),
    problems: [...priority.problems, ...overhead.problems],
  };
}

const namespaceOf = (object: Raw): string => textIn(objectIn(object, 'metadata'), 'namespace') || 'default';
const nameOf = (object: Raw): string => textIn(objectIn(object, 'metadata'), 'name');

function withPriority(spec: Raw, { priorityClasses }: AdmissionRules): Admitted {
  const name = textIn(spec, 'priorityClassName');
  if (typeof spec.priority === 'number') return { spec, problems: [] };
  const found = priorityClasses.find((one) =>
    name === '' ? one.globalDefault === true : nameOf(one) === name,
  );
  const value = found?.value ?? SYSTEM_PRIORITIES.get(name);
  if (typeof value === 'number') return { spec: { ...spec, priority: value }, problems: [] };
  if (name === '') return { spec, problems: [] };
  return { spec, problems: [unknownClass('priorityClassName', name, 'PriorityClass')] };
}

function withRuntimeClass(spec: Raw, { runtimeClasses }: AdmissionRules): Admitted {
  const name = textIn(spec, 'runtimeClassName');
  if (name === '') return { spec, problems: [] };
  const found = runtimeClasses.find((one) => nameOf(one) === name);
  if (found === undefined)
    return { spec, problems: [unknownClass('runtimeClassName', name, 'RuntimeClass')] };
  const overhead = objectIn(objectIn(found, 'overhead'), 'podFixed');
  const scheduling = objectIn(found, 'scheduling');
  const tolerations = [...objectsIn(spec, 'tolerations')];
  const held = new Set(tolerations.map((one) => JSON.stringify(one)));
  tolerations.push(...objectsIn(scheduling, 'tolerations').filter((one) => !held.has(JSON.stringify(one))));
  return {
    spec: {
      ...spec,
      ...(overhead === null || spec.overhead !== undefined ? {} : { overhead }),
      nodeSelector: { ...objectIn(spec, 'nodeSelector'), ...objectIn(scheduling, 'nodeSelector') },
      tolerations,
    },
    problems: [],
  };
}

function unknownClass(field: string, name: string, kind: string): Problem {
  return { field: `spec.${field}`, problem: `is ${name}, which does not exist`, mend: `add that ${kind}` };
}

/** Source: Kubernetes, "Limit Ranges"; defaults of a range from its own max and min as the API server sets them. */
function withContainerDefaults(spec: Raw, limit: Raw): Raw {
  const limits = { ...objectIn(limit, 'max'), ...objectIn(limit, 'default') };
  const requests = { ...objectIn(limit, 'min'), ...limits, ...objectIn(limit, 'defaultRequest') };
  const fill = (field: string): readonly Raw[] =>
    objectsIn(spec, field).map((container) => containerWith(container, { limits, requests }));
  return {
    ...spec,
    containers: fill('containers'),
    ...(spec.initContainers === undefined ? {} : { initContainers: fill('initContainers') }),
  };
}

function containerWith(container: Raw, defaults: { readonly limits: Raw; readonly requests: Raw }): Raw {
  const resources = asRaw(container.resources) ?? {};
  const ownLimits = objectIn(resources, 'limits');
  // A limit written in the pod stands as its request before any range is asked.
  const requests = { ...defaults.requests, ...ownLimits, ...objectIn(resources, 'requests') };
  return {
    ...container,
    resources: { ...resources, requests, limits: { ...defaults.limits, ...ownLimits } },
  };
}
