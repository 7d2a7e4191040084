// `cooper doctor`: everything that would keep `cooper run` from launching nodes, each with its mend.
import { readFile } from 'node:fs/promises';
import { checkAccount, type Finding } from '../aws/accountChecks.ts';
import { AwsFault, faultKind, permissionAdvice } from '../aws/awsFault.ts';
import { connectChecks } from '../aws/sdkChecks.ts';
import { connectEc2 } from '../aws/sdkEc2.ts';
import { connectSsm } from '../aws/sdkSsm.ts';
import { connectKube } from '../kube/connect.ts';
import { readServerInfo, type ServerInfo } from '../kube/serverInfo.ts';
import { REAL_TIMING } from '../kube/timing.ts';
import { KubeTransport } from '../kube/transport.ts';
import type { NodeClass } from '../model/nodeClass.ts';
import { awsSettings, readPrices } from './awsWiring.ts';
import { type ClusterReading, readClusterObjects } from './doctorCluster.ts';
import { EXIT } from './exitCodes.ts';
import { REAL_CLOCK } from './realClock.ts';
import { type RunSettings, readSettings, type SettingSources } from './settings.ts';
import { VERSION } from './version.ts';

const KUBE_TIMEOUT_MS = 10_000;
const ENDPOINT_TIMEOUT_MS = 5_000;

/** Prints each finding on a line, and how many there are. 0 when there is none, 1 otherwise. */
export async function doctorCommand(
  flags: Readonly<Record<string, unknown>>,
  writeLine: (line: string) => void,
): Promise<number> {
  const findings = await examine(flags);
  for (const { code, message } of findings) writeLine(`${code}: ${message}`);
  if (findings.length === 0) writeLine('no problems found: cluster and account have all that a launch needs');
  else writeLine(`${findings.length} ${findings.length === 1 ? 'problem' : 'problems'} found`);
  return findings.length === 0 ? EXIT.done : EXIT.failed;
}

/** All findings, those first that others may follow from. */
async function examine(flags: Readonly<Record<string, unknown>>): Promise<readonly Finding[]> {
  const sources = await settingSources(flags);
  if ('code' in sources) return [sources];
  const outcome = readSettings(sources);
  if (outcome.kind === 'invalid') {
    return outcome.problems.map((message) => ({ code: 'SettingInvalid', message }));
  }
  const { settings } = outcome;
  const local = await Promise.all([pricesFinding(settings), queueFinding(settings)]);
  const cluster = await examineCluster(settings);
  const account = await checkAccount(
    {
      ec2: connectEc2(settings.region),
      ssm: connectSsm(settings.region),
      checks: connectChecks(settings),
      clock: REAL_CLOCK,
      settings: awsSettings(settings, cluster.server),
    },
    cluster.nodeClasses,
  );
  return [...local.flat(), ...cluster.findings, ...account];
}

async function settingSources({
  config,
  ...flags
}: Readonly<Record<string, unknown>>): Promise<SettingSources | Finding> {
  if (typeof config !== 'string') return { flags, env: process.env, file: null };
  try {
    return { flags, env: process.env, file: { name: config, text: await readFile(config, 'utf8') } };
  } catch (failure) {
    const message = `--config ${config} cannot be read (${messageOf(failure)}); name a file that exists`;
    return { code: 'SettingInvalid', message };
  }
}

async function pricesFinding({ pricesFile }: RunSettings): Promise<readonly Finding[]> {
  try {
    await readPrices(pricesFile);
    return [];
  } catch (failure) {
    return [{ code: 'PricesInvalid', message: messageOf(failure) }];
  }
}

async function queueFinding({ interruptionQueue, region }: RunSettings): Promise<readonly Finding[]> {
  if (interruptionQueue === null || /^https?:/.test(interruptionQueue)) return [];
  const { connectSqs } = await import('../aws/sdkSqs.ts');
  try {
    await connectSqs(region).queueUrl(interruptionQueue);
    return [];
  } catch (caught) {
    if (!(caught instanceof AwsFault)) throw caught;
    const { action, code, message } = caught;
    if (faultKind(code) === 'permission') {
      return [{ code: 'PermissionMissing', message: permissionAdvice(action, message) }];
    }
    // Said once for all of AWS.
    if (faultKind(code) === 'transient') return [];
    const mend = 'create it with its EventBridge rules, or leave the setting out and EC2 is polled';
    const problem = `setting interruptionQueue: SQS has no queue ${interruptionQueue} in ${region} (${code}); ${mend}`;
    return [{ code: 'QueueMissing', message: problem }];
  }
}

interface ExaminedCluster {
  readonly server: ServerInfo;
  readonly nodeClasses: readonly NodeClass[];
  readonly findings: readonly Finding[];
}

/** Stands for a cluster that could not be asked: the account can be looked at all the same. */
const UNKNOWN_SERVER: ServerInfo = {
  kubernetesVersion: '',
  serviceCidr: null,
  clusterCa: null,
  endpoint: '',
};

async function examineCluster(settings: RunSettings): Promise<ExaminedCluster> {
  let server: ServerInfo;
  let reading: ClusterReading;
  try {
    const connection = await connectKube({ kubeconfig: settings.kubeconfig ?? undefined, env: process.env });
    const options = { timeoutMs: KUBE_TIMEOUT_MS, timing: REAL_TIMING, userAgent: `cooper/${VERSION}` };
    const transport = new KubeTransport(connection, options);
    server = await readServerInfo(transport, connection);
    reading = await readClusterObjects(transport);
  } catch (failure) {
    const mend = 'check kubeconfig, KUBECONFIG or the service account, and the way to the server';
    const message = `the Kubernetes API server cannot be used (${messageOf(failure)}); ${mend}`;
    return {
      server: UNKNOWN_SERVER,
      nodeClasses: [],
      findings: [{ code: 'KubernetesUnreachable', message }],
    };
  }
  const endpoint = await endpointFinding(settings.clusterEndpoint);
  return { server, nodeClasses: reading.nodeClasses, findings: [...endpoint, ...reading.findings] };
}

/** Nodes join by this address; any answer will do, whatever its certificate. */
async function endpointFinding(clusterEndpoint: string | null): Promise<readonly Finding[]> {
  if (clusterEndpoint === null) return [];
  try {
    await fetch(`${clusterEndpoint}/livez`, { signal: AbortSignal.timeout(ENDPOINT_TIMEOUT_MS) });
    return [];
  } catch (failure) {
    const { code = '' } = ((failure as { cause?: unknown }).cause ?? {}) as { readonly code?: string };
    const isAnswered = /CERT|SELF_SIGNED|UNABLE_TO_|TLS/.test(code);
    if (isAnswered) return [];
    const mend = "set it to the cluster's API server, or leave it out";
    const problem = `${clusterEndpoint} does not answer (${code || messageOf(failure)})`;
    const message = `setting clusterEndpoint: ${problem}; ${mend}`;
    return [{ code: 'ClusterEndpointUnreachable', message }];
  }
}

function messageOf(failure: unknown): string {
  return failure instanceof Error ? failure.message : String(failure);
}
