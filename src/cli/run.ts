// `cooper run`: the controllers against a real cluster and a real account. Everything is wired here, in the open.
import { readFile } from 'node:fs/promises';
import { describeProblem } from '../api/parsed.ts';
import { ControllerManager } from '../controllers/manager.ts';
import { DEFAULT_SETTINGS } from '../controllers/settings.ts';
import { watchCluster } from '../kube/clusterWatch.ts';
import { connectKube } from '../kube/connect.ts';
import { ServerKubeApi } from '../kube/kubeApi.ts';
import { readServerInfo, type ServerInfo } from '../kube/serverInfo.ts';
import { backoffMs, REAL_TIMING } from '../kube/timing.ts';
import { KubeTransport } from '../kube/transport.ts';
import { ThreadPlanner } from '../planner/threadPlanner.ts';
import type { Ports } from '../ports/ports.ts';
import type { Log, Telemetry } from '../ports/telemetry.ts';
import { ClusterState } from '../state/clusterState.ts';
import { dumpsInto } from '../telemetry/dumps.ts';
import { MemoryJournal } from '../telemetry/journal.ts';
import { createLog } from '../telemetry/log.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { type CloudRefresh, connectAws, keepFresh, tellMissingPermissions } from './awsWiring.ts';
import { type ControlLoop, startControlLoop } from './controlLoop.ts';
import { type Health, serveEndpoints } from './endpoints.ts';
import { EXIT } from './exitCodes.ts';
import { prepareLeadership } from './leadership.ts';
import { keepMemoryLow } from './memoryKeeper.ts';
import { REAL_CLOCK } from './realClock.ts';
import { type RunSettings, readSettings, type SettingSources } from './settings.ts';
import { VERSION } from './version.ts';

const JOURNAL_RECORDS = 10_000;
/** Kubernetes gives 30 s between SIGTERM and SIGKILL; what is under way gets most of it. */
const STOP_MOST_MS = 20_000;
const KUBE_TIMEOUT_MS = 30_000;
/** Watches are renewed every ten minutes at the latest: silence beyond that is an outage. */
const STALE_AFTER_MS = 15 * 60_000;

/**
 * Runs until SIGTERM or SIGINT.
 * @returns the exit code: 2 when the settings are wrong, 1 when it could not start or has lost its Lease
 */
export async function runCommand(flags: Readonly<Record<string, unknown>>): Promise<number> {
  const sources = await sourcesOf(flags).catch(messageOf);
  const outcome =
    typeof sources === 'string' ? ({ kind: 'invalid', problems: [sources] } as const) : readSettings(sources);
  if (outcome.kind === 'invalid') {
    for (const problem of outcome.problems) process.stderr.write(`cooper run: ${problem}\n`);
    return EXIT.wrongCall;
  }
  const log = createLog(outcome.settings.logLevel, (line) => process.stdout.write(line));
  process.on('unhandledRejection', (reason) => log.error({ error: String(reason) }, 'unhandled rejection'));
  try {
    return await runUntilStopped(outcome.settings, log);
  } catch (failure) {
    log.error({ error: messageOf(failure) }, 'cannot start');
    process.stderr.write(`cooper run: ${messageOf(failure)}\n`);
    return EXIT.failed;
  }
}

async function sourcesOf({ config, ...flags }: Readonly<Record<string, unknown>>): Promise<SettingSources> {
  if (typeof config !== 'string') return { flags, env: process.env, file: null };
  try {
    return { flags, env: process.env, file: { name: config, text: await readFile(config, 'utf8') } };
  } catch (failure) {
    throw new Error(`--config ${config} cannot be read: ${messageOf(failure)}; name a file that exists`);
  }
}

async function runUntilStopped(settings: RunSettings, log: Log): Promise<number> {
  const { metrics, registry } = createMetrics();
  const telemetry: Telemetry = { log, metrics, dump: dumpsInto(settings.dumpFolder, REAL_CLOCK.nowMs) };
  const health: Health = { unreadyBecause: () => 'connecting to the API server' };
  const endpoints = await serveEndpoints(settings, registry, health);
  log.info(
    { version: VERSION, cluster: settings.clusterName, region: settings.region, ...endpoints.ports },
    'starting',
  );
  const stopSignal = stopRequested();
  try {
    const running = await startControllers(settings, telemetry, health, stopSignal);
    const end = await Promise.race([stopSignal.promise, running?.lost.then(() => 'lost' as const)]);
    // What is under way may be under way in another replica by now: nothing is waited for.
    if (end === 'lost') {
      const lease = `${settings.leaderElectionNamespace}/${settings.leaderElectionName}`;
      const message = 'ending: the Lease was lost to another replica, or could not be renewed';
      log.error({ lease }, message);
      return EXIT.failed;
    }
    log.info({}, 'stopping');
    await running?.stop();
    log.info({}, 'stopped');
    return EXIT.done;
  } finally {
    endpoints.close();
  }
}

interface Running {
  /** Resolves when another replica may be acting. */
  readonly lost: Promise<void>;
  stop(): Promise<void>;
}

/** Null when a stop was asked for before the API server could be reached. */
async function startControllers(
  settings: RunSettings,
  telemetry: Telemetry,
  health: Health,
  stopSignal: StopSignal,
): Promise<Running | null> {
  const { log } = telemetry;
  const connection = await connectKube({ kubeconfig: settings.kubeconfig ?? undefined, env: process.env });
  const leadership = prepareLeadership(settings, connection, telemetry);
  const transport = new KubeTransport(connection, {
    timeoutMs: KUBE_TIMEOUT_MS,
    timing: REAL_TIMING,
    userAgent: `cooper/${VERSION}`,
    beforeWrite: () => leadership.fence.check(),
  });
  const server = await serverInfo(() => readServerInfo(transport, connection), log, stopSignal);
  if (server === null) return null;
  const aws = await connectAws(settings, server, telemetry, leadership.fence);
  const { cloud, interruptions, refresh, close } = aws;
  const kube = new ServerKubeApi(transport, {
    timing: REAL_TIMING,
    onProblem: (problem) => log.warn({ error: problem.message }, 'event not published'),
  });
  const journal = new MemoryJournal(JOURNAL_RECORDS, log);
  const planner = new ThreadPlanner({ telemetry, dumpFolder: settings.dumpFolder });
  const ports: Ports = { clock: REAL_CLOCK, cloud, interruptions, kube, planner, journal, telemetry };
  const state = new ClusterState();
  const manager = new ControllerManager(ports, state, controllerSettings(settings));
  const watch = watchCluster(transport, watchHandlers(state, manager, log), REAL_TIMING);
  let loop: ControlLoop | null = null;
  let complete = false;
  health.unreadyBecause = () => unreadyBecause(complete, watch.waitingFor(), watch.stalenessMs(Date.now()));
  const warming = refresh();
  // After what the first launch waits for: nothing depends on the checks.
  void warming.then(() => tellMissingPermissions(settings, log));
  void watch.synced.then(async () => {
    await Promise.all([warming, planner.prepare(state.snapshot(Date.now()))]);
    if (stopSignal.asked) return;
    log.info({ kubernetes: server.kubernetesVersion }, 'cluster state is complete');
    complete = true;
    if (!(await leadership.lead(() => watch.renew())) || stopSignal.asked) return;
    loop = startControlLoop(manager, REAL_CLOCK);
  });
  const keepLow = keepMemoryLow(planner);
  const freshness = keepFresh(async () => {
    telemetry.metrics.gauge('cooper_watch_staleness_seconds', {}, watch.stalenessMs(Date.now()) / 1000);
    await Promise.all([refresh(), planner.prepare(state.snapshot(Date.now()))]);
    if (complete) await keepLow();
  }, log);
  return {
    lost: leadership.lost,
    stop: async () => {
      const stopWatch = (): Promise<void> => watch.stop();
      await stopRunning({ loop: () => loop, manager, freshness, close, planner, stopWatch });
      await leadership.stop();
    },
  };
}

/** Every change goes into the state first, and then to the controllers. */
function watchHandlers(
  state: ClusterState,
  manager: ControllerManager,
  log: Log,
): Parameters<typeof watchCluster>[1] {
  return {
    onEvent: (event) => {
      // An object that was never usable leaves nothing in the state, but its faults are to be forgotten.
      if (state.apply(event) || event.type === 'delete') manager.noteEvent(event);
    },
    onInvalid: ({ kind, name, uid, problems }) => {
      log.warn({ kind, name, problems }, 'object ignored');
      if (!isReported(kind)) return;
      manager.noteInvalid({ kind, name, uid, problems: problems.map(describeProblem) });
    },
    onProblem: (problem) => log.warn({ error: problem.message }, 'watch failed'),
  };
}

function isReported(kind: string): kind is 'Provisioner' | 'AWSNodeTemplate' | 'NodeClaim' {
  return kind === 'Provisioner' || kind === 'AWSNodeTemplate' || kind === 'NodeClaim';
}

function unreadyBecause(
  complete: boolean,
  waitingFor: readonly string[],
  stalenessMs: number,
): string | null {
  if (waitingFor.length > 0) return `waiting for the list of ${waitingFor.join(', ')}`;
  if (!complete) return 'loading instance types';
  if (stalenessMs > STALE_AFTER_MS)
    return `nothing heard from the API server for ${Math.round(stalenessMs / 1000)} s`;
  return null;
}

/** Asks until the server answers, saying once per failure what is wrong. */
async function serverInfo(
  read: () => Promise<ServerInfo>,
  log: Log,
  stopSignal: StopSignal,
): Promise<ServerInfo | null> {
  for (let failures = 0; !stopSignal.asked; ) {
    try {
      return await Promise.race([read(), stopSignal.promise.then(() => null)]);
    } catch (failure) {
      failures += 1;
      const pauseMs = backoffMs(failures, Math.random);
      log.error({ error: messageOf(failure), retryInMs: Math.round(pauseMs) }, 'API server cannot be used');
      await Promise.race([REAL_CLOCK.sleep(pauseMs), stopSignal.promise]);
    }
  }
  return null;
}

interface Stopping {
  readonly loop: () => ControlLoop | null;
  readonly manager: ControllerManager;
  readonly freshness: CloudRefresh;
  /** Gives up waits on AWS that nobody will hear the end of. */
  readonly close: () => void;
  readonly planner: ThreadPlanner;
  readonly stopWatch: () => Promise<void>;
}

/** No new work is begun; what is under way is given time to end, so that nothing is cut between two writes. */
async function stopRunning(running: Stopping): Promise<void> {
  const { loop, manager, freshness, close, planner, stopWatch } = running;
  loop()?.stop();
  freshness.stop();
  close();
  const deadlineMs = REAL_CLOCK.nowMs() + STOP_MOST_MS;
  while (!manager.idle && REAL_CLOCK.nowMs() < deadlineMs) await REAL_CLOCK.sleep(50);
  await Promise.all([stopWatch(), planner.stop()]);
}

function controllerSettings(settings: RunSettings) {
  return {
    ...DEFAULT_SETTINGS,
    clusterName: settings.clusterName,
    batchIdleMs: settings.batchIdleDurationMs,
    batchMaxMs: settings.batchMaxDurationMs,
    planBudgetMs: settings.planBudgetMs,
    registrationTtlMs: settings.registrationTtlMs,
    surgeSingleReplicas: settings.surgeSingleReplicas,
  };
}

interface StopSignal {
  asked: boolean;
  readonly promise: Promise<void>;
}

function stopRequested(): StopSignal {
  const { promise, resolve } = Promise.withResolvers<void>();
  const signal: StopSignal = { asked: false, promise };
  const ask = (): void => {
    signal.asked = true;
    resolve();
  };
  process.once('SIGTERM', ask);
  process.once('SIGINT', ask);
  return signal;
}

function messageOf(failure: unknown): string {
  return failure instanceof Error ? failure.message : String(failure);
}
