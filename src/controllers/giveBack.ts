// Giving back what never joined, and what has lost its Node: decided again from the server's own word, and told with
// what the console of the instance says.
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { Ports } from '../ports/ports.ts';
import { deleteAndTell, tellKept } from './claimEvents.ts';
import type { Launching } from './launch.ts';
import { noteNotUp } from './launchFailures.ts';
import { type NextRun, WHEN_CHANGED } from './nextRun.ts';
import { notInitializedBecause } from './registration.ts';

export type GivenBackBecause = 'NeverRegistered' | 'NeverInitialized' | 'NodeGone';

/** Why a claim is to go, as the watch has it. */
export interface Ending {
  readonly reason: GivenBackBecause;
  /** What is wrong, as a sentence without its end. */
  readonly message: string;
  /** The same in a few words, for pods that wait for the next node. */
  readonly because: string;
}

/**
 * Starts the end of a claim whose time is up, and does not wait for it: EC2 and the API server are asked first.
 * @returns when to look at the claim again
 */
export function giveBack(ports: Ports, launching: Launching, claim: NodeClaim, ending: Ending): NextRun {
  const { givingBack, givenUp, doubts } = launching;
  // Deleted once, it is not deleted and told of again, however late the watch is.
  if (givingBack.has(claim.uid) || givenUp.has(claim.uid)) return WHEN_CHANGED;
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
  const { doubts, givenUp, live, memory } = launching;
  try {
    if (await isThereAfterAll(ports, launching, claim, ending.reason)) {
      doubts.failed(claim.uid, ports.clock.nowMs());
      const facts = { nodeClaim: claim.name, reason: ending.reason };
      ports.telemetry.log.warn(facts, 'node claim kept: the watch is behind, its node is there');
      const message = `${ending.reason}, but kept: its node is there after all`;
      const why = {
        type: 'Normal',
        reason: 'DisruptionBlocked',
        message,
        disruption: ending.reason,
      } as const;
      await tellKept(ports, live, claim, why);
      return;
    }
    const hint = await hintOf(ports, claim, ending);
    // A restart must know of it before the claim is gone, or it would launch as before.
    if (ending.reason !== 'NodeGone')
      await noteNotUp(ports, { live, failures: memory.failures }, claim, hint.short);
    const message = `${ending.message}${hint.sentence}`;
    const { provisioner } = claim.spec;
    const why = { type: 'Warning', reason: ending.reason, message, facts: { provisioner } } as const;
    await deleteAndTell(ports, live, claim, why);
    givenUp.add(claim.uid);
    const { providerId, nodeName: node } = claim.status;
    const facts = { nodeClaim: claim.name, providerId, node, reason: ending.reason, message };
    ports.telemetry.log.warn(facts, 'node claim given back');
    const labels = { provisioner, reason: ending.reason };
    ports.telemetry.metrics.count('cooper_nodeclaims_disrupted_total', labels);
  } catch (failure) {
    doubts.failed(claim.uid, ports.clock.nowMs());
    ports.telemetry.log.error({ nodeClaim: claim.name, error: String(failure) }, 'node claim not given back');
  }
}

/** The end of an instance cannot be taken back, and the watch may be any time behind: the server itself is asked. */
async function isThereAfterAll(
  { kube }: Ports,
  { joined }: Launching,
  claim: NodeClaim,
  reason: GivenBackBecause,
): Promise<boolean> {
  const { nodeName, providerId } = claim.status;
  if (reason === 'NeverRegistered')
    return (await joined.read(() => kube.readNodeProviderIds())).has(providerId);
  const node = await kube.readNode(nodeName);
  if (node === null || node.providerId !== providerId) return false;
  return reason === 'NodeGone' || notInitializedBecause(claim, node) === null;
}

interface Hint {
  /** To go behind the event's message. */
  readonly sentence: string;
  /** For pods that wait for the next node. */
  readonly short: string;
}

/** A Node that has joined can be looked at; of an instance that has not, its console is all there is. */
async function hintOf({ cloud, telemetry }: Ports, claim: NodeClaim, ending: Ending): Promise<Hint> {
  if (ending.reason !== 'NeverRegistered') return { sentence: '', short: ending.because };
  if (cloud.consoleTail === undefined) return { sentence: '', short: ending.because };
  try {
    const tail = await cloud.consoleTail(claim.status.providerId);
    if (tail.kind === 'none')
      return { sentence: `; its console cannot be shown: ${tail.because}`, short: ending.because };
    const text = tail.lines.join(' | ');
    return { sentence: `; its console says: ${text}`, short: `console: ${text}` };
  } catch (failure) {
    telemetry.log.warn({ nodeClaim: claim.name, error: String(failure) }, 'console not read');
    return { sentence: '; its console could not be asked for', short: ending.because };
  }
}
