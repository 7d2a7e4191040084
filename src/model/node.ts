// Nodes, cut down to what scheduling and disruption look at.
import type { Resources } from './resources.ts';
import type { Taint } from './taint.ts';

export interface NodeCondition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly sinceMs: number;
}

export interface Node {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** `aws:///us-east-1a/i-0123`, '' before the kubelet or cloud controller has set it. */
  readonly providerId: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Only the annotations with a meaning here. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly unschedulable: boolean;
  readonly capacity: Resources;
  readonly allocatable: Resources;
  readonly conditions: readonly NodeCondition[];
  readonly finalizers: readonly string[];
  readonly createdAtMs: number;
  readonly deletionRequestedAtMs: number | null;
}

export function isReady(node: Node): boolean {
  return node.conditions.some((condition) => condition.type === 'Ready' && condition.status === 'True');
}
