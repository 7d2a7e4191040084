// Where pods end up: existing nodes, claims in flight and planned nodes, each with everything it may turn out to be.
import type { Pod } from '../../model/pod.ts';
import type { Resources } from '../../model/resources.ts';
import type { Taint } from '../../model/taint.ts';
import type { Labels } from './labelMatch.ts';

/** One way a node may turn out: an instance type in a zone at a capacity type. Shared by the nodes that can be it. */
export interface Face {
  readonly instanceType: string;
  readonly zone: string;
  readonly labels: Labels;
  readonly capacity: Resources;
  readonly allocatable: Resources;
}

export interface Host {
  /** `node "a"`, `planned node 3`: how sentences name it. */
  readonly title: string;
  /** Its hostname, or a made-up one as long as it has none; unique. */
  readonly hostname: string;
  readonly provisioner: string;
  /** What it may become; one face for a node that exists. */
  readonly faces: readonly Face[];
  /** What the plan expects it to become; one of the faces. */
  readonly stated: Face;
  /** Taints that keep pods off once it is initialized. */
  readonly taints: readonly Taint[];
  /** False for nodes that take no pods: cordoned or on their way out. */
  readonly open: boolean;
  /** Daemons still to come are counted on top of bound pods. */
  readonly daemonsToCome: boolean;
  readonly bound: readonly Pod[];
  readonly placed: readonly Pod[];
}
