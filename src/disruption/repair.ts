// Which nodes are replaced because they have been unhealthy for long, what keeps others, and when to look again.
import { DEFAULT_REPAIR, type RepairPolicy } from '../model/disruptionPolicy.ts';
import { ANNOTATION, LABEL } from '../model/labels.ts';
import type { Node, NodeCondition } from '../model/node.ts';
import { hasCondition, type NodeClaim } from '../model/nodeClaim.ts';
import type { Provisioner } from '../model/provisioner.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { forbidsDisruption } from './evictable.ts';

/** A condition that makes a node unhealthy, and for how long it is borne. */
interface Tolerated {
  readonly type: string;
  readonly statuses: readonly NodeCondition['status'][];
  readonly toleratedMs: number;
}

const MINUTE_MS = 60_000;

/**
 * `Ready`, and what the EKS node monitoring agent reports. Sources: Amazon EKS User Guide, "Automatically repair nodes
 * in EKS clusters" (conditions, and after how long each is repaired); Karpenter v1, "Node Auto Repair". The agent says
 * Unknown of what it has not looked at yet: only False counts there.
 */
const TOLERATED: readonly Tolerated[] = [
  { type: 'Ready', statuses: ['False', 'Unknown'], toleratedMs: 30 * MINUTE_MS },
  { type: 'AcceleratedHardwareReady', statuses: ['False'], toleratedMs: 10 * MINUTE_MS },
  { type: 'ContainerRuntimeReady', statuses: ['False'], toleratedMs: 30 * MINUTE_MS },
  { type: 'KernelReady', statuses: ['False'], toleratedMs: 30 * MINUTE_MS },
  { type: 'NetworkingReady', statuses: ['False'], toleratedMs: 30 * MINUTE_MS },
  { type: 'StorageReady', statuses: ['False'], toleratedMs: 30 * MINUTE_MS },
];

/** With more of the nodes unhealthy it is not the nodes (Karpenter v1 and EKS: 20 %, rounded up). */
const UNHEALTHY_SHARE = 0.2;
/** After an outage nodes report again over a minute or so: what is still silent then may be on its way. */
const RECOVERED_LATELY_MS = 5 * MINUTE_MS;
/** A node that becomes ready so long after it joined has been ready before. */
const FIRST_READY_MOST_MS = 15 * MINUTE_MS;
/** Whoever is held is looked at again after this long, though nothing changes. */
const HELD_AGAIN_MS = 60_000;

/** What is wrong with a node. */
export interface Ailment {
  readonly condition: NodeCondition;
  /** From when on it is replaced for that. */
  readonly dueAtMs: number;
}

/** A claim whose node has been unhealthy for long enough. */
export interface Unhealthy {
  readonly claim: NodeClaim;
  /** One sentence: what is wrong, and since when. */
  readonly message: string;
}

/** One that is not replaced, and why. */
export interface HeldRepair extends Unhealthy {
  readonly held: string;
}

export interface RepairDecision {
  readonly repairs: readonly Unhealthy[];
  readonly held: readonly HeldRepair[];
  /** When the next node is due if nothing changes; Infinity for never. */
  readonly nextAtMs: number;
}

/** The condition for which the node is due first; null for a healthy one. */
export function ailmentOf(node: Node, { toleratedMs }: RepairPolicy = DEFAULT_REPAIR): Ailment | null {
  let first: Ailment | null = null;
  for (const condition of node.conditions) {
    const tolerated = TOLERATED.find(({ type }) => type === condition.type);
    // Without a time nobody can say how long it has been so.
    if (tolerated === undefined || !tolerated.statuses.includes(condition.status) || condition.sinceMs === 0)
      continue;
    const dueAtMs = condition.sinceMs + (toleratedMs ?? tolerated.toleratedMs);
    if (first === null || dueAtMs < first.dueAtMs) first = { condition, dueAtMs };
  }
  return first;
}

/**
 * Decides which unhealthy nodes are replaced. Pure. Budgets do not bound it, as they do not bound interruptions: such
 * nodes use them up already. Nothing is replaced while more than a fifth of the Provisioner's nodes or of the cluster's
 * are unhealthy, for however long, or were a moment ago: that is the network, the control plane or a bad daemon.
 * @param launchesPaused of Provisioners whose last nodes never came up: there is nothing to replace theirs with
 */
export function decideRepair(
  snapshot: ClusterSnapshot,
  launchesPaused: (provisioner: string) => boolean,
): RepairDecision {
  const nowMs = snapshot.takenAtMs;
  const provisioners = new Map(snapshot.provisioners.map((one) => [one.name, one]));
  const nodes = new Map(snapshot.nodes.map((node) => [node.name, node]));
  const health = new Health(snapshot.nodes, nowMs);
  const repairs: Unhealthy[] = [];
  const held: HeldRepair[] = [];
  let nextAtMs = Number.POSITIVE_INFINITY;
  for (const claim of snapshot.nodeClaims) {
    const node = nodes.get(claim.status.nodeName);
    const provisioner = provisioners.get(claim.spec.provisioner);
    if (provisioner === undefined || node === undefined || !isInUse(claim, node)) continue;
    const ailment = ailmentOf(node, provisioner.disruption.repair);
    if (ailment === null) continue;
    if (ailment.dueAtMs > nowMs) {
      nextAtMs = Math.min(nextAtMs, ailment.dueAtMs);
      continue;
    }
    const one = { claim, message: messageOf(ailment, nowMs) };
    const reason = heldBecause(provisioner, node, nowMs) ?? health.heldBecause(provisioner.name);
    if (reason !== null) held.push({ ...one, held: reason });
    else if (launchesPaused(provisioner.name)) held.push({ ...one, held: pausedMessage(provisioner.name) });
    else repairs.push(one);
  }
  if (held.length > 0) nextAtMs = Math.min(nextAtMs, nowMs + HELD_AGAIN_MS);
  return { repairs, held, nextAtMs };
}

function isInUse(claim: NodeClaim, node: Node): boolean {
  const isStaying = claim.deletionRequestedAtMs === null && node.deletionRequestedAtMs === null;
  return isStaying && hasCondition(claim, 'Initialized') && node.providerId === claim.status.providerId;
}

function heldBecause({ name, suspended, disruption }: Provisioner, node: Node, nowMs: number): string | null {
  const { policy } = disruption.repair ?? DEFAULT_REPAIR;
  if (policy !== 'Replace')
    return `spec.disruption.repair.policy of Provisioner ${name} is ${policy}; with Replace the node would be replaced`;
  if (suspended) return `spec.suspend of Provisioner ${name} is true`;
  return forbidsDisruption(node, nowMs) ? `the node forbids it by ${ANNOTATION.doNotDisrupt}` : null;
}

function pausedMessage(provisioner: string): string {
  return `the last nodes of Provisioner ${provisioner} never came up, so there may be nothing to replace it with`;
}

function messageOf({ condition: { type, status, sinceMs } }: Ailment, nowMs: number): string {
  return `node is unhealthy: ${type} is ${status} since ${Math.floor((nowMs - sinceMs) / MINUTE_MS)} min`;
}

/** How many nodes there are, and how many of them are unhealthy, however short, or were a moment ago. */
interface Count {
  nodes: number;
  unhealthy: number;
  recovered: number;
}

function nobody(): Count {
  return { nodes: 0, unhealthy: 0, recovered: 0 };
}

function hasJustRecovered({ conditions, createdAtMs }: Node, nowMs: number): boolean {
  const ready = conditions.find(({ type }) => type === 'Ready');
  if (ready?.status !== 'True' || ready.sinceMs <= nowMs - RECOVERED_LATELY_MS) return false;
  return ready.sinceMs > createdAtMs + FIRST_READY_MOST_MS;
}

class Health {
  readonly #cluster: Count = nobody();
  readonly #byProvisioner = new Map<string, Count>();

  constructor(nodes: readonly Node[], nowMs: number) {
    for (const node of nodes) {
      const provisioner = node.labels[LABEL.provisioner] ?? '';
      const own = this.#byProvisioner.get(provisioner) ?? nobody();
      this.#byProvisioner.set(provisioner, own);
      // Those that come up are NotReady by nature.
      const isComingUp = provisioner !== '' && node.labels[LABEL.initialized] !== 'true';
      const isUnhealthy = !isComingUp && ailmentOf(node) !== null;
      const isRecovered = !isComingUp && !isUnhealthy && hasJustRecovered(node, nowMs);
      for (const count of [own, this.#cluster]) {
        count.nodes += 1;
        if (isUnhealthy) count.unhealthy += 1;
        if (isRecovered) count.recovered += 1;
      }
    }
  }

  heldBecause(provisioner: string): string | null {
    const own = this.#byProvisioner.get(provisioner);
    if (own !== undefined && isTooMany(own)) return tooMany(own, `nodes of Provisioner ${provisioner}`);
    return isTooMany(this.#cluster) ? tooMany(this.#cluster, 'nodes of the cluster') : null;
  }
}

function isTooMany({ nodes, unhealthy, recovered }: Count): boolean {
  return unhealthy + recovered > Math.ceil(UNHEALTHY_SHARE * nodes);
}

function tooMany({ nodes, unhealthy, recovered }: Count, what: string): string {
  const how = recovered > 0 ? 'unhealthy or have just recovered' : 'unhealthy';
  const most = `at most ${UNHEALTHY_SHARE * 100} % may be`;
  return `${unhealthy + recovered} of ${nodes} ${what} are ${how}, and ${most} for nodes to be replaced`;
}
