// Giving back what never joined, and what has lost its Node: decided again from the server's own word, and told with
// what the console of the instance says.
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { Ports } from '../ports/ports.ts';
import { deleteAndTell } from './claimEvents.ts';
import type { Launching } from './launch.ts';
import { type NextRun, WHEN_CHANGED } from './nextRun.ts';
import { notInitializedBecause } from './registration.ts';

export type GivenBackBecause = 'NeverRegistered' | 'NeverInitialized' | 'NodeGone';

/** Why a claim is to go, as the watch has it. */
export interface Ending {
  readonly reason: GivenBackBecause;
  /** What is wrong, as a sentence without its end. */
  readonly message: string;
}

/** Longer than the event of its deletion takes: the claim is not deleted, and told of, twice. */
const DELETED_HOLD_MS = 60_000;

/**
 * Starts the end of a claim whose time is up, and does not wait for it: EC2 and the API server are asked first.
 * @returns when to look at the claim again
 */
export function giveBack(ports: Ports, launching: Launching, claim: NodeClaim, ending: Ending): NextRun {
  const { givingBack, doubts } = launching;
  if (givingBack.has(claim.uid)) return WHEN_CHANGED;
  const waitMs = doubts.waitMs(claim.uid, ports.clock.nowMs());
  if (waitMs > 0) return { afterMs: waitMs };
  givingBack.add(claim.uid);
  void attempt(ports, launching, claim, ending).finally(() => {
    givingBack.delete(claim.uid);
    launching.wake();
  });
  return WHEN_CHANGED;
}

async function attempt(ports: Ports, launching: Launching, claim: NodeClaim, ending: Ending): Promise<void> {
  const { doubts, live } = launching;
  try {
    if (await isThereAfterAll(ports, claim, ending.reason)) {
      doubts.failed(claim.uid, ports.clock.nowMs());
      const facts = { nodeClaim: claim.name, reason: ending.reason };
      ports.telemetry.log.warn(facts, 'node claim kept: the watch is behind, its node is there');
      return;
    }
    const message = `${ending.message}${await consoleHint(ports, claim, ending.reason)}`;
    await deleteAndTell(ports, live, claim, { type: 'Warning', reason: ending.reason, message });
    doubts.hold(claim.uid, ports.clock.nowMs() + DELETED_HOLD_MS);
    const { providerId, nodeName: node } = claim.status;
    const facts = { nodeClaim: claim.name, providerId, node, reason: ending.reason, message };
    ports.telemetry.log.warn(facts, 'node claim given back');
    const { provisioner } = claim.spec;
    const labels = { provisioner, reason: ending.reason };
    ports.telemetry.metrics.count('cooper_nodeclaims_disrupted_total', labels);
    const atMs = ports.clock.nowMs();
    const disrupted = { node, disruption: ending.reason, provisioner };
    ports.journal.append({ atMs, kind: 'Disrupted', subject: claim.name, reason: message, facts: disrupted });
  } catch (failure) {
    doubts.failed(claim.uid, ports.clock.nowMs());
    ports.telemetry.log.error({ nodeClaim: claim.name, error: String(failure) }, 'node claim not given back');
  }
}

/** The end of an instance cannot be taken back, and the watch may be any time behind: the server itself is asked. */
async function isThereAfterAll(
  { kube }: Ports,
  claim: NodeClaim,
  reason: GivenBackBecause,
): Promise<boolean> {
  const { nodeName, providerId } = claim.status;
  if (reason === 'NeverRegistered') return (await kube.readNodeProviderIds()).has(providerId);
  const node = await kube.readNode(nodeName);
  if (node === null || node.providerId !== providerId) return false;
  return reason === 'NodeGone' || notInitializedBecause(claim, node) === null;
}

/** A Node that has joined can be looked at; of an instance that has not, its console is all there is. */
async function consoleHint(
  { cloud, telemetry }: Ports,
  { name, status }: NodeClaim,
  reason: GivenBackBecause,
): Promise<string> {
  if (reason !== 'NeverRegistered' || cloud.consoleTail === undefined) return '';
  try {
    const tail = await cloud.consoleTail(status.providerId);
    return tail.kind === 'lines'
      ? `; its console says: ${tail.lines.join(' | ')}`
      : `; its console cannot be shown: ${tail.because}`;
  } catch (failure) {
    telemetry.log.warn({ nodeClaim: name, error: String(failure) }, 'console not read');
    return '; its console could not be asked for';
  }
}
