// Whether a node is unhealthy, for how long that is borne, and what keeps it from being replaced.
import type { Node } from '../model/node.ts';
import { type ExplainedClaim, explained } from './explainEmptiness.ts';
import type { ReasonExplanation } from './explanation.ts';
import { ailmentOf, decideRepair } from './repair.ts';

/**
 * Null for a healthy node of a Provisioner that does not ask for repair: nothing is to be said of it.
 * @param launchesPaused as for `decideRepair`
 */
export function explainRepair(
  { claim, provisioner, snapshot }: ExplainedClaim,
  node: Node,
  launchesPaused: (provisioner: string) => boolean,
): ReasonExplanation | null {
  const { repair } = provisioner.disruption;
  const ailment = ailmentOf(node, repair);
  if (ailment === null) {
    if (repair?.policy !== 'Replace') return null;
    return explained('Unhealthy', 'no', 'its conditions say that it is well');
  }
  const { type, status } = ailment.condition;
  if (ailment.dueAtMs > snapshot.takenAtMs) {
    const message = `${type} is ${status}; if it stays so, the node is unhealthy`;
    return explained('Unhealthy', 'later', message, { changesAtMs: ailment.dueAtMs });
  }
  const { repairs, held } = decideRepair(snapshot, launchesPaused);
  const own = held.find((one) => one.claim.name === claim.name);
  if (own !== undefined)
    return explained('Unhealthy', 'blocked', `${own.message}, but kept: ${own.held}`, {
      obstacles: [{ message: own.held }],
    });
  const due = repairs.find((one) => one.claim.name === claim.name);
  return due === undefined
    ? explained('Unhealthy', 'no', 'it is still coming up')
    : explained('Unhealthy', 'due', due.message);
}
