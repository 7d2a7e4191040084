// Where the pods of one class may go at one moment, and where the kube-scheduler would rather have them.

import type { Node } from '../model/node.ts';
import { isTerminal, type Pod } from '../model/pod.ts';
import { type CompiledSpec, hasRoom, nodeAdmits } from './nodeFit.ts';
import type { LedgerEntry, NodeLedger } from './nodeLedger.ts';
import { scoreNodes } from './nodeScores.ts';
import type { ObjectStore } from './objectStore.ts';
import { hasPodRules, PodTopology, type TopologyWorld } from './podTopology.ts';
import { hasSoftRules, SoftTopology, swaysOthers } from './softTopology.ts';
import { VolumeFit } from './volumeFit.ts';

export interface PlacingParts {
  readonly store: ObjectStore;
  readonly ledger: NodeLedger;
}

/** A node that would take the pod; the higher the score, the rather. */
export interface RankedNode {
  readonly name: string;
  readonly score: number;
}

/** Whether pods have been seen whose rules reach other pods: until then nobody need look at others. */
export class RuleSightings {
  #keepApart = false;
  #sway = false;

  note(pod: Pod): void {
    if (isTerminal(pod)) return;
    this.#keepApart ||= pod.spec.podAntiAffinity.length > 0;
    this.#sway ||= swaysOthers(pod.spec);
  }

  /** True when other pods may rule nodes out for this one. */
  bind(pod: Pod): boolean {
    return this.#keepApart || hasPodRules(pod);
  }

  /** True when other pods may sway where this one goes. */
  sway(pod: Pod): boolean {
    return this.#sway || hasSoftRules(pod.spec);
  }
}

const NOBODY: readonly Pod[] = [];

/** Others that are nominated to the node, with the same or a higher priority than the pod. */
function nominatedBefore({ nominated }: LedgerEntry, pod: Pod): readonly Pod[] {
  if (nominated.size === 0) return NOBODY;
  return [...nominated.values()].filter(
    (other) => other.uid !== pod.uid && other.spec.priority >= pod.spec.priority,
  );
}

/** The rules of a pod set against the cluster as it stands; bindings of its like are to be noted. */
export class Placing {
  readonly #compiled: CompiledSpec;
  readonly #topology: PodTopology | null;
  readonly #soft: SoftTopology | null;
  readonly #volumes: VolumeFit | null;

  constructor(pod: Pod, compiled: CompiledSpec, sightings: RuleSightings, { store, ledger }: PlacingParts) {
    const world: TopologyWorld = {
      nodes: ledger.nodes(),
      namespaceLabels: (namespace) => store.get('namespace', namespace)?.labels ?? {},
    };
    this.#compiled = compiled;
    this.#topology = sightings.bind(pod) ? new PodTopology(pod, compiled, world) : null;
    this.#soft = sightings.sway(pod) ? new SoftTopology(pod, compiled, world) : null;
    this.#volumes = pod.spec.volumes.length > 0 ? new VolumeFit(pod, store) : null;
  }

  noteBound(pod: Pod, node: Node): void {
    this.#topology?.noteBound(pod, node);
    this.#soft?.noteBound(pod, node);
  }

  /**
   * True when the node takes the pod, both with and without those that are nominated to it with no lower priority.
   * Source: kube-scheduler's RunFilterPluginsWithNominatedPods. Here their room and host ports count; what the real
   * one also counts, spreads and affinities towards them, is left out.
   */
  admits(entry: LedgerEntry, pod: Pod): boolean {
    if (entry.node === null || !nodeAdmits(this.#compiled, entry.node)) return false;
    if (!hasRoom(this.#compiled, entry, nominatedBefore(entry, pod))) return false;
    return this.#topology?.admits(entry.node) !== false && this.#volumes?.admits(entry) !== false;
  }

  /** The one that scores best, the first of several; null when there is none. */
  best(feasible: readonly LedgerEntry[]): LedgerEntry | null {
    const scores = scoreNodes(this.#compiled, feasible, this.#soft);
    let best = 0;
    for (let at = 1; at < scores.length; at += 1) if ((scores[at] ?? 0) > (scores[best] ?? 0)) best = at;
    return feasible[best] ?? null;
  }

  rank(entries: readonly LedgerEntry[], pod: Pod): readonly RankedNode[] {
    const feasible = entries.filter((entry) => this.admits(entry, pod));
    const scores = scoreNodes(this.#compiled, feasible, this.#soft);
    return feasible.map(({ name }, at) => ({ name, score: scores[at] ?? 0 }));
  }
}
