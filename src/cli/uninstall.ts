// `cooper uninstall`: finds what an uninstallation has left behind, and frees it.
import type { Ec2Api, Ec2Instance } from '../aws/ec2Api.ts';
import { connectEc2 } from '../aws/sdkEc2.ts';
import { ownLaunchTemplates } from '../aws/sdkLeftovers.ts';
import { CLAIM_UID_TAG, clusterTag } from '../aws/tags.ts';
import { connectKube } from '../kube/connect.ts';
import { deleteWithFinalizer, isLeaseRenewed, readLeftClaims, readLeftNodes } from '../kube/leftovers.ts';
import { REAL_TIMING } from '../kube/timing.ts';
import { KubeTransport } from '../kube/transport.ts';
import { EXIT } from './exitCodes.ts';
import { readSettings } from './settings.ts';
import {
  describeStep,
  type Leftovers,
  OWNER_TAG,
  type UninstallStep,
  uninstallSteps,
} from './uninstallPlan.ts';
import { VERSION } from './version.ts';

const KUBE_TIMEOUT_MS = 10_000;
const LIVING_STATES = ['pending', 'running', 'stopping', 'stopped'];

export interface UninstallFlags {
  readonly clusterName?: string;
  readonly region?: string;
  readonly kubeconfig?: string;
  readonly leaderElectionName?: string;
  readonly leaderElectionNamespace?: string;
  /** Also what is in good order. */
  readonly all?: boolean;
  /** Carry it out; otherwise it is only told. */
  readonly yes?: boolean;
}

/** Prints the steps, and carries them out with `--yes`. 1 when a controller runs or a step has failed. */
export async function uninstallCommand(
  { all = false, yes = false, ...flags }: UninstallFlags,
  writeLine: (line: string) => void,
): Promise<number> {
  const outcome = readSettings({ flags, env: process.env, file: null });
  if (outcome.kind === 'invalid') {
    for (const problem of outcome.problems) writeLine(problem);
    return EXIT.wrongCall;
  }
  const { settings } = outcome;
  const connection = await connectKube({ kubeconfig: settings.kubeconfig ?? undefined, env: process.env });
  const options = { timeoutMs: KUBE_TIMEOUT_MS, timing: REAL_TIMING, userAgent: `cooper/${VERSION}` };
  const transport = new KubeTransport(connection, options);
  const lease = { namespace: settings.leaderElectionNamespace, name: settings.leaderElectionName };
  if (await isLeaseRenewed(transport, lease, REAL_TIMING)) {
    writeLine(
      `a controller holds the Lease ${lease.namespace}/${lease.name}: it frees what is stuck by itself.`,
    );
    writeLine(
      'Uninstall the chart first; to have its nodes go before that, delete the Provisioners and wait.',
    );
    return EXIT.failed;
  }
  const ec2 = connectEc2(settings.region);
  const left: Leftovers = {
    claims: await readLeftClaims(transport),
    nodes: await readLeftNodes(transport),
    instances: (await ownInstances(ec2, settings.clusterName)).map(leftInstance),
    launchTemplates: await ownLaunchTemplates(settings.region, settings.clusterName),
  };
  const steps = uninstallSteps(left, all);
  for (const step of steps) writeLine(describeStep(step));
  if (steps.length === 0) writeLine('nothing is left behind');
  if (steps.length === 0 || !yes) {
    if (steps.length > 0) writeLine('nothing has been done; add --yes to do it');
    return EXIT.done;
  }
  return carryOut(steps, { ec2, transport }, writeLine);
}

function ownInstances(ec2: Ec2Api, clusterName: string): Promise<readonly Ec2Instance[]> {
  return ec2.describeInstances([
    { name: 'tag-key', values: [OWNER_TAG] },
    { name: `tag:${clusterTag(clusterName)}`, values: ['owned'] },
    { name: 'instance-state-name', values: LIVING_STATES },
  ]);
}

function leftInstance({ id, zone, tags }: Ec2Instance): Leftovers['instances'][number] {
  return { id, providerId: `aws:///${zone}/${id}`, nodeClaimUid: tags[CLAIM_UID_TAG] ?? '' };
}

/** A step that fails stops no other, but makes the whole call fail: it can be repeated. */
async function carryOut(
  steps: readonly UninstallStep[],
  { ec2, transport }: { readonly ec2: Ec2Api; readonly transport: KubeTransport },
  writeLine: (line: string) => void,
): Promise<number> {
  let failures = 0;
  for (const step of steps) {
    try {
      await take(step, ec2, transport);
    } catch (failure) {
      failures += 1;
      writeLine(
        `failed: ${describeStep(step)}: ${failure instanceof Error ? failure.message : String(failure)}`,
      );
    }
  }
  writeLine(
    failures === 0
      ? `done: ${steps.length} steps`
      : `${failures} of ${steps.length} steps failed; call it again`,
  );
  return failures === 0 ? EXIT.done : EXIT.failed;
}

async function take(step: UninstallStep, ec2: Ec2Api, transport: KubeTransport): Promise<void> {
  switch (step.kind) {
    case 'terminateInstance':
      await ec2.terminateInstances([step.id]);
      return;
    case 'freeNode':
      return deleteWithFinalizer(transport, 'nodes', step.name);
    case 'releaseClaim':
      return deleteWithFinalizer(transport, 'nodeClaims', step.name);
    case 'deleteLaunchTemplate':
      return ec2.deleteLaunchTemplate(step.name);
  }
}
