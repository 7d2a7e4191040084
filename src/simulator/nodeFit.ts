// May a pod of this class run on that node? The kube-scheduler's filters that look at one node alone.
import type { Node } from '../model/node.ts';
import type { HostPort, Pod, PodSpec } from '../model/pod.ts';
import { requirementsFromLabels } from '../model/requirement.ts';
import {
  intersectRequirements,
  labelsSatisfy,
  type RequirementSet,
  requirementSet,
} from '../model/requirementSet.ts';
import { toleratesTaint, untoleratedTaint } from '../model/taint.ts';
import type { LedgerEntry } from './nodeLedger.ts';

/** A pod spec made ready for many node checks. */
export interface CompiledSpec {
  readonly spec: PodSpec;
  /** Alternatives; the pod may run where one of them holds. */
  readonly alternatives: readonly RequirementSet[];
  readonly preferred: readonly { readonly weight: number; readonly requirements: RequirementSet }[];
  readonly requests: readonly (readonly [string, number])[];
  /** Answers for nodes seen before; nodes are immutable values, so an answer holds for good. */
  readonly verdicts: WeakMap<Node, boolean>;
  /** Kept by `scoreNodes`: what nodes scored when last looked at. */
  readonly scores: WeakMap<LedgerEntry, object>;
}

export function compileSpec(spec: PodSpec): CompiledSpec {
  const selector = requirementSet(requirementsFromLabels(spec.nodeSelector));
  const terms = spec.nodeAffinity?.filter((term) => !term.matchFields && term.requirements.length > 0);
  return {
    spec,
    alternatives:
      terms === undefined
        ? [selector]
        : terms.map((term) => intersectRequirements(selector, requirementSet(term.requirements))),
    preferred: spec.preferredNodeAffinity.map(({ weight, term }) => ({
      weight,
      requirements: requirementSet(term.requirements),
    })),
    requests: Object.entries(spec.requests),
    verdicts: new WeakMap(),
    scores: new WeakMap(),
  };
}

/** Taints, cordon, selector and required affinity: what a change of pods on the node cannot alter. */
export function nodeAdmits(compiled: CompiledSpec, node: Node): boolean {
  const known = compiled.verdicts.get(node);
  if (known !== undefined) return known;
  const admits =
    node.deletionRequestedAtMs === null &&
    toleratesCordon(compiled.spec, node) &&
    untoleratedTaint(node.taints, compiled.spec.tolerations) === null &&
    matchesAffinity(compiled, node);
  compiled.verdicts.set(node, admits);
  return admits;
}

export function matchesAffinity(compiled: CompiledSpec, node: Node): boolean {
  return compiled.alternatives.some((requirements) => labelsSatisfy(node.labels, requirements));
}

const NOBODY: readonly Pod[] = [];

/**
 * True when what the pod asks for is left on the node, host ports included.
 * @param expected pods that are not bound to the node, and count as if they were
 */
export function hasRoom(
  compiled: CompiledSpec,
  entry: LedgerEntry,
  expected: readonly Pod[] = NOBODY,
): boolean {
  const allocatable = entry.node?.allocatable;
  if (allocatable === undefined) return false;
  for (const [name, amount] of compiled.requests) {
    let used = entry.used.get(name) ?? 0;
    for (const { spec } of expected) used += spec.requests[name] ?? 0;
    if (amount > 0 && used + amount > (allocatable[name] ?? 0)) return false;
  }
  const { hostPorts } = compiled.spec;
  if (hostPorts.length === 0) return true;
  return !hasPortConflict(hostPorts, entry.pods.values()) && !hasPortConflict(hostPorts, expected);
}

const CORDON = { key: 'node.kubernetes.io/unschedulable', value: '', effect: 'NoSchedule' } as const;

function toleratesCordon(spec: PodSpec, node: Node): boolean {
  return !node.unschedulable || spec.tolerations.some((one) => toleratesTaint(one, CORDON));
}

function hasPortConflict(wanted: readonly HostPort[], pods: Iterable<Pod>): boolean {
  for (const pod of pods) {
    if (pod.spec.hostPorts.some((held) => wanted.some((port) => portsConflict(held, port)))) return true;
  }
  return false;
}

function portsConflict(left: HostPort, right: HostPort): boolean {
  if (left.port !== right.port || left.protocol !== right.protocol) return false;
  const isAny = (ip: string): boolean => ip === '' || ip === '0.0.0.0';
  return left.ip === right.ip || isAny(left.ip) || isAny(right.ip);
}
