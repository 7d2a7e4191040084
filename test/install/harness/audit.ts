// What was asked of the API server, by whom, and whether it was allowed: from its audit log.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const POLICY = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  // A watch is told when it starts: it may never end.
  omitStages: ['RequestReceived'],
  rules: [{ level: 'Metadata' }],
};

export interface AuditedRequest {
  readonly verb: string;
  readonly group: string;
  /** With its subresource: `pods/eviction`. */
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly status: number;
  readonly allowed: boolean;
}

interface AuditEvent {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number };
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface AuditLog {
  /** Flags of kube-apiserver that make it write the log. */
  readonly apiServerArgs: readonly string[];
  /** Requests for resources by this user, in order. */
  requestsOf(username: string): readonly AuditedRequest[];
}

/** Writes the policy into a folder that must exist. */
export function auditLogIn(folder: string): AuditLog {
  const policy = join(folder, 'audit-policy.json');
  const log = join(folder, 'audit.log');
  writeFileSync(policy, JSON.stringify(POLICY));
  return {
    apiServerArgs: [`--audit-policy-file=${policy}`, `--audit-log-path=${log}`],
    requestsOf: (username) =>
      existsSync(log)
        ? readFileSync(log, 'utf8')
            .split('\n')
            .filter((line) => line.endsWith('}'))
            .map((line) => JSON.parse(line) as AuditEvent)
            .filter(({ user }) => user.username === username)
            .flatMap(requestOf)
        : [],
  };
}

function requestOf({ verb, objectRef, responseStatus, annotations }: AuditEvent): readonly AuditedRequest[] {
  if (objectRef?.resource === undefined) return [];
  const { apiGroup: group = '', resource, subresource, namespace = '', name = '' } = objectRef;
  return [
    {
      verb,
      group,
      resource: subresource === undefined ? resource : `${resource}/${subresource}`,
      namespace,
      name,
      status: responseStatus?.code ?? 0,
      allowed: annotations?.['authorization.k8s.io/decision'] !== 'forbid',
    },
  ];
}

export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/** One right: what remains of a rule when it is taken apart. */
export interface Right {
  readonly group: string;
  readonly resource: string;
  readonly names: readonly string[];
  readonly verb: string;
}

export function rightsOf(rules: readonly PolicyRule[]): readonly Right[] {
  return rules.flatMap(({ apiGroups, resources, resourceNames: names = [], verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) => verbs.map((verb) => ({ group, resource, names, verb }))),
    ),
  );
}

/** Whether a request needs this right, and so would be refused without it. */
export function needs(request: AuditedRequest, { group, resource, names, verb }: Right): boolean {
  return (
    request.group === group &&
    request.resource === resource &&
    request.verb === verb &&
    (names.length === 0 || names.includes(request.name))
  );
}
