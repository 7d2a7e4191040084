// Everything a planning pass works with, read once from the snapshot: classes, rules, capacity, targets, limits.
import type { Pod, PodSpec } from '../model/pod.ts';
import type { Catalogue, ClusterSnapshot } from '../model/snapshot.ts';
import type { ClassInPlay } from './assignment.ts';
import { CapacityTable } from './capacityTable.ts';
import { compareText, compileProvisioner } from './compiledProvisioner.ts';
import { DomainWorld } from './domainWorld.ts';
import { HostCounters } from './hostCounters.ts';
import { PlacementTable } from './placements.ts';
import { type BlockedPod, classify, internSelectors } from './podClasses.ts';
import { type ResourceAxis, resourceAxis, toVector } from './resourceAxis.ts';
import { ScopeTable } from './scopes.ts';
import { SelectorTable } from './selectors.ts';
import { type Target, targetsOf } from './targets.ts';
import { classRules, internRunningSelectors } from './topology.ts';
import { volumeIndex } from './volumes.ts';
import { zonesMatter } from './zoneRules.ts';

export interface Preparation {
  readonly snapshot: ClusterSnapshot;
  readonly catalogue: Catalogue;
  readonly axis: ResourceAxis;
  readonly scopes: ScopeTable;
  readonly capacity: CapacityTable;
  readonly placements: PlacementTable;
  readonly selectors: SelectorTable;
  readonly targets: readonly Target[];
  readonly classes: readonly ClassInPlay[];
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
  const scopes = new ScopeTable();
  const compiled = compiledProvisioners(snapshot, catalogue);
  const capacity = new CapacityTable(compiled, snapshot.daemonSets, { axis, scopes });
  const placements = new PlacementTable(capacity, scopes);
  const targets = targetsOf(snapshot, catalogue, volumes);
  const classes = podClasses.map((podClass, index) => ({
    index,
    podClass,
    rules: classRules(podClass, selectors),
    placement: placements.of(podClass.spec, podClass.volumeTerms),
    bySelector: placements.of(podClass.spec, []),
    anyTaint: placements.of(withAllTolerated(podClass.spec), []),
    requests: toVector(axis, podClass.requests),
  }));
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
    scopes,
    capacity,
    placements,
    selectors,
    targets,
    classes,
    counters,
    world,
    zonesMatter: zonesMatter(pods, snapshot.pods),
    blocked,
    nominated: new Map(),
  };
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
