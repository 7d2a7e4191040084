// What EC2 and SSM answer when they refuse, as one typed error, and what each code means for us.

/** Thrown by Ec2Api and SsmApi for every refusal; `action` is the IAM name, `ec2:CreateFleet`. */
export class AwsFault extends Error {
  readonly action: string;
  readonly code: string;

  constructor(action: string, code: string, message: string) {
    super(message);
    this.name = 'AwsFault';
    this.action = action;
    this.code = code;
  }
}

/** What to do about a code, whoever sent it: a failed call, or an entry of CreateFleet's `Errors`. */
export type FaultKind = 'capacity' | 'permission' | 'transient' | 'missingTemplate' | 'tokenReused' | 'other';

/** EC2 has none of an offering just now. Source: EC2 API Reference, "Error codes"; CreateFleet `Errors`. */
const CAPACITY_CODES: ReadonlySet<string> = new Set([
  'InsufficientInstanceCapacity',
  'InsufficientHostCapacity',
  'InsufficientReservedInstanceCapacity',
  'InsufficientFreeAddressesInSubnet',
  'MaxSpotInstanceCountExceeded',
  'MaxFleetCountExceeded',
  'ReservationCapacityExceeded',
  'SpotMaxPriceTooLow',
  'UnfulfillableCapacity',
  'Unsupported',
  'VcpuLimitExceeded',
  'AuthFailure.ServiceLinkedRoleCreationNotPermitted',
]);

const PERMISSION_CODES: ReadonlySet<string> = new Set([
  'UnauthorizedOperation',
  'AccessDenied',
  'AccessDeniedException',
  'AuthFailure',
  'ExpiredToken',
  'InvalidClientTokenId',
  'OptInRequired',
  'UnrecognizedClientException',
  'CredentialsProviderError',
]);

/** Throttled, lost on the way, or a fault on AWS's side. Source: EC2 API Reference, "Error codes", server errors. */
const TRANSIENT_CODES: ReadonlySet<string> = new Set([
  'RequestLimitExceeded',
  'Throttling',
  'ThrottlingException',
  'ThrottledException',
  'TooManyRequestsException',
  'EC2ThrottledException',
  'BandwidthLimitExceeded',
  'ConcurrentTagAccess',
  'InternalError',
  'InternalFailure',
  'InternalServerError',
  'ServerInternal',
  'ServiceUnavailable',
  'Unavailable',
  'RequestTimeout',
  'RequestTimeoutException',
  'TimeoutError',
  'AbortError',
  'NetworkingError',
  'ECONNREFUSED',
  'ECONNRESET',
  'EAI_AGAIN',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
]);

const MISSING_TEMPLATE_CODES: ReadonlySet<string> = new Set([
  'InvalidLaunchTemplateName.NotFoundException',
  'InvalidLaunchTemplateId.NotFound',
  'InvalidLaunchTemplateId.NotFoundException',
  'InvalidLaunchTemplateId.VersionNotFound',
]);

/** Sorts an error code into what can be done about it. */
export function faultKind(code: string): FaultKind {
  if (CAPACITY_CODES.has(code)) return 'capacity';
  if (PERMISSION_CODES.has(code)) return 'permission';
  if (TRANSIENT_CODES.has(code)) return 'transient';
  if (MISSING_TEMPLATE_CODES.has(code)) return 'missingTemplate';
  return code === 'IdempotentParameterMismatch' ? 'tokenReused' : 'other';
}

/** The fault behind a caught value; anything else is a bug and is thrown on. */
export function awsFault(caught: unknown): AwsFault {
  if (caught instanceof AwsFault) return caught;
  throw caught;
}

/** What a log line says of a fault: of a refusal, the action and the policy line to add; else what AWS said. */
export function faultAdvice({ action, code, message }: AwsFault): string {
  return faultKind(code) === 'permission' ? permissionAdvice(action, message) : message;
}

const FLEET_ACTIONS = ['ec2:CreateFleet', 'ec2:RunInstances', 'ec2:CreateTags', 'iam:PassRole'];

/**
 * One sentence that names the action refused and the policy line to add.
 * EC2 names the action in newer messages; where it only sends an encoded message, all that a fleet needs are named.
 */
export function permissionAdvice(action: string, message: string): string {
  const named = /not authorized to perform: ([\w-]+:\w+)(?: on resource: (\S+))?/.exec(message);
  const actions = named?.[1] ? [named[1]] : action === 'ec2:CreateFleet' ? FLEET_ACTIONS : [action];
  const resource = named?.[2] ?? '*';
  const line = JSON.stringify({ Effect: 'Allow', Action: actions, Resource: resource });
  return `AWS refused ${action}: the controller's IAM policy lacks a statement such as ${line}`;
}
