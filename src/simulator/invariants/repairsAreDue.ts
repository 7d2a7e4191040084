// A node is replaced as unhealthy only when it has been so for long enough, and not when too many others are too.
import { ailmentOf } from '../../disruption/repair.ts';
import { DEFAULT_REPAIR } from '../../model/disruptionPolicy.ts';
import { LABEL } from '../../model/labels.ts';
import type { Node } from '../../model/node.ts';
import type { Simulation } from '../simulation.ts';
import type { Invariant } from './invariant.ts';

/** Between the look at the node and the record of its end there are two calls, which may be repeated. */
const JUST_NOW_MS = 30_000;
const NEVER = Number.POSITIVE_INFINITY;

export const repairsAreDue: Invariant = ({ simulation, report }) => {
  const { store, history, clock } = simulation;
  const { mishaps } = simulation.setup.faults;
  const clockIsTrue = mishaps.clockJumpMs === NEVER;
  const watchIsFresh = mishaps.staleWatchMs === NEVER && mishaps.apiOutageMs === NEVER;
  history.listen(({ kind, subject, facts }) => {
    if (kind !== 'Decision' || facts.kind !== 'Disrupted' || facts.disruption !== 'Unhealthy') return;
    const node = store.get('node', store.get('nodeClaim', subject)?.status.nodeName ?? '');
    const provisioner = store.get('provisioner', node?.labels[LABEL.provisioner] ?? '');
    if (node === undefined || provisioner === undefined) return;
    const policy = provisioner.disruption.repair ?? DEFAULT_REPAIR;
    if (policy.policy !== 'Replace')
      report(`${node.name} was replaced, and its Provisioner says ${policy.policy}`);
    const ailment = ailmentOf(node, policy);
    const nowMs = clock.nowMs();
    if (ailment === null) {
      if (!hasJustChanged(node, nowMs)) report(`${node.name} was replaced, and is well`);
      return;
    }
    if (clockIsTrue && ailment.dueAtMs > nowMs)
      report(`${node.name} was replaced ${ailment.dueAtMs - nowMs} ms before it was due`);
    const [unhealthy, most] = sickIn(simulation, provisioner.name);
    if (watchIsFresh && unhealthy > most)
      report(
        `${node.name} was replaced while ${unhealthy} nodes of ${provisioner.name} are unhealthy, over ${most}`,
      );
  });
  return undefined;
};

function hasJustChanged({ conditions }: Node, nowMs: number): boolean {
  return conditions.some(({ sinceMs }) => nowMs - sinceMs < JUST_NOW_MS);
}

/** How many nodes are and may be unhealthy; of those that have only just become so nobody knows yet. */
function sickIn({ store, clock }: Simulation, provisioner: string): readonly [number, number] {
  const own = [...store.values('node')].filter((node) => node.labels[LABEL.provisioner] === provisioner);
  const sick = own.filter(
    (node) =>
      node.labels[LABEL.initialized] === 'true' &&
      ailmentOf(node) !== null &&
      !hasJustChanged(node, clock.nowMs()),
  );
  return [sick.length, Math.ceil(own.length / 5)];
}
