// When a Node belongs to a claim, when it is ready for pods, and what must be written on it.
import { LABEL, TERMINATION_FINALIZER, UNREGISTERED_TAINT_KEY } from '../model/labels.ts';
import { isReady, type Node } from '../model/node.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { Taint } from '../model/taint.ts';
import type { NodePatch } from '../ports/kubeApi.ts';

/**
 * What registering writes: the claim's labels, annotations and taints, our finalizer, and the boot taint off.
 * Startup taints come with the node's user data: the daemon that they wait for may have taken them off already.
 * @param typeLabels labels of the instance type that was launched: user data is shared by many types and has none
 */
export function registrationPatch(
  claim: NodeClaim,
  node: Node,
  typeLabels: Readonly<Record<string, string>>,
): NodePatch {
  const { spec } = claim;
  return {
    labels: {
      ...typeLabels,
      ...spec.labels,
      [LABEL.provisioner]: spec.provisioner,
      [LABEL.registered]: 'true',
    },
    annotations: spec.annotations,
    addTaints: spec.taints.filter((taint) => !hasTaint(node, taint)),
    removeTaints: [{ key: UNREGISTERED_TAINT_KEY, effect: 'NoExecute' }],
    addFinalizer: TERMINATION_FINALIZER,
  };
}

/**
 * Why the node is not ready for pods yet, or null when it is: Ready, startup taints and the cluster's own
 * boot taints gone, and every extended resource that was planned for reported (Karpenter's rule).
 */
export function notInitializedBecause(claim: NodeClaim, node: Node): string | null {
  if (!isReady(node)) return 'the node is not Ready';
  const startup = claim.spec.startupTaints.find((taint) => hasTaint(node, taint));
  if (startup !== undefined) return `startup taint ${startup.key} is still on the node`;
  const boot = node.taints.find((taint) => BOOT_TAINT_KEYS.has(taint.key));
  if (boot !== undefined) return `taint ${boot.key} is still on the node`;
  const missing = Object.entries(claim.spec.requests).find(
    ([name, amount]) => amount > 0 && name.includes('/') && (node.allocatable[name] ?? 0) === 0,
  );
  return missing === undefined ? null : `resource ${missing[0]} is not reported by the node`;
}

/** Taints that Kubernetes itself puts on a node that is on its way. */
const BOOT_TAINT_KEYS: ReadonlySet<string> = new Set([
  UNREGISTERED_TAINT_KEY,
  'node.kubernetes.io/not-ready',
  'node.kubernetes.io/unreachable',
  'node.cloudprovider.kubernetes.io/uninitialized',
]);

function hasTaint(node: Node, taint: Taint): boolean {
  return node.taints.some((one) => one.key === taint.key && one.effect === taint.effect);
}
