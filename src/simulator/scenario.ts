// Scenarios: a file, checked and turned into what a simulation starts from.
import { asRaw, textIn } from '../api/objects/raw.ts';
import type { Parsed, Problem } from '../api/parsed.ts';
import { schemaProblems } from '../api/schemaProblems.ts';
import { unknownFieldProblems } from '../api/unknownFields.ts';
import { parseDurationMs } from '../model/duration.ts';
import type { InstanceType } from '../model/instanceType.ts';
import type { BadImage, Shortage } from './cloudMarket.ts';
import { autoscaledSteps, burstSteps, dailySteps, type Window } from './curves.ts';
import { checkedDurationMs } from './durations.ts';
import type { FaultPlan } from './faults.ts';
import type { KubeletTimings } from './kubelets.ts';
import { type ReadManifests, readManifests } from './manifests.ts';
import type { WireCurve, WireFaults, WireScenario, WireShortage } from './scenarioFile.ts';
import { SCENARIO } from './scenarioSchema.ts';
import { type CloudTimings, type DelayRange, USUAL_TIMINGS } from './simulatedCloud.ts';
import type { AppliedChange, SimulationSetup } from './simulation.ts';
import type { Arrival, ReplicaStep, WorkloadSpec } from './workloads.ts';

/** What must hold at the end; null is not asked for. */
export interface Expectations {
  readonly noNodesLeft: boolean;
  readonly noPodsPending: boolean;
  readonly pendingAtMostMs: number | null;
  readonly usdAtMost: number | null;
  readonly nodesAtMost: number | null;
  readonly evictionsAtMost: number | null;
  readonly nodeAgeAtMostMs: number | null;
}

export interface Scenario {
  readonly name: string;
  readonly summary: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly zones: readonly string[];
  /** null: nothing is sold as spot. */
  readonly spotFraction: number | null;
  readonly cloudTimings: CloudTimings;
  readonly kubeletTimings: KubeletTimings;
  readonly objects: ReadManifests;
  readonly staticNodes: SimulationSetup['staticNodes'];
  readonly workloads: readonly WorkloadSpec[];
  readonly changes: readonly AppliedChange[];
  readonly faults: FaultPlan;
  readonly shortages: readonly Shortage[];
  readonly badImages: readonly BadImage[];
  readonly expect: Expectations;
}

const DEFAULT_START = '2026-01-05T00:00:00Z';
const DEFAULT_ZONES = ['us-east-1a', 'us-east-1b', 'us-east-1c'];
const USUAL_KUBELET: KubeletTimings = { readyMs: 8000, startupTaintsMs: 4000, pullMs: 3000, startMs: 800 };

/** Reads a scenario from parsed YAML. Never throws, whatever it holds. */
export function parseScenario(document: unknown): Parsed<Scenario> {
  const shape = [...schemaProblems(SCENARIO, document, []), ...unknownFields(document)];
  if (shape.length > 0) return { kind: 'invalid', name: '', problems: shape };
  const file = document as WireScenario;
  const objects = readManifests(file.manifests);
  if (objects.kind === 'invalid') return { kind: 'invalid', name: file.name, problems: objects.problems };
  const startMs = Date.parse(file.start ?? DEFAULT_START);
  const window = { startMs, endMs: startMs + checkedDurationMs(file.duration) };
  const problems: Problem[] = [];
  const changes = readChanges(file.changes ?? [], { window, problems });
  const workloads = withCurves(objects.value.workloads, file.curves ?? [], { window, problems });
  if (problems.length > 0) return { kind: 'invalid', name: file.name, problems };
  const { cloud = {}, kubelet = {} } = file;
  return {
    kind: 'valid',
    value: {
      name: file.name,
      summary: file.summary ?? '',
      ...window,
      zones: cloud.zones ?? DEFAULT_ZONES,
      spotFraction: cloud.spotFraction ?? null,
      cloudTimings: {
        ...USUAL_TIMINGS,
        ...(cloud.launch === undefined ? {} : { launch: delayRange(cloud.launch) }),
        ...(cloud.boot === undefined ? {} : { boot: delayRange(cloud.boot) }),
        ...(cloud.shutdown === undefined ? {} : { shutdown: delayRange(cloud.shutdown) }),
      },
      kubeletTimings: {
        readyMs: optionalMs(kubelet.ready) ?? USUAL_KUBELET.readyMs,
        startupTaintsMs: optionalMs(kubelet.startupTaints) ?? USUAL_KUBELET.startupTaintsMs,
        pullMs: optionalMs(kubelet.pull) ?? USUAL_KUBELET.pullMs,
        startMs: optionalMs(kubelet.start) ?? USUAL_KUBELET.startMs,
      },
      objects: objects.value,
      staticNodes: (file.staticNodes ?? []).map((node) => ({ ...node, labels: {} })),
      workloads,
      changes,
      faults: readFaults(file.faults ?? {}),
      shortages: (file.faults?.shortages ?? []).map((shortage) => readShortage(shortage, startMs)),
      badImages: (file.faults?.badImages ?? []).map(({ provisioner, from, until }) => ({
        provisioner,
        fromMs: startMs + checkedDurationMs(from),
        untilMs: startMs + checkedDurationMs(until),
      })),
      expect: readExpectations(file.expect ?? {}),
    },
  };
}

/**
 * What a simulation of the scenario starts from.
 * @param instanceTypes what the simulated account sells, in the scenario's zones
 */
export function setupOf(
  scenario: Scenario,
  seed: string,
  instanceTypes: readonly InstanceType[],
): SimulationSetup {
  const { objects, startMs, endMs } = scenario;
  return {
    seed: `${scenario.name}/${seed}`,
    startMs,
    instanceTypes,
    cloudTimings: scenario.cloudTimings,
    kubeletTimings: scenario.kubeletTimings,
    settings: {},
    faults: scenario.faults,
    faultsUntilMs: endMs,
    shortages: scenario.shortages,
    badImages: scenario.badImages,
    provisioners: objects.provisioners,
    nodeClasses: objects.nodeClasses,
    namespaces: objects.namespaces,
    staticNodes: scenario.staticNodes,
    daemonSets: objects.daemonSets,
    budgets: objects.budgets,
    workloads: scenario.workloads,
    changes: scenario.changes,
    keepEntries: 1000,
  };
}

/** Manifests have fields of their own, which their readers know. */
function unknownFields(document: unknown): readonly Problem[] {
  const raw = asRaw(document);
  if (raw === null) return [];
  const changes = Array.isArray(raw.changes)
    ? { changes: raw.changes.map((change: unknown) => ({ ...asRaw(change), manifests: [] })) }
    : {};
  return unknownFieldProblems(SCENARIO, { ...raw, ...changes, manifests: [] }, []);
}

interface FilePlace {
  readonly window: Window;
  readonly problems: Problem[];
}

/** Each workload with its curve; one without keeps the replicas of its manifest from the start on. */
function withCurves(
  workloads: readonly WorkloadSpec[],
  curves: readonly WireCurve[],
  place: FilePlace,
): readonly WorkloadSpec[] {
  const byName = new Map(curves.map((curve) => [curve.workload, curve]));
  const names = new Set(workloads.map(({ namespace, name }) => `${namespace}/${name}`));
  curves.forEach(({ workload }, index) => {
    if (names.has(workload)) return;
    place.problems.push({
      field: `curves[${index}].workload`,
      problem: `names ${workload}, which no manifest describes`,
      mend: `write one of ${[...names].join(', ')}, or add its manifest`,
    });
  });
  const deployments = new Set(
    workloads.flatMap(({ kind, namespace, name }) => (kind === 'Job' ? [] : [`${namespace}/${name}`])),
  );
  curves.forEach(({ workload, arrivals }, index) => {
    if (arrivals === undefined || !deployments.has(workload)) return;
    place.problems.push({
      field: `curves[${index}].arrivals`,
      problem: `is for Jobs, and ${workload} is a Deployment`,
      mend: 'make it a Job, or write steps',
    });
  });
  return workloads.map((workload) => {
    const curve = byName.get(`${workload.namespace}/${workload.name}`);
    if (curve?.arrivals !== undefined) {
      return { ...workload, steps: [], arrivals: readArrivals(curve.arrivals, place.window) };
    }
    const initial = workload.steps.map((step) => ({ ...step, atMs: place.window.startMs }));
    if (curve === undefined) return { ...workload, steps: initial };
    const runTimeMs = curve.runTime === undefined ? workload.runTimeMs : checkedDurationMs(curve.runTime);
    return { ...workload, runTimeMs, steps: curveSteps(curve, place.window) ?? initial };
  });
}

const APPLIED_LATER: ReadonlySet<string> = new Set(['Provisioner', 'AWSNodeTemplate']);

function readChanges(
  changes: NonNullable<WireScenario['changes']>,
  { window, problems }: FilePlace,
): readonly AppliedChange[] {
  return changes.flatMap(({ at, manifests }, index) => {
    const others = manifests.flatMap((manifest, place): readonly Problem[] => {
      const kind = textIn(asRaw(manifest), 'kind');
      if (APPLIED_LATER.has(kind)) return [];
      const field = `changes[${index}].manifests[${place}].kind`;
      const mend = 'write Provisioner or AWSNodeTemplate; workloads change by their curves';
      return [{ field, problem: `is ${kind || 'missing'}, which cannot be applied later`, mend }];
    });
    const read = readManifests(manifests);
    const found = others.length === 0 && read.kind === 'invalid' ? read.problems : [];
    problems.push(...others);
    problems.push(...found.map((problem) => ({ ...problem, field: `changes[${index}].${problem.field}` })));
    if (others.length > 0 || read.kind === 'invalid') return [];
    const { provisioners, nodeClasses } = read.value;
    return [{ atMs: window.startMs + checkedDurationMs(at), provisioners, nodeClasses }];
  });
}

function readArrivals(arrivals: NonNullable<WireCurve['arrivals']>, { startMs }: Window): readonly Arrival[] {
  return arrivals
    .map(({ at, runTime }) => ({ atMs: startMs + checkedDurationMs(at), runTimeMs: optionalMs(runTime) }))
    .sort((left, right) => left.atMs - right.atMs);
}

function curveSteps(curve: WireCurve, window: Window): readonly ReplicaStep[] | null {
  const { steps, daily, autoscaled, bursts } = curve;
  const since = (text: string): number => window.startMs + checkedDurationMs(text);
  if (steps !== undefined) return steps.map(({ at, replicas }) => ({ atMs: since(at), replicas }));
  if (bursts !== undefined) {
    return burstSteps({ everyMs: checkedDurationMs(bursts.every), pods: bursts.pods }, window);
  }
  if (autoscaled !== undefined) {
    const demand = autoscaled.demand.map(({ at, units }) => ({ atMs: since(at), units }));
    return autoscaledSteps({ ...autoscaled, demand }, window);
  }
  if (daily === undefined) return null;
  const { base, peak, from, until, ramp = '2h', weekdaysOnly = true } = daily;
  const hours = { fromMs: checkedDurationMs(from), untilMs: checkedDurationMs(until) };
  return dailySteps({ base, peak, ...hours, rampMs: checkedDurationMs(ramp), weekdaysOnly }, window);
}

function readFaults(faults: WireFaults): FaultPlan {
  return {
    cloud: {
      throttled: faults.throttled ?? 0,
      answerLost: faults.answerLost ?? 0,
      listFails: faults.failedLists ?? 0,
      staleList: faults.staleLists ?? 0,
      neverBoots: faults.neverBoots ?? 0,
      neverReady: faults.neverReady ?? 0,
      registersTwice: faults.registersTwice ?? 0,
      partialFleet: faults.partialFleets ?? 0,
      repeated: faults.repeatedCalls ?? 0,
    },
    watch: {
      late: faults.lateEvents ?? 0,
      latestMs: 5000,
      repeated: faults.repeatedEvents ?? 0,
      reordered: faults.reorderedEvents ?? 0,
    },
    kube: {
      conflict: faults.conflicts ?? 0,
      failed: faults.failedCalls ?? 0,
      answerLost: faults.answerLost ?? 0,
      repeated: faults.repeatedCalls ?? 0,
    },
    mishaps: {
      crashMs: everyMs(faults.crashEvery),
      relistMs: everyMs(faults.relistEvery),
      interruptionMs: everyMs(faults.interruptionEvery),
      hostFailureMs: everyMs(faults.hostFailureEvery),
      silenceMs: everyMs(faults.silenceEvery),
      unreadyPodMs: everyMs(faults.unreadyPodEvery),
      shortageMs: everyMs(faults.shortageEvery),
      apiOutageMs: everyMs(faults.apiOutageEvery),
      clockJumpMs: everyMs(faults.clockJumpEvery),
      twoLeadersMs: everyMs(faults.twoLeadersEvery),
      staleWatchMs: everyMs(faults.staleWatchEvery),
    },
  };
}

function everyMs(text: string | undefined): number {
  return optionalMs(text) ?? Number.POSITIVE_INFINITY;
}

function readShortage(
  { instanceType, zone, capacityType, from, until }: WireShortage,
  startMs: number,
): Shortage {
  return {
    instanceType: instanceType ?? null,
    zone: zone ?? null,
    capacityType: capacityType ?? null,
    fromMs: startMs + checkedDurationMs(from),
    untilMs: startMs + checkedDurationMs(until),
  };
}

function readExpectations(expect: NonNullable<WireScenario['expect']>): Expectations {
  return {
    noNodesLeft: expect.noNodesLeft ?? false,
    noPodsPending: expect.noPodsPending ?? false,
    pendingAtMostMs: optionalMs(expect.pendingAtMost),
    usdAtMost: expect.usdAtMost ?? null,
    nodesAtMost: expect.nodesAtMost ?? null,
    evictionsAtMost: expect.evictionsAtMost ?? null,
    nodeAgeAtMostMs: optionalMs(expect.nodeAgeAtMost),
  };
}

function optionalMs(text: string | undefined): number | null {
  return text === undefined ? null : parseDurationMs(text);
}

function delayRange(text: string): DelayRange {
  const [least = '0s', most = least] = text.split('..');
  return [checkedDurationMs(least), checkedDurationMs(most)];
}
