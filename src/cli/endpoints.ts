// What the probes and Prometheus get to see: alive, ready or why not, and all metrics.
import type { Registry } from 'prom-client';
import { serveRoutes, textAnswer } from './probes.ts';
import type { RunSettings } from './settings.ts';

export interface Health {
  /** Null when ready; else what is waited for. Replaced as the start goes on. */
  unreadyBecause: () => string | null;
}

export interface Endpoints {
  readonly ports: { readonly metricsPort: number; readonly healthProbePort: number };
  close(): void;
}

/** Serves both ports. Throws, naming the setting, when one cannot be had. */
export async function serveEndpoints(
  settings: RunSettings,
  registry: Registry,
  health: Health,
): Promise<Endpoints> {
  const probes = {
    '/healthz': () => textAnswer(200, 'ok\n'),
    '/readyz': () => {
      const reason = health.unreadyBecause();
      return reason === null ? textAnswer(200, 'ok\n') : textAnswer(503, `not ready: ${reason}\n`);
    },
  };
  const metrics = {
    '/metrics': async () => ({
      status: 200,
      contentType: registry.contentType,
      body: await registry.metrics(),
    }),
  };
  const forProbes = await listen(probes, settings.healthProbePort, 'healthProbePort');
  const forMetrics = await listen(metrics, settings.metricsPort, 'metricsPort').catch((failure: unknown) => {
    forProbes.server.close();
    throw failure;
  });
  return {
    ports: { metricsPort: forMetrics.port, healthProbePort: forProbes.port },
    close: () => {
      for (const { server } of [forProbes, forMetrics]) {
        server.close();
        server.closeAllConnections();
      }
    },
  };
}

async function listen(routes: Parameters<typeof serveRoutes>[0], port: number, setting: string) {
  try {
    return await serveRoutes(routes, port);
  } catch (failure) {
    throw new Error(`${setting} ${port} cannot be listened on (${String(failure)}); choose a free port`);
  }
}
