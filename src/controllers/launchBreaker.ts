// When a Provisioner launches nothing for a while: its last nodes, all alike in configuration, never came up.
import { hasCondition, type NodeClaim } from '../model/nodeClaim.ts';
import type { NodeClass } from '../model/nodeClass.ts';
import {
  COUNTED_CLAIMS_MOST,
  FAILED_IMAGES_MOST,
  type LaunchFailures,
  type Provisioner,
} from '../model/provisioner.ts';

/**
 * So many nodes that never came up stop the launches of their configuration, unless one launched with them or later
 * has come up. One may be a broken host. Each has cost a quarter of an hour, and how many are launched by then depends
 * on the pods alone: waiting for more would spare nobody.
 */
export const FAILURES_MOST = 2;
/** The first pause; doubled with each node that is tried in vain after one. */
export const PAUSE_FIRST_MS = 5 * 60_000;
export const PAUSE_MOST_MS = 60 * 60_000;
/** Claims of one plan are stored within this time of each other: their order says nothing. */
const TOGETHER_MS = 60_000;

/** What the nodes of a Provisioner have in common as it is written. */
export function configurationOf({ generation, nodeClassRef }: Provisioner, nodeClass: NodeClass): string {
  return `${generation}/${nodeClassRef.kind}/${nodeClassRef.name}/${nodeClass.generation}`;
}

/** What a Provisioner launches now. A change of it is worth a try at once. */
export interface Launched {
  readonly configuration: string;
  /** Images, one for each kind of type that needs its own; null when they cannot be told. */
  readonly imageIds: readonly string[] | null;
}

/**
 * True while what has failed is still what would be launched. An image may change behind a parameter or a selector,
 * and nothing that is written changes with it. As long as it cannot be told, it is taken to be the same.
 */
export function isStillLaunched(failures: LaunchFailures, { configuration, imageIds }: Launched): boolean {
  if (failures.configuration !== configuration) return false;
  return imageIds === null || failures.imageIds.every((id) => imageIds.includes(id));
}

/** True when the claim booted an image that is launched no more. */
export function hasOldImage({ status }: NodeClaim, { imageIds }: Launched): boolean {
  return imageIds !== null && status.imageId !== '' && !imageIds.includes(status.imageId);
}

/** One node that did not come up. */
export interface LaunchFailure {
  /** What its Provisioner launches as it is counted. */
  readonly launched: Launched;
  readonly claim: NodeClaim;
  readonly atMs: number;
  /** What is known of why, for whoever waits for the next. */
  readonly hint: string;
}

/**
 * What is remembered after one more node has not come up. Launches stop with the second of a configuration, and once
 * more, for longer, with each node that was stored after they had stopped: the others were on their way already.
 */
export function afterFailure(
  before: LaunchFailures | null,
  { launched, claim, atMs, hint }: LaunchFailure,
): LaunchFailures {
  const known = before !== null && isStillLaunched(before, launched) ? before : null;
  const { configuration } = launched;
  const { imageId } = claim.status;
  const imageIds = withOne(known?.imageIds ?? [], imageId, FAILED_IMAGES_MOST);
  // Of whatever configuration: none of them is to be counted again.
  const claims = withOne(before?.claims ?? [], claim.uid, COUNTED_CLAIMS_MOST);
  const nodes = (known?.nodes ?? 0) + 1;
  const pauses = known?.pauses ?? 0;
  const pausedAtMs = known?.pausedAtMs ?? 0;
  const retryAtMs = known?.retryAtMs ?? 0;
  const stops = nodes >= FAILURES_MOST && (pauses === 0 || claim.createdAtMs > pausedAtMs);
  const what = { configuration, imageIds, nodes, hint, claims };
  if (!stops) return { ...what, pauses, pausedAtMs, retryAtMs };
  const pauseMs = Math.min(PAUSE_MOST_MS, PAUSE_FIRST_MS * 2 ** pauses);
  return { ...what, pauses: pauses + 1, pausedAtMs: atMs, retryAtMs: atMs + pauseMs };
}

/** The texts with one more at the end, each once; the oldest make room. */
function withOne(texts: readonly string[], text: string, most: number): readonly string[] {
  if (text === '' || texts.includes(text)) return texts;
  return [...texts, text].slice(-most);
}

/** True when a node of the same Provisioner, launched together with this one or later, has come up. */
export function othersCameUp(failed: NodeClaim, claims: readonly NodeClaim[]): boolean {
  return claims.some(
    (claim) =>
      claim.spec.provisioner === failed.spec.provisioner &&
      claim.createdAtMs >= failed.createdAtMs - TOGETHER_MS &&
      hasCondition(claim, 'Initialized'),
  );
}

/** 'free': launch what is planned. 'one': one node, to see whether it comes up. 'none': nothing until then. */
export type LaunchLeave = 'free' | 'one' | 'none';

/**
 * What may be launched now.
 * @param comingUp how many claims of the Provisioner have not come up yet: the one that is tried among them
 */
export function launchLeave(
  failures: LaunchFailures | null,
  launched: Launched,
  { comingUp, nowMs }: { readonly comingUp: number; readonly nowMs: number },
): LaunchLeave {
  if (failures === null || failures.pauses === 0 || !isStillLaunched(failures, launched)) return 'free';
  return nowMs < failures.retryAtMs || comingUp > 0 ? 'none' : 'one';
}
