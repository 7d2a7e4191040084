// The AWS adapter, put together from the settings and what the API server says of the cluster.
import { readFile } from 'node:fs/promises';
import { fencedEc2 } from '../aws/fencedEc2.ts';
import { PolledInterruptions } from '../aws/interruptionPolling.ts';
import { InterruptionQueue } from '../aws/interruptionQueue.ts';
import { pacedEc2, pacedNotices } from '../aws/pacedEc2.ts';
import { onDemandPrices, parsePriceOverrides } from '../aws/prices.ts';
import { AwsCloudProvider, type AwsDependencies } from '../aws/provider.ts';
import { RequestPacer } from '../aws/requestPacer.ts';
import { connectEc2 } from '../aws/sdkEc2.ts';
import { connectNotices } from '../aws/sdkNotices.ts';
import { connectSsm } from '../aws/sdkSsm.ts';
import type { AwsSettings } from '../aws/settings.ts';
import { SHIPPED_REGION, shippedPrices } from '../aws/shippedCatalogue.ts';
import type { ServerInfo } from '../kube/serverInfo.ts';
import type { CloudProvider } from '../ports/cloudProvider.ts';
import type { Fence } from '../ports/fence.ts';
import type { InterruptionSource } from '../ports/interruptions.ts';
import type { Log, Telemetry } from '../ports/telemetry.ts';
import { REAL_CLOCK } from './realClock.ts';
import type { RunSettings } from './settings.ts';

/** Stale answers of EC2 are asked for again in the background, so that no launch waits for a describe. */
const REFRESH_EVERY_MS = 30_000;

export interface CloudConnection {
  readonly cloud: CloudProvider;
  readonly interruptions: InterruptionSource;
  /** Loads or renews what is cached. Does not throw: failures are logged, and tried again. */
  refresh(): Promise<void>;
  /** Gives up waits that are under way. */
  close(): void;
}

/** @throws Error when the prices file cannot be used, with the mend */
export async function connectAws(
  settings: RunSettings,
  server: ServerInfo,
  { log, metrics }: Telemetry,
  fence: Fence,
): Promise<CloudConnection> {
  tellPriceRegion(settings, { log, metrics });
  const pacer = new RequestPacer(REAL_CLOCK);
  const cloud = new AwsCloudProvider({
    ec2: fencedEc2(connectEc2(settings.region), fence),
    ssm: connectSsm(settings.region),
    clock: REAL_CLOCK,
    pacer,
    chance: Math.random,
    log,
    settings: awsSettings(settings, server),
    ...(await readPrices(settings.pricesFile)),
  });
  const { source, close } = await interruptionSource(settings, log, pacer);
  let warmed: Promise<void> | null = null;
  return {
    cloud,
    interruptions: source,
    close,
    refresh: async () => {
      if (warmed === null) warmed = cloud.warm();
      else await cloud.refresh();
      await warmed;
    },
  };
}

/** Shipped prices are those of one region: elsewhere their order is about right, and their height is not. */
function tellPriceRegion(
  { region, pricesFile }: RunSettings,
  { log, metrics }: Pick<Telemetry, 'log' | 'metrics'>,
): void {
  const { asOf, onDemand } = shippedPrices();
  const isOther = region !== SHIPPED_REGION;
  metrics.gauge('cooper_prices_of_other_region', { region }, isOther ? onDemand.size : 0);
  if (!isOther) return;
  const facts = { region, pricesOf: SHIPPED_REGION, asOf, instanceTypes: onDemand.size, pricesFile };
  log.warn(facts, 'on-demand prices are those of another region, but for those in pricesFile');
}

/** Asks EC2 whether it would allow each call, and says in the log what is missing. Never throws. */
export async function tellMissingPermissions(settings: RunSettings, log: Log): Promise<void> {
  try {
    const { checkPermissions } = await import('../aws/accountChecks.ts');
    const { connectChecks } = await import('../aws/sdkChecks.ts');
    const findings = await checkPermissions(connectChecks(settings));
    for (const { code, message } of findings) log.error({ code, problem: message }, 'check at start failed');
    if (findings.length === 0) log.debug({}, 'AWS would allow every call');
  } catch (failure) {
    log.warn({ error: String(failure) }, 'checks at start not made');
  }
}

/** The queue when one is configured, else EC2 alone. */
async function interruptionSource(
  settings: RunSettings,
  log: Log,
  pacer: RequestPacer,
): Promise<{ readonly source: InterruptionSource; readonly close: () => void }> {
  const { region, interruptionQueue } = settings;
  if (interruptionQueue === null) {
    const ec2 = pacedEc2(connectEc2(region), pacer, 'background');
    const notices = pacedNotices(connectNotices(region), pacer);
    const source = new PolledInterruptions({ ec2, notices, clock: REAL_CLOCK, log, settings });
    return { source, close: () => {} };
  }
  const { connectSqs } = await import('../aws/sdkSqs.ts');
  const source = new InterruptionQueue(connectSqs(region), interruptionQueue, log);
  return { source, close: () => source.close() };
}

export function awsSettings(settings: RunSettings, server: ServerInfo): AwsSettings {
  return {
    clusterName: settings.clusterName,
    clusterEndpoint: settings.clusterEndpoint ?? server.endpoint,
    clusterCaBundle: settings.clusterCaBundle ?? server.clusterCa,
    serviceCidr: settings.serviceCidr ?? server.serviceCidr,
    kubernetesVersion: server.kubernetesVersion,
    region: settings.region,
    defaultInstanceProfile: settings.defaultInstanceProfile,
    vmMemoryOverheadPercent: settings.vmMemoryOverheadPercent,
    eniLimitedPodDensity: settings.eniLimitedPodDensity,
    reservedEnis: settings.reservedEnis,
    prefixDelegation: settings.prefixDelegation,
    podEni: settings.enablePodEni,
    tags: settings.tags,
  };
}

/** @throws Error that names the file and the mend */
export async function readPrices(
  file: string | null,
): Promise<Pick<AwsDependencies, 'onDemandPrices' | 'surcharges'>> {
  const shipped = shippedPrices().onDemand;
  if (file === null) return { onDemandPrices: shipped };
  const text = await readFile(file, 'utf8').catch((failure: unknown) => {
    throw new Error(`pricesFile ${file} cannot be read (${String(failure)}); name a file that exists`);
  });
  const overrides = parsePriceOverrides(text);
  if (overrides.kind === 'invalid') throw new Error(`pricesFile ${file}: ${overrides.problems.join('; ')}`);
  const { surcharges } = overrides.value;
  return { onDemandPrices: onDemandPrices(shipped, overrides.value), surcharges };
}

export interface CloudRefresh {
  stop(): void;
}

/** Renews the cloud's caches for as long as the process lives. */
export function keepFresh(refresh: () => Promise<void>, log: Log): CloudRefresh {
  const timer = setInterval(() => {
    refresh().catch((failure: unknown) => log.warn({ error: String(failure) }, 'refresh from AWS failed'));
  }, REFRESH_EVERY_MS);
  return { stop: () => clearInterval(timer) };
}
