// Packing: speed, price and distance from the bound, held against Karpenter's scheduler on identical input.
import { fileURLToPath } from 'node:url';
import { fakeTypes, type RealChoice, realTypes } from './catalogues.ts';
import { boundedFigure, peerFigure, plainFigure, type Report } from './figure.ts';
import { karpenterPeer, type PeerAnswer, runCommand } from './karpenterPeer.ts';
import { drawMix, MIXES, type MixName } from './mixes.ts';
import type { PackerAnswer, PackerOrder } from './packerProcess.ts';
import type { Problem } from './problem.ts';

const DEFAULT_BUDGET_MS = 200;
const PACKER_PROCESS = fileURLToPath(new URL('./packerProcess.ts', import.meta.url));

type Run = PackerAnswer['runs'][number];

interface Solved {
  readonly name: string;
  readonly pods: number;
  readonly first: Run;
  readonly best: Run;
  readonly peakRssMib: number;
  readonly peer: PeerAnswer | null;
}

async function solveWithPacker(order: PackerOrder): Promise<PackerAnswer> {
  const cwd = fileURLToPath(new URL('.', import.meta.url));
  const { code, stdout, stderr } = await runCommand(process.execPath, [PACKER_PROCESS], {
    cwd,
    stdin: JSON.stringify(order),
  });
  if (code !== 0) throw new Error(`the packer failed on ${order.problem.name}: ${stderr.trim()}`);
  return JSON.parse(stdout) as PackerAnswer;
}

/** Long solves are repeated less: their relative noise is small. */
function repeatsFor(pods: number): number {
  return pods > 5_000 ? 1 : 3;
}

async function solveBoth(problem: Problem, report: Report): Promise<Solved> {
  const pods = problem.pods.length;
  const order = { problem, budgetsMs: [0, DEFAULT_BUDGET_MS], checked: true };
  const { runs, peakRssMib } = await solveWithPacker(order);
  const peer = await (await karpenterPeer(report)).solve(problem, repeatsFor(pods));
  const [first, best] = runs;
  if (first === undefined || best === undefined) throw new Error(`no run of ${problem.name}`);
  for (const violation of [...first.violations, ...best.violations])
    report.note(`${problem.name}: ${violation}`);
  return { name: problem.name, pods, first, best, peakRssMib, peer };
}

const fastest = (allMs: readonly number[]): number => Math.min(...allMs);

interface Goals {
  /** Times the peer's pods per second. */
  readonly first: number | null;
  readonly budgeted: number | null;
  readonly boundRatio: number | null;
}

function reportSolved(
  { name, pods, first, best, peakRssMib, peer }: Solved,
  goals: Goals,
  report: Report,
): void {
  const perSecond = (allMs: readonly number[]): number => pods / (fastest(allMs) / 1000);
  const peerSpeed = peer === null ? null : perSecond(peer.allMs);
  const atLeast = (times: number | null) => (times === null ? null : { atLeast: times });
  for (const [what, run, goal] of [
    ['first plan', first, goals.first],
    [`budget ${DEFAULT_BUDGET_MS} ms`, best, goals.budgeted],
  ] as const) {
    const speed = { name: `${name} ${what}, speed`, value: perSecond(run.allMs), unit: 'pods/s' };
    report.figure(peerFigure(speed, peerSpeed, atLeast(goal)));
    const time = { name: `${name} ${what}, time`, value: fastest(run.allMs), unit: 'ms' };
    report.figure(peerFigure(time, peer === null ? null : fastest(peer.allMs), null));
    const cpu = { name: `${name} ${what}, CPU time`, value: fastest(run.allCpuMs), unit: 'ms' };
    const least = goal === null ? null : { atMost: 1 / goal };
    report.figure(peerFigure(cpu, peer === null ? null : fastest(peer.allCpuMs), least));
    const cold = run.allMs[0] ?? Number.NaN;
    if (run === first)
      report.figure(plainFigure(`${name} first plan, time in a process just started`, cold, 'ms'));
    const toBound = { name: `${name} ${what}, price to bound`, value: boundRatio(run), unit: '' };
    const bounded = goals.boundRatio !== null && what !== 'first plan' ? goals.boundRatio : null;
    report.figure(
      bounded === null
        ? plainFigure(toBound.name, toBound.value, '')
        : boundedFigure(toBound, { atMost: bounded }),
    );
  }
  const price = { name: `${name} price`, value: best.usdPerHour, unit: '$/h' };
  report.figure(peerFigure(price, peer?.usdPerHour ?? null, { atMost: 1 }));
  report.figure(plainFigure(`${name} first plan, price`, first.usdPerHour, '$/h'));
  report.figure(
    peerFigure({ name: `${name} nodes`, value: best.nodes, unit: '' }, peer?.nodes ?? null, null),
  );
  const unplaced = { name: `${name} pods left without a node`, value: pods - best.placed, unit: '' };
  const peerUnplaced = peer === null ? null : pods - peer.placed;
  report.figure({ ...boundedFigure(unplaced, { atMost: peerUnplaced ?? 0 }), peer: peerUnplaced });
  const violations = first.violations.length + best.violations.length;
  report.figure(boundedFigure({ name: `${name} violations`, value: violations, unit: '' }, { atMost: 0 }));
  report.figure(
    peerFigure(
      { name: `${name} peak memory`, value: peakRssMib, unit: 'MiB' },
      peer?.peakRssMib ?? null,
      null,
    ),
  );
}

function boundRatio({ usdPerHour, lowerBoundUsdPerHour }: Run): number {
  return lowerBoundUsdPerHour === 0 ? Number.POSITIVE_INFINITY : usdPerHour / lowerBoundUsdPerHour;
}

/** Total price over all mixes that both solved. */
function reportTotal(name: string, solved: readonly Solved[], report: Report): void {
  const both = solved.filter(({ peer }) => peer !== null);
  const ours = both.reduce((sum, { best }) => sum + best.usdPerHour, 0);
  const theirs = both.length === 0 ? null : both.reduce((sum, { peer }) => sum + (peer?.usdPerHour ?? 0), 0);
  report.figure(
    peerFigure({ name: `${name} total price`, value: ours, unit: '$/h' }, theirs, { atMost: 0.8 }),
  );
}

/** Karpenter's own benchmark mix on 400 made-up types. */
export async function benchDiverse(report: Report): Promise<void> {
  const instanceTypes = fakeTypes(400);
  const solved: Solved[] = [];
  for (const count of [100, 1_000, 5_000, 10_000, 20_000]) {
    const name = `packer/diverse/${count}`;
    const problem: Problem = {
      name,
      pods: drawMix('diverse', count),
      instanceTypes,
      capacityTypes: ['spot', 'on-demand'],
    };
    const one = await solveBoth(problem, report);
    solved.push(one);
    const first = count === 10_000 ? 100 : count === 1_000 ? 30 : null;
    const boundRatioGoal = count >= 500 ? 1.15 : null;
    reportSolved(one, { first, budgeted: count === 10_000 ? 30 : null, boundRatio: boundRatioGoal }, report);
  }
  reportTotal('packer/diverse', solved, report);
}

const REAL: Readonly<Partial<Record<MixName, RealChoice>>> = {
  generic: 'cpu',
  deployments: 'cpu',
  'long-tail': 'cpu',
  'memory-heavy': 'cpu',
  gpus: 'gpu',
  'capacity-types': 'spot',
  'small-apps': 'cpu',
};

/** Seven mixes on real types and prices. */
export async function benchRealPrices(report: Report): Promise<void> {
  const solved: Solved[] = [];
  for (const [mix, choice] of Object.entries(REAL) as [MixName, RealChoice][]) {
    const instanceTypes = realTypes(choice);
    for (const count of [500, 2_000, 5_000]) {
      const problem: Problem = {
        name: `packer/real/${mix}/${count}`,
        pods: drawMix(mix, count),
        instanceTypes,
        capacityTypes: choice === 'spot' ? ['spot', 'on-demand'] : ['on-demand'],
      };
      const one = await solveBoth(problem, report);
      solved.push(one);
      const goal = MIXES[mix].constrained ? 1.15 : 1.05;
      reportSolved(one, { first: null, budgeted: null, boundRatio: goal }, report);
    }
  }
  reportTotal('packer/real', solved, report);
}

/** Time and memory from 10,000 to 50,000 pods. */
export async function benchGrowth(report: Report): Promise<void> {
  const times: number[] = [];
  for (const count of [10_000, 50_000]) {
    const problem: Problem = {
      name: `packer/growth/${count}`,
      pods: drawMix('diverse', count),
      instanceTypes: fakeTypes(400),
      capacityTypes: ['spot', 'on-demand'],
    };
    const answer = await solveWithPacker({ problem, budgetsMs: [0], checked: false });
    const run = answer.runs[0];
    if (run === undefined) throw new Error(`no run of ${problem.name}`);
    times.push(fastest(run.allCpuMs));
    report.figure(plainFigure(`${problem.name} first plan, time`, fastest(run.allMs), 'ms'));
    report.figure(plainFigure(`${problem.name} first plan, CPU time`, fastest(run.allCpuMs), 'ms'));
    const memory = { name: `${problem.name} peak memory`, value: answer.peakRssMib, unit: 'MiB' };
    report.figure(boundedFigure(memory, { atMost: 1024 }));
  }
  const [small = Number.NaN, large = Number.NaN] = times;
  const growth = {
    name: 'packer/growth of CPU time from 10,000 to 50,000 pods',
    value: large / small,
    unit: 'times',
  };
  report.figure(boundedFigure(growth, { atMost: 10 }));
}
