// What an uninstallation has left behind, and what is to be done about each thing: pure.
import { TAG, TERMINATION_FINALIZER } from '../model/labels.ts';

export interface LeftClaim {
  readonly name: string;
  readonly uid: string;
  readonly providerId: string;
  readonly isBeingDeleted: boolean;
}

export interface LeftNode {
  readonly name: string;
  readonly providerId: string;
  /** Of a Provisioner: it carries its label. */
  readonly isOurs: boolean;
  readonly isBeingDeleted: boolean;
  readonly finalizers: readonly string[];
}

export interface LeftInstance {
  readonly id: string;
  readonly providerId: string;
  readonly nodeClaimUid: string;
}

/** Everything of one cluster that Cooper has made and that is still there. */
export interface Leftovers {
  readonly claims: readonly LeftClaim[];
  readonly nodes: readonly LeftNode[];
  readonly instances: readonly LeftInstance[];
  readonly launchTemplates: readonly string[];
}

export type UninstallStep =
  | { readonly kind: 'terminateInstance'; readonly id: string; readonly because: string }
  | { readonly kind: 'freeNode'; readonly name: string; readonly because: string }
  | { readonly kind: 'releaseClaim'; readonly name: string; readonly uid: string; readonly because: string }
  | { readonly kind: 'deleteLaunchTemplate'; readonly name: string; readonly because: string };

/**
 * The steps, in the order in which they are safe: instances first, then what records them, templates last.
 * @param everything also what is in good order: all claims, nodes and instances of Cooper
 */
export function uninstallSteps(left: Leftovers, everything: boolean): readonly UninstallStep[] {
  const goingClaims = left.claims.filter((claim) => everything || claim.isBeingDeleted);
  const goingUids = new Set(goingClaims.map(({ uid }) => uid));
  const going = new Set(goingClaims.map(({ providerId }) => providerId).filter((id) => id !== ''));
  const keptUids = new Set(left.claims.filter(({ uid }) => !goingUids.has(uid)).map(({ uid }) => uid));
  const keptIds = new Set(
    left.claims.filter(({ uid }) => keptUids.has(uid)).map(({ providerId }) => providerId),
  );
  const goingNodes = left.nodes.filter((node) => isGoing(node, { everything, going, keptIds }));
  for (const { providerId, isOurs } of goingNodes) if (isOurs) going.add(providerId);
  const goingInstances = left.instances.filter(
    ({ providerId, nodeClaimUid }) =>
      going.has(providerId) || !(keptUids.has(nodeClaimUid) || keptIds.has(providerId)),
  );
  const nothingStays = keptUids.size === 0 && goingInstances.length === left.instances.length;
  return [
    ...goingInstances.map(({ id, providerId }): UninstallStep => {
      const because = going.has(providerId) ? 'its node is going' : 'no NodeClaim knows it';
      return { kind: 'terminateInstance', id, because };
    }),
    ...goingNodes.map(({ name, isBeingDeleted }): UninstallStep => {
      const because = isBeingDeleted
        ? `stuck in deletion: ${TERMINATION_FINALIZER}`
        : 'its instance is going';
      return { kind: 'freeNode', name, because };
    }),
    ...goingClaims.map(({ name, uid, isBeingDeleted }): UninstallStep => {
      const because = isBeingDeleted ? `stuck in deletion: ${TERMINATION_FINALIZER}` : 'everything goes';
      return { kind: 'releaseClaim', name, uid, because };
    }),
    ...(nothingStays ? left.launchTemplates : []).map((name): UninstallStep => {
      return { kind: 'deleteLaunchTemplate', name, because: 'nothing is launched from it any more' };
    }),
  ];
}

/** A Node that its claim keeps is left alone, and so is one that Cooper has nothing to do with. */
function isGoing(
  node: LeftNode,
  {
    everything,
    going,
    keptIds,
  }: {
    readonly everything: boolean;
    readonly going: ReadonlySet<string>;
    readonly keptIds: ReadonlySet<string>;
  },
): boolean {
  if (node.providerId !== '' && going.has(node.providerId)) return true;
  if (keptIds.has(node.providerId)) return false;
  const isStuck = node.isBeingDeleted && node.finalizers.includes(TERMINATION_FINALIZER);
  return isStuck || (everything && node.isOurs);
}

/** One line for people. */
export function describeStep(step: UninstallStep): string {
  switch (step.kind) {
    case 'terminateInstance':
      return `terminate instance ${step.id}: ${step.because}`;
    case 'freeNode':
      return `delete Node ${step.name}, and take its finalizer off: ${step.because}`;
    case 'releaseClaim':
      return `delete NodeClaim ${step.name}, and take its finalizer off: ${step.because}`;
    case 'deleteLaunchTemplate':
      return `delete launch template ${step.name}: ${step.because}`;
  }
}

/** The tag that every instance of Cooper carries. */
export const OWNER_TAG = TAG.nodeClaim;
