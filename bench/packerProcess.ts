// Solves one problem (JSON on standard input) with our packer in a process of its own, so that memory is its own.

import { text } from 'node:stream/consumers';
import { Interner } from '../src/api/objects/interner.ts';
import { parsePod } from '../src/api/objects/pod.ts';
import { readCatalogue } from '../src/cli/catalogueFile.ts';
import { NO_CONSOLIDATION } from '../src/model/disruptionPolicy.ts';
import { LABEL } from '../src/model/labels.ts';
import type { SchedulingPlan } from '../src/model/plan.ts';
import type { Pod } from '../src/model/pod.ts';
import type { Provisioner } from '../src/model/provisioner.ts';
import type { ClusterSnapshot } from '../src/model/snapshot.ts';
import { checkPlan } from '../src/scheduling/checker/checkPlan.ts';
import { schedule } from '../src/scheduling/scheduler.ts';
import type { Problem } from './problem.ts';

export interface PackerOrder {
  readonly problem: Problem;
  /** Budgets to solve with. */
  readonly budgetsMs: readonly number[];
  /** Whether the plans are checked, which takes longer than making them. */
  readonly checked: boolean;
}

export interface PackerAnswer {
  readonly runs: readonly {
    readonly budgetMs: number;
    readonly allMs: readonly number[];
    readonly allCpuMs: readonly number[];
    readonly usdPerHour: number;
    readonly lowerBoundUsdPerHour: number;
    readonly nodes: number;
    readonly placed: number;
    readonly violations: readonly string[];
  }[];
  readonly peakRssMib: number;
}

function provisioner({ capacityTypes }: Problem): Provisioner {
  return {
    name: 'default',
    uid: 'default',
    generation: 1,
    labels: {},
    annotations: {},
    taints: [],
    startupTaints: [],
    requirements: [{ key: LABEL.capacityType, operator: 'In', values: capacityTypes }],
    kubelet: {},
    nodeClassRef: { kind: 'AWSNodeTemplate', name: 'default' },
    ttlAfterEmptyMs: null,
    ttlUntilExpiredMs: null,
    disruption: NO_CONSOLIDATION,
    terminationGracePeriodMs: null,
    suspended: false,
    limits: null,
    weight: 0,
    deletionRequestedAtMs: null,
  };
}

function emptyCluster(problem: Problem, pods: readonly Pod[]): ClusterSnapshot {
  return {
    takenAtMs: 0,
    provisioners: [provisioner(problem)],
    nodeClasses: [],
    nodes: [],
    nodeClaims: [],
    pods,
    daemonSets: [],
    namespaces: [{ name: 'default', labels: {} }],
    disruptionBudgets: [],
    persistentVolumes: [],
    persistentVolumeClaims: [],
    storageClasses: [],
    csiNodes: [],
  };
}

/** A controller solves all day: repeats go on until the code is warm, and the fastest counts, as for the peer. */
const REPEATS_LEAST = 3;
const REPEATS_MOST = 30;
const REPEAT_FOR_MS = 1_500;

function isWarm(allMs: readonly number[]): boolean {
  const spentMs = allMs.reduce((sum, one) => sum + one, 0);
  return allMs.length >= REPEATS_MOST || (allMs.length >= REPEATS_LEAST && spentMs >= REPEAT_FOR_MS);
}

function solve({ problem, budgetsMs, checked }: PackerOrder): PackerAnswer {
  const interner = new Interner();
  const pods = problem.pods.map((manifest): Pod => {
    const parsed = parsePod(manifest, interner);
    if (parsed.kind === 'invalid') throw new Error(`${parsed.name}: ${JSON.stringify(parsed.problems)}`);
    return parsed.value;
  });
  const { instanceTypes, problems } = readCatalogue(problem.instanceTypes);
  if (problems.length > 0) throw new Error(JSON.stringify(problems[0]));
  const snapshot = emptyCluster(problem, pods);
  const catalogue = new Map([['default', instanceTypes]]);
  const runs = budgetsMs.map((budgetMs) => {
    const allMs: number[] = [];
    const allCpuMs: number[] = [];
    let plan: SchedulingPlan | null = null;
    while (!isWarm(allMs)) {
      const cpu = process.cpuUsage();
      const start = performance.now();
      plan = schedule(snapshot, catalogue, pods, { budgetMs, elapsedMs: () => performance.now() - start });
      allMs.push(performance.now() - start);
      const used = process.cpuUsage(cpu);
      allCpuMs.push((used.user + used.system) / 1000);
    }
    if (plan === null) throw new Error('nothing was solved');
    return {
      budgetMs,
      allMs,
      allCpuMs,
      usdPerHour: plan.usdPerHour,
      lowerBoundUsdPerHour: plan.lowerBoundUsdPerHour,
      nodes: plan.nodeClaims.length,
      placed: plan.nodeClaims.reduce((sum, claim) => sum + claim.pods.length, 0),
      violations: checked ? checkPlan(snapshot, catalogue, pods, plan).slice(0, 5) : [],
    };
  });
  return { runs, peakRssMib: process.resourceUsage().maxRSS / 1024 };
}

const order = JSON.parse(await text(process.stdin)) as PackerOrder;
process.stdout.write(JSON.stringify(solve(order)));
