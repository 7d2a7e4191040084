// The life of a claim step by step, with what each step took: where the time of a new node goes.
import type { Node } from '../model/node.ts';
import type { NodeClaim, NodeClaimCondition } from '../model/nodeClaim.ts';
import type { LaunchStep } from './explanation.ts';

/** In the order in which they happen; steps still to come have no time. */
export function explainLaunch(claim: NodeClaim, node: Node | undefined): readonly LaunchStep[] {
  const condition = (type: NodeClaimCondition['type']) =>
    claim.status.conditions.find((one) => one.type === type);
  const doneAtMs = (type: NodeClaimCondition['type']): number | null => {
    const found = condition(type);
    return found?.status === 'True' ? found.sinceMs : null;
  };
  const told = (type: NodeClaimCondition['type']): string => {
    const found = condition(type);
    return found === undefined || found.status === 'True' ? '' : found.message || found.reason;
  };
  const steps = [
    { step: 'decided', atMs: claim.createdAtMs, message: 'the NodeClaim was stored' },
    { step: 'launched', atMs: doneAtMs('Launched'), message: told('Launched') || 'EC2 answered CreateFleet' },
    { step: 'joined', atMs: node?.createdAtMs ?? null, message: 'booted, and its kubelet made the Node' },
    {
      step: 'registered',
      atMs: doneAtMs('Registered'),
      message: told('Registered') || 'linked and labelled',
    },
    { step: 'ready', atMs: doneAtMs('Initialized'), message: told('Initialized') || 'takes pods' },
  ];
  let beforeMs: number | null = null;
  return steps.map(({ step, atMs, message }) => {
    const tookMs = atMs === null || beforeMs === null ? null : Math.max(0, atMs - beforeMs);
    if (atMs !== null) beforeMs = atMs;
    return { step, atMs, tookMs, message };
  });
}
