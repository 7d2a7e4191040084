// Which replica acts: wires the Lease to the controllers, or lets the only replica act at once.
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { KubeConnection } from '../kube/connection.ts';
import { LEASE_TIMES, LeaseElector } from '../kube/leaseElector.ts';
import { REAL_TIMING } from '../kube/timing.ts';
import { KubeTransport } from '../kube/transport.ts';
import { type Fence, NO_FENCE } from '../ports/fence.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import { REAL_CLOCK } from './realClock.ts';
import type { RunSettings } from './settings.ts';
import { VERSION } from './version.ts';

/** The last writes of whoever led before reach our watches within this time. */
const SETTLE_MS = 1_000;
/** A kind whose watch cannot be opened, since its CRD is gone, must not keep us from leading. */
const CATCH_UP_MOST_MS = 10_000;

export interface Leadership {
  readonly fence: Fence;
  /**
   * Competes for the Lease; resolves to true once we lead and may act, to false when stopped before that.
   * @param catchUp makes sure that what others have done before is on its way to us
   */
  lead(catchUp: () => Promise<void>): Promise<boolean>;
  /** Resolves when the Lease is lost: nothing may be done any more. */
  readonly lost: Promise<void>;
  /** Stops competing, and gives the Lease up. */
  stop(): Promise<void>;
}

/** Nothing is sent before `lead` is called. */
export function prepareLeadership(
  settings: RunSettings,
  connection: KubeConnection,
  { log, metrics }: Pick<Telemetry, 'log' | 'metrics'>,
): Leadership {
  if (!settings.leaderElection) return alone(metrics);
  const { leaderElectionNamespace: namespace, leaderElectionName: name } = settings;
  const identity = `${hostname()}_${randomUUID()}`;
  const transport = new KubeTransport(connection, {
    timeoutMs: LEASE_TIMES.renewDeadlineMs / 2,
    timing: REAL_TIMING,
    userAgent: `cooper/${VERSION} leader-election`,
  });
  const elector = new LeaseElector(transport, {
    ...{ namespace, name, identity, timing: REAL_TIMING },
    now: () => ({ wallMs: Date.now(), monotonicMs: performance.now() }),
    onProblem: (problem) => log.warn({ error: problem.message }, 'lease not renewed'),
  });
  const stopped = new AbortController();
  const { promise: lost, resolve: lose } = Promise.withResolvers<void>();
  let keeping: Promise<void> | null = null;
  const tell = (leads: boolean): void => metrics.gauge('cooper_leader', {}, leads ? 1 : 0);
  tell(false);
  return {
    fence: elector,
    lost,
    async lead(catchUp) {
      log.info({ lease: `${namespace}/${name}`, identity }, 'standing by for the lease');
      const predecessors = await elector.acquire(stopped.signal);
      if (predecessors === null) return false;
      keeping = elector.keep(stopped.signal).then((end) => {
        tell(false);
        if (end === 'lost') lose();
      });
      if (predecessors > 0) {
        await Promise.race([catchUp(), REAL_CLOCK.sleep(CATCH_UP_MOST_MS)]);
        await REAL_CLOCK.sleep(SETTLE_MS);
      }
      if (stopped.signal.aborted) return false;
      log.info({ lease: `${namespace}/${name}`, identity }, 'leading');
      tell(true);
      return true;
    },
    async stop() {
      stopped.abort();
      await keeping;
      await elector.release();
    },
  };
}

function alone(metrics: Telemetry['metrics']): Leadership {
  metrics.gauge('cooper_leader', {}, 1);
  return {
    fence: NO_FENCE,
    lead: async () => true,
    lost: new Promise(() => {}),
    stop: async () => {},
  };
}
