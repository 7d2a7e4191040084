// Why a node is consolidated or stays, what that would save, and where its pods would go.
import type { ConsolidationAction } from '../model/consolidation.ts';
import type { Catalogue, ClusterSnapshot } from '../model/snapshot.ts';
import { consolidate, haltOf, tried } from './consolidation.ts';
import { podObstacle, selectCandidates } from './consolidationCandidates.ts';
import { decided } from './consolidationSearch.ts';
import { occupiesNode, optOutEndsAtMs } from './evictable.ts';
import { EvictionRoom } from './evictionRoom.ts';
import { nextOpeningMs } from './explainBudgets.ts';
import { type ExplainedClaim, explained } from './explainEmptiness.ts';
import type { Proposal, ReasonExplanation } from './explanation.ts';
import type { Obstacle } from './obstacle.ts';
import { proposedNode } from './proposedNode.ts';

/** Looks at the node by itself, and then at what the controller would decide for the whole cluster. */
export function explainConsolidation(one: ExplainedClaim, catalogue: Catalogue): ReasonExplanation {
  const { claim, provisioner, snapshot, view } = one;
  const { name, disruption } = provisioner;
  const tell = (
    standing: ReasonExplanation['standing'],
    message: string,
    more: Partial<ReasonExplanation> = {},
  ) => explained('Underutilized', standing, message, more);
  if (provisioner.suspended) return tell('off', `Provisioner ${name} is suspended`);
  if (disruption.consolidation !== 'WhenEmptyOrUnderutilized')
    return tell('off', `consolidationPolicy of Provisioner ${name} is ${disruption.consolidation}`);
  const { candidates, kept } = selectCandidates(snapshot, view);
  const keeps = kept.find((each) => each.nodeClaim === claim.name);
  if (keeps !== undefined) {
    const obstacles = allObstacles(one, keeps);
    const proposal = unhinderedProposal(one, catalogue);
    const opensAtMs = nextOpeningMs(provisioner, snapshot, 'Underutilized');
    return tell('blocked', keeps.message, { obstacles, proposal, changesAtMs: ripeAtMs(one) ?? opensAtMs });
  }
  const candidate = candidates.find((each) => each.claim.name === claim.name);
  if (candidate === undefined) return tell('no', 'it holds no pods, or is still coming up');
  const alone = tried({ snapshot, catalogue, view }, [candidate]);
  const halted = haltOf(snapshot);
  const proposal = alone.kind === 'saves' ? proposalOf(alone.action) : null;
  if (halted !== null) {
    const message = `no node is consolidated while ${halted}`;
    return tell('blocked', message, { obstacles: [{ message: halted }], proposal });
  }
  const { action } = decided(consolidate({ snapshot, catalogue, view }));
  if (action?.nodeClaims.includes(claim.name))
    return tell('due', action.message, { proposal: proposalOf(action) });
  if (alone.kind === 'blocked') {
    const { message, blockedBy } = alone;
    const obstacle = { message, ...(blockedBy === undefined ? {} : { blockedBy }) };
    return tell('blocked', message, { obstacles: [obstacle] });
  }
  const first = action === null ? '' : `; first go ${action.nodeClaims.join(', ')}`;
  return tell('later', `${alone.action.message}${first}`, { proposal });
}

/** The node's own obstacle or the first pod's is what the controller tells; here every pod in the way is listed. */
function allObstacles({ claim, snapshot }: ExplainedClaim, told: Obstacle): readonly Obstacle[] {
  const pods = snapshot.pods.filter((pod) => pod.nodeName === claim.status.nodeName && occupiesNode(pod));
  const room = new EvictionRoom(snapshot.disruptionBudgets);
  const ofPods = pods.flatMap((pod): readonly Obstacle[] => {
    const found = podObstacle(pod, snapshot.takenAtMs) ?? room.obstacle([pod]);
    return found === null ? [] : [found];
  });
  const toldAlready = ofPods.some(({ message }) => message === told.message);
  const { message, blockedBy } = told;
  return toldAlready ? ofPods : [{ message, ...(blockedBy === undefined ? {} : { blockedBy }) }, ...ofPods];
}

/** When a young node comes of age, its pods have not changed for long enough, or an opt-out ends; null for none. */
function ripeAtMs({ claim, provisioner, snapshot, view }: ExplainedClaim): number | null {
  const node = snapshot.nodes.find(({ name }) => name === claim.status.nodeName);
  if (node === undefined) return null;
  const { minimumNodeAgeMs, consolidateAfterMs } = provisioner.disruption;
  const ofAgeMs = node.createdAtMs + minimumNodeAgeMs;
  const quietMs = (view.podsChangedAtMs.get(node.name) ?? 0) + consolidateAfterMs;
  const pods = snapshot.pods.filter((pod) => pod.nodeName === node.name && occupiesNode(pod));
  const optOutsEndMs = [node, ...pods].flatMap((one) => optOutEndsAtMs(one) ?? []);
  const later = [Math.max(ofAgeMs, quietMs), ...optOutsEndMs].filter(
    (atMs) => atMs > snapshot.takenAtMs && Number.isFinite(atMs),
  );
  return later.length === 0 ? null : Math.min(...later);
}

/** What would be saved if nothing kept the node: what an annotation or a budget costs. */
function unhinderedProposal(one: ExplainedClaim, catalogue: Catalogue): Proposal | null {
  const { claim, snapshot } = one;
  const free = withoutObstacles(snapshot, claim.status.nodeName);
  const quiet = { nominatedUntilMs: new Map<string, number>(), podsChangedAtMs: new Map<string, number>() };
  const candidate = selectCandidates(free, quiet).candidates.find((each) => each.claim.name === claim.name);
  if (candidate === undefined) return null;
  const judgement = tried({ snapshot: free, catalogue, view: quiet }, [candidate]);
  return judgement.kind === 'saves' ? proposalOf(judgement.action) : null;
}

/** The cluster as if nobody had asked that this node stay; pods that nobody would make again keep it all the same. */
function withoutObstacles(snapshot: ClusterSnapshot, node: string): ClusterSnapshot {
  return {
    ...snapshot,
    disruptionBudgets: [],
    provisioners: snapshot.provisioners.map((one) => ({
      ...one,
      disruption: {
        ...one.disruption,
        minimumNodeAgeMs: 0,
        consolidateAfterMs: 0,
        budgets: [{ nodes: { kind: 'percent', amount: 100 }, reasons: null, window: null }],
      },
    })),
    nodes: snapshot.nodes.map((one) => (one.name === node ? { ...one, annotations: {} } : one)),
    pods: snapshot.pods.map((pod) => (pod.nodeName === node ? { ...pod, annotations: {} } : pod)),
  };
}

function proposalOf(action: ConsolidationAction): Proposal {
  const moves = action.nominations.map(({ pod, target }) => ({ pod, to: target.name }));
  return {
    nodeClaims: action.nodeClaims,
    replacements: action.replacements.map(proposedNode),
    moves,
    savingUsdPerHour: action.savingUsdPerHour,
    message: action.message,
  };
}
