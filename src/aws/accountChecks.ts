// What an account must have before a node can be launched in it, asked for without launching anything.
import type { NodeClass } from '../model/nodeClass.ts';
import type { Clock } from '../ports/clock.ts';
import type { BootImage } from './amis.ts';
import { AwsFault, faultKind, permissionAdvice } from './awsFault.ts';
import type { Ec2Api, Subnet } from './ec2Api.ts';
import { DEFAULT_AMI_FAMILY } from './instanceTypes.ts';
import { NodeClasses } from './nodeClasses.ts';
import { reservationFilters } from './reservations.ts';
import { fieldOf, writeSelector } from './selectors.ts';
import type { AwsSettings } from './settings.ts';
import type { SsmApi } from './ssmApi.ts';

/** One thing that is wrong, in one sentence with object, field and mend. */
export interface Finding {
  /** Stable: people look it up and alert on it. */
  readonly code: string;
  readonly message: string;
}

/** A call that EC2 is asked about, and not asked to carry out. */
export interface DryRun {
  /** IAM name, `ec2:CreateFleet`. */
  readonly action: string;
  /** Resolves when the call would be allowed; throws `AwsFault` otherwise. */
  ask(): Promise<void>;
}

export interface TrialLaunch {
  readonly imageId: string;
  readonly arch: 'amd64' | 'arm64';
  readonly subnetId: string;
  readonly securityGroupIds: readonly string[];
  readonly instanceProfile: string;
}

/** Calls that only checks make. Every method throws `AwsFault`. */
export interface CheckApi {
  /** Every call that the controller makes, as far as EC2 can be asked without an instance at hand. */
  readonly dryRuns: readonly DryRun[];
  /** RunInstances, dry: EC2 looks at image, network, instance profile and at the right to pass its role. */
  tryLaunch(trial: TrialLaunch): Promise<void>;
  /** VPC by id of each of these subnets. */
  subnetVpcs(ids: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** VPC by id of each of these security groups. */
  groupVpcs(ids: readonly string[]): Promise<ReadonlyMap<string, string>>;
}

export interface AccountChecks {
  readonly ec2: Ec2Api;
  readonly ssm: SsmApi;
  readonly checks: CheckApi;
  readonly clock: Clock;
  readonly settings: AwsSettings;
}

/** Everything wrong with the account as these node classes need it; empty when nothing is. */
export async function checkAccount(
  account: AccountChecks,
  nodeClasses: readonly NodeClass[],
): Promise<readonly Finding[]> {
  const refused = await checkPermissions(account.checks);
  // Without credentials or a way to EC2 every other answer would be the same.
  if (refused.some(({ code }) => code === 'CredentialsRefused' || code === 'AwsUnreachable')) return refused;
  const looked = new NodeClasses(account, account.clock, account.settings);
  const found = await Promise.all(nodeClasses.map((one) => checkNodeClass(account, looked, one)));
  return distinct([...refused, ...found.flat()]);
}

/** Each call of the controller that EC2 would refuse. */
export async function checkPermissions(checks: CheckApi): Promise<readonly Finding[]> {
  const found = await Promise.all(checks.dryRuns.map((one) => refusalOf(() => one.ask())));
  return distinct(found.flat());
}

async function refusalOf(ask: () => Promise<void>): Promise<readonly Finding[]> {
  try {
    await ask();
    return [];
  } catch (caught) {
    const finding = findingOf(caught);
    return finding === null ? [] : [finding];
  }
}

const NO_CREDENTIALS: ReadonlySet<string> = new Set([
  'CredentialsProviderError',
  'InvalidClientTokenId',
  'UnrecognizedClientException',
  'ExpiredToken',
  'AuthFailure',
  'SignatureDoesNotMatch',
]);

/** Null for a refusal that has nothing to do with rights or the way to AWS: a dry run names things that are not. */
function findingOf(caught: unknown): Finding | null {
  if (!(caught instanceof AwsFault)) throw caught;
  const { action, code, message } = caught;
  if (NO_CREDENTIALS.has(code)) {
    const mend = 'give the pod a role (EKS Pod Identity or IRSA), or set AWS_PROFILE';
    return { code: 'CredentialsRefused', message: `AWS takes no credentials of ours (${code}); ${mend}` };
  }
  if (faultKind(code) === 'permission') {
    return { code: 'PermissionMissing', message: permissionAdvice(action, message) };
  }
  if (faultKind(code) !== 'transient') return null;
  const mend = 'check region, AWS_ENDPOINT_URL, VPC endpoints and the way out of the subnet';
  return { code: 'AwsUnreachable', message: `AWS cannot be reached (${code}: ${message}); ${mend}` };
}

async function checkNodeClass(
  account: AccountChecks,
  looked: NodeClasses,
  nodeClass: NodeClass,
): Promise<readonly Finding[]> {
  try {
    const resolved = await looked.resolve(nodeClass);
    if (resolved.kind === 'notReady') return [{ code: resolved.reason, message: resolved.message }];
    const { subnets, securityGroupIds, boot } = resolved.value;
    const network = await checkNetwork(account.checks, nodeClass, subnets, securityGroupIds);
    const settings = [
      ...checkSettings(account.settings, nodeClass),
      ...(await checkReservations(account, nodeClass)),
    ];
    const [image] = boot?.images ?? [];
    if (boot === null || image === undefined || network.length > 0) return [...network, ...settings];
    const launch = await checkLaunch(account.checks, nodeClass, {
      ...trialOf(image, subnets),
      securityGroupIds,
      instanceProfile: boot.instanceProfile,
    });
    return [...settings, ...launch];
  } catch (caught) {
    const finding = findingOf(caught);
    if (finding !== null) return [finding];
    const { action, code, message } = caught as AwsFault;
    return [
      { code: 'LookupRefused', message: `${nodeClass.key}: AWS refused ${action} (${code}: ${message})` },
    ];
  }
}

function trialOf(
  { id, arch }: BootImage,
  subnets: readonly Subnet[],
): Pick<TrialLaunch, 'imageId' | 'arch' | 'subnetId'> {
  return { imageId: id, arch, subnetId: subnets[0]?.id ?? '' };
}

async function checkNetwork(
  checks: CheckApi,
  nodeClass: NodeClass,
  subnets: readonly Subnet[],
  groupIds: readonly string[],
): Promise<readonly Finding[]> {
  const field = fieldOf(nodeClass, 'subnetSelector');
  const full = subnets.filter(({ freeAddresses }) => freeAddresses === 0);
  const fullness = full.map(({ id, zone }): Finding => {
    const mend = 'add a subnet with the same tags, or give addresses back';
    return { code: 'SubnetFull', message: `${field}: ${id} in ${zone} has no free address; ${mend}` };
  });
  const vpcs = await checks.subnetVpcs(subnets.map(({ id }) => id));
  const groupVpcs = await checks.groupVpcs(groupIds);
  const home = new Set(vpcs.values());
  const spread: readonly Finding[] =
    home.size > 1
      ? [
          {
            code: 'SubnetsInManyVpcs',
            message: `${field}: finds subnets of ${home.size} VPCs; select those of the cluster's own alone`,
          },
        ]
      : [];
  const foreign = [...groupVpcs].filter(([, vpc]) => !home.has(vpc));
  const groups = foreign.map(([id, vpc]): Finding => {
    const where = fieldOf(nodeClass, 'securityGroupSelector');
    const mend = 'select a group of that VPC';
    const message = `${where}: ${id} is in ${vpc}, the subnets are in ${[...home].join(', ')}; ${mend}`;
    return { code: 'SecurityGroupInOtherVpc', message };
  });
  return [...fullness, ...spread, ...groups];
}

/** Launches go on without reservations, so a selector that finds none would never be noticed. */
async function checkReservations(
  { ec2, settings }: AccountChecks,
  nodeClass: NodeClass,
): Promise<readonly Finding[]> {
  const selector = nodeClass.capacityReservationSelector ?? {};
  if (Object.keys(selector).length === 0) return [];
  let count = 0;
  const refused = await refusalOf(async () => {
    count = (await ec2.describeCapacityReservations(reservationFilters(selector))).length;
  });
  if (refused.length > 0 || count > 0) return refused;
  const field = fieldOf(nodeClass, 'capacityReservationSelector');
  const mend = 'tag one so, or remove the selector';
  const what = `no active capacity reservation in ${settings.region} matches ${writeSelector(selector)}`;
  return [{ code: 'ReservationsNotFound', message: `${field}: ${what}; ${mend}` }];
}

/** AL2023 nodes are told more of their cluster than others. */
function checkSettings(settings: AwsSettings, nodeClass: NodeClass): readonly Finding[] {
  if (nodeClass.launchTemplate !== null || (nodeClass.amiFamily ?? DEFAULT_AMI_FAMILY) !== 'AL2023')
    return [];
  const missing = (['serviceCidr', 'clusterCaBundle'] as const).filter((name) => settings[name] === null);
  return missing.map((name) => ({
    code: 'SettingMissing',
    message: `setting ${name}: missing, and ${nodeClass.key} boots AL2023, which needs it; set it`,
  }));
}

async function checkLaunch(
  checks: CheckApi,
  nodeClass: NodeClass,
  trial: TrialLaunch,
): Promise<readonly Finding[]> {
  try {
    await checks.tryLaunch(trial);
    return [];
  } catch (caught) {
    const finding = findingOf(caught);
    if (finding !== null) return [finding];
    const { code, message } = caught as AwsFault;
    if (!/instance ?profile/i.test(message)) {
      const refused = `${nodeClass.key}: EC2 would refuse a launch (${code}: ${message})`;
      return [{ code: 'LaunchRefused', message: refused }];
    }
    const field = fieldOf(nodeClass, 'instanceProfile');
    const mend = 'make an instance profile of that name with the node role in it, or name another';
    const unknown = `${field}: IAM has no instance profile ${trial.instanceProfile}; ${mend}`;
    return [{ code: 'InstanceProfileUnknown', message: unknown }];
  }
}

function distinct(findings: readonly Finding[]): readonly Finding[] {
  const byText = new Map(findings.map((finding) => [`${finding.code} ${finding.message}`, finding]));
  return [...byText.values()];
}
