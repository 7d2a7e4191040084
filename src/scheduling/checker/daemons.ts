// Which daemons a node will run, by its labels and taints, and what they take.
import { isOwnedByDaemonSet, type Pod } from '../../model/pod.ts';
import { addResources, type Resources } from '../../model/resources.ts';
import { type Taint, type Toleration, untoleratedTaint } from '../../model/taint.ts';
import type { DaemonSet } from '../../model/workloads.ts';
import type { Face, Host } from './host.ts';
import { acceptsLabels } from './labelMatch.ts';

/** Node conditions that every DaemonSet pod tolerates. Source: Kubernetes, "DaemonSet", taints and tolerations. */
const CONDITION_TOLERATIONS: readonly Toleration[] = [
  'not-ready',
  'unreachable',
  'disk-pressure',
  'memory-pressure',
  'pid-pressure',
  'unschedulable',
  'network-unavailable',
].map((name) => ({
  key: `node.kubernetes.io/${name}`,
  operator: 'Exists',
  value: '',
  effect: null,
  tolerationSeconds: null,
}));

/** The daemons that would run on a node with these labels and taints. */
function runsOn(daemon: DaemonSet, face: Face, taints: readonly Taint[]): boolean {
  const tolerations = [...daemon.spec.tolerations, ...CONDITION_TOLERATIONS];
  return untoleratedTaint(taints, tolerations) === null && acceptsLabels(daemon.spec, face.labels);
}

export interface Room {
  readonly face: Face;
  /** What daemons that will come ask for together. */
  readonly coming: Resources;
}

/** Daemons that the host has still to start, by face; remembered, since nodes share faces. */
export class DaemonTable {
  readonly #daemons: readonly DaemonSet[];
  readonly #known = new Map<Face, Map<string, readonly DaemonSet[]>>();

  readonly #rooms = new Map<readonly Face[], Map<string, readonly Room[]>>();

  constructor(daemons: readonly DaemonSet[]) {
    this.#daemons = daemons;
  }

  /** Daemons that will come to the host beside those bound to it already. */
  toCome(host: Host, face: Face): readonly DaemonSet[] {
    if (!host.daemonsToCome) return [];
    const all = this.#allOn(face, host.taints);
    const running = host.bound.filter(isOwnedByDaemonSet);
    return running.length === 0 ? all : all.filter((daemon) => !running.some((pod) => isOf(pod, daemon)));
  }

  /** What those daemons ask for together. */
  requests(host: Host, face: Face): Resources {
    return this.toCome(host, face).reduce<Resources>((sum, { spec }) => addResources(sum, spec.requests), {});
  }

  /**
   * The faces that can differ in room, each with what daemons to come take of it. One stands for all that share type,
   * allocatable and daemons; hosts that share faces and taints, and that run nothing yet, share the answer.
   */
  rooms(host: Host): readonly Room[] {
    if (host.bound.length > 0 || host.faces.length === 1) return this.#roomsOf(host);
    const byTaints = this.#rooms.get(host.faces) ?? new Map<string, readonly Room[]>();
    this.#rooms.set(host.faces, byTaints);
    const name = `${host.daemonsToCome} ${JSON.stringify(host.taints)}`;
    const found = byTaints.get(name) ?? this.#roomsOf(host);
    byTaints.set(name, found);
    return found;
  }

  #roomsOf(host: Host): readonly Room[] {
    const distinct = new Map<string, Room>();
    for (const face of host.faces) {
      const coming = this.requests(host, face);
      const name = JSON.stringify([face.instanceType, face.allocatable, coming]);
      if (!distinct.has(name)) distinct.set(name, { face, coming });
    }
    return [...distinct.values()];
  }

  #allOn(face: Face, taints: readonly Taint[]): readonly DaemonSet[] {
    const name = taints.length === 0 ? '' : JSON.stringify(taints);
    const byTaints = this.#known.get(face) ?? new Map<string, readonly DaemonSet[]>();
    this.#known.set(face, byTaints);
    const found = byTaints.get(name) ?? this.#daemons.filter((daemon) => runsOn(daemon, face, taints));
    byTaints.set(name, found);
    return found;
  }
}

function isOf(pod: Pod, daemon: DaemonSet): boolean {
  return pod.owner?.name === daemon.name && pod.namespace === daemon.namespace;
}
