// Everything a planning pass works with, read once from the snapshot: classes, rules, capacity, targets, limits.
import type { Pod, PodSpec } from '../model/pod.ts';
import type { Catalogue, ClusterSnapshot } from '../model/snapshot.ts';
import type { ClassInPlay } from './assignment.ts';
import { CapacityTable } from './capacityTable.ts';
import { compareText, compileProvisioner } from './compiledProvisioner.ts';
import { DomainWorld } from './domainWorld.ts';
import { HostCounters } from './hostCounters.ts';
import { PlacementTable } from './placements.ts';
import { type BlockedPod, classify, internSelectors, type PodClass } from './podClasses.ts';
import { type ResourceAxis, resourceAxis, VectorTable } from './resourceAxis.ts';
import { ScopeTable } from './scopes.ts';
import { SelectorTable } from './selectors.ts';
import { type Target, targetsOf } from './targets.ts';
import { internRunningSelectors, RuleReader } from './topology.ts';
import { volumeIndex } from './volumes.ts';
import { zonesMatter } from './zoneRules.ts';

export interface Preparation {
  readonly snapshot: ClusterSnapshot;
  readonly catalogue: Catalogue;
  readonly axis: ResourceAxis;
  readonly vectors: VectorTable;
  readonly scopes: ScopeTable;
  readonly capacity: CapacityTable;
  readonly placements: PlacementTable;
  readonly selectors: SelectorTable;
  readonly targets: readonly Target[];
  readonly classes: readonly ClassInPlay[];
  /** Names of all pods, class by class, and by pod the index of its class: steps go by numbers. */
  readonly podNames: readonly string[];
  readonly classOfPod: Int32Array;
  readonly counters: HostCounters;
  readonly world: DomainWorld;
  /** Some rule counts by zone or the like. */
  readonly zonesMatter: boolean;
  /** Where earlier plans have sent pods, by pod key. */
  readonly nominated: ReadonlyMap<string, string>;
  /** Pods whose volumes keep them off every node. */
  readonly blocked: readonly BlockedPod[];
}

/** Reads the snapshot for these pods. */
export function prepare(snapshot: ClusterSnapshot, catalogue: Catalogue, pods: readonly Pod[]): Preparation {
  const volumes = volumeIndex(snapshot);
  const selectors = new SelectorTable(snapshot.namespaces);
  internSelectors(pods, selectors);
  internRunningSelectors(snapshot.pods, selectors);
  const { classes: podClasses, blocked } = classify(pods, selectors, volumes);
  const axis = resourceAxis(podClasses.map((one) => one.requests));
  const vectors = new VectorTable(axis);
  const scopes = new ScopeTable();
  const compiled = compiledProvisioners(snapshot, catalogue);
  const capacity = new CapacityTable(compiled, snapshot.daemonSets, { axis, scopes });
  const placements = new PlacementTable(capacity, scopes);
  const targets = targetsOf(snapshot, catalogue, volumes);
  const classes = classesInPlay(podClasses, { placements, selectors, vectors });
  const rules = classes.map((one) => one.rules);
  const running = targets.flatMap((target) => target.pods);
  const counters = new HostCounters(selectors, rules, {
    pending: podClasses,
    running,
    daemons: snapshot.daemonSets.map((daemon) => daemon.spec),
  });
  const world = new DomainWorld(rules, { capacity, targets, selectors });
  return {
    snapshot,
    catalogue,
    axis,
    vectors,
    scopes,
    capacity,
    placements,
    selectors,
    targets,
    classes,
    podNames: podClasses.flatMap((one) => one.pods),
    classOfPod: Int32Array.from(classes.flatMap(({ index, podClass }) => podClass.pods.map(() => index))),
    counters,
    world,
    zonesMatter: zonesMatter(pods, snapshot.pods),
    blocked,
    nominated: new Map(),
  };
}

function classesInPlay(
  podClasses: readonly PodClass[],
  {
    placements,
    selectors,
    vectors,
  }: {
    readonly placements: PlacementTable;
    readonly selectors: SelectorTable;
    readonly vectors: VectorTable;
  },
): ClassInPlay[] {
  const rules = new RuleReader(selectors);
  const tolerant = new Map<PodSpec, PodSpec>();
  let firstPod = 0;
  return podClasses.map((podClass, index) => {
    const { spec, volumeTerms, requests, pods } = podClass;
    const anyTaint = tolerant.get(spec) ?? withAllTolerated(spec);
    tolerant.set(spec, anyTaint);
    const one = {
      index,
      podClass,
      firstPod,
      rules: rules.of(podClass),
      placement: placements.of(spec, volumeTerms),
      bySelector: placements.of(spec, []),
      anyTaint: placements.of(anyTaint, []),
      requests: vectors.of(requests),
    };
    firstPod += pods.length;
    return one;
  });
}

/** Only specs with a spread are asked where they could go whatever the taints. */
function withAllTolerated(spec: PodSpec): PodSpec {
  if (spec.topologySpread.length === 0) return spec;
  const tolerations = [
    { key: '', operator: 'Exists' as const, value: '', effect: null, tolerationSeconds: null },
  ];
  return { ...spec, tolerations };
}

/** Heaviest first, then by name; a Provisioner that is being deleted buys nothing. */
function compiledProvisioners(snapshot: ClusterSnapshot, catalogue: Catalogue) {
  return snapshot.provisioners
    .filter((one) => one.deletionRequestedAtMs === null)
    .sort((left, right) => right.weight - left.weight || compareText(left.name, right.name))
    .map((one) => compileProvisioner(one, catalogue.get(one.name) ?? []));
}
