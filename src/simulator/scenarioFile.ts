// The shape of a scenario file once it has been checked against its schema.

export interface WireStep {
  readonly at: string;
  readonly replicas: number;
}

export interface WireCurve {
  readonly workload: string;
  readonly runTime?: string;
  readonly steps?: readonly WireStep[];
  readonly daily?: {
    readonly base: number;
    readonly peak: number;
    readonly from: string;
    readonly until: string;
    readonly ramp?: string;
    readonly weekdaysOnly?: boolean;
  };
  readonly autoscaled?: {
    readonly perPod: number;
    readonly least: number;
    readonly most: number;
    readonly demand: readonly { readonly at: string; readonly units: number }[];
  };
  readonly bursts?: { readonly every: string; readonly pods: number };
  readonly arrivals?: readonly { readonly at: string; readonly runTime?: string }[];
}

export interface WireShortage {
  readonly instanceType?: string;
  readonly zone?: string;
  readonly capacityType?: string;
  readonly from: string;
  readonly until: string;
}

export interface WireBadImage {
  readonly provisioner: string;
  readonly from: string;
  readonly until: string;
}

export interface WireFaults {
  readonly throttled?: number;
  readonly answerLost?: number;
  readonly repeatedCalls?: number;
  readonly failedCalls?: number;
  readonly conflicts?: number;
  readonly partialFleets?: number;
  readonly failedLists?: number;
  readonly staleLists?: number;
  readonly neverBoots?: number;
  readonly neverReady?: number;
  readonly registersTwice?: number;
  readonly lateEvents?: number;
  readonly repeatedEvents?: number;
  readonly reorderedEvents?: number;
  readonly crashEvery?: string;
  readonly twoLeadersEvery?: string;
  readonly staleWatchEvery?: string;
  readonly relistEvery?: string;
  readonly apiOutageEvery?: string;
  readonly clockJumpEvery?: string;
  readonly interruptionEvery?: string;
  readonly hostFailureEvery?: string;
  readonly silenceEvery?: string;
  readonly unreadyPodEvery?: string;
  readonly shortageEvery?: string;
  readonly shortages?: readonly WireShortage[];
  readonly badImages?: readonly WireBadImage[];
}

export interface WireExpectations {
  readonly noNodesLeft?: boolean;
  readonly noPodsPending?: boolean;
  readonly pendingAtMost?: string;
  readonly usdAtMost?: number;
  readonly nodesAtMost?: number;
  readonly evictionsAtMost?: number;
  readonly nodeAgeAtMost?: string;
}

export interface WireScenario {
  readonly name: string;
  readonly summary?: string;
  readonly start?: string;
  readonly duration: string;
  readonly cloud?: {
    readonly zones?: readonly string[];
    readonly spotFraction?: number;
    readonly launch?: string;
    readonly boot?: string;
    readonly shutdown?: string;
  };
  readonly kubelet?: {
    readonly ready?: string;
    readonly startupTaints?: string;
    readonly pull?: string;
    readonly start?: string;
  };
  readonly manifests: readonly unknown[];
  readonly staticNodes?: readonly {
    readonly name: string;
    readonly instanceType: string;
    readonly zone: string;
  }[];
  readonly curves?: readonly WireCurve[];
  readonly changes?: readonly { readonly at: string; readonly manifests: readonly unknown[] }[];
  readonly faults?: WireFaults;
  readonly expect?: WireExpectations;
}
