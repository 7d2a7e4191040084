// What the cluster holds of Provisioners and AWSNodeTemplates, and what is wrong with them.
import { parseAwsNodeTemplate } from '../api/nodeClasses.ts';
import { asRaw } from '../api/objects/raw.ts';
import { describeObjectProblem, type Parsed } from '../api/parsed.ts';
import { parseProvisioner } from '../api/provisioners.ts';
import type { Finding } from '../aws/accountChecks.ts';
import { type ApiResource, describeResource, RESOURCE } from '../kube/apiTarget.ts';
import type { KubeTransport } from '../kube/transport.ts';
import { type NodeClass, nodeClassKey } from '../model/nodeClass.ts';

export interface ClusterReading {
  /** Those that Provisioners use. */
  readonly nodeClasses: readonly NodeClass[];
  readonly findings: readonly Finding[];
}

/** Throws KubeApiError when the server cannot be reached. */
export async function readClusterObjects(transport: KubeTransport): Promise<ClusterReading> {
  const [provisioners, templates, claims] = await Promise.all([
    listOf(transport, RESOURCE.provisioners),
    listOf(transport, RESOURCE.nodeTemplates),
    listOf(transport, RESOURCE.nodeClaims),
  ]);
  const findings = [provisioners, templates, claims].flatMap((list) => list.findings);
  const parsed = validOf('Provisioner', provisioners.items, parseProvisioner);
  const classes = validOf('AWSNodeTemplate', templates.items, parseAwsNodeTemplate);
  const byKey = new Map(classes.values.map((one) => [one.key, one]));
  const used = new Map<string, NodeClass>();
  const missing: Finding[] = [];
  for (const { provisioner, nodeClass } of parsed.values) {
    const key = nodeClassKey(provisioner.nodeClassRef);
    const found = nodeClass ?? byKey.get(key);
    if (found !== undefined) used.set(key, found);
    else if (!classes.faulty.has(provisioner.nodeClassRef.name)) {
      const { name } = provisioner.nodeClassRef;
      const problem = `spec.providerRef names AWSNodeTemplate "${name}", which is missing; apply it`;
      const message = `Provisioner "${provisioner.name}": ${problem}`;
      missing.push({ code: 'NodeTemplateMissing', message });
    }
  }
  const all = [...findings, ...parsed.findings, ...classes.findings, ...missing];
  if (all.length === 0 && used.size === 0) all.push(NO_PROVISIONER);
  return { nodeClasses: [...used.values()], findings: all };
}

const NO_PROVISIONER: Finding = {
  code: 'ProvisionerMissing',
  message: 'the cluster has no Provisioner, so no pod gets a node; apply one',
};

interface Listed {
  readonly items: readonly unknown[];
  readonly findings: readonly Finding[];
}

async function listOf(transport: KubeTransport, target: ApiResource): Promise<Listed> {
  const { status, body } = await transport.call({ verb: 'list', target, expected: [403, 404] });
  const name = describeResource(target);
  if (status === 404) {
    const message = `the API server knows no ${name}; install the chart cooper-crd`;
    return { items: [], findings: [{ code: 'CrdMissing', message }] };
  }
  if (status === 403) {
    const message = `RBAC forbids listing ${name}; install the chart's ClusterRole and its binding`;
    return { items: [], findings: [{ code: 'RbacMissing', message }] };
  }
  const items: unknown = asRaw(body)?.items;
  return { items: Array.isArray(items) ? items : [], findings: [] };
}

interface Valid<T> {
  readonly values: readonly T[];
  readonly findings: readonly Finding[];
  /** Names of those that cannot be used. */
  readonly faulty: ReadonlySet<string>;
}

function validOf<T>(
  kind: string,
  items: readonly unknown[],
  parse: (manifest: unknown) => Parsed<T>,
): Valid<T> {
  const values: T[] = [];
  const findings: Finding[] = [];
  const faulty = new Set<string>();
  for (const item of items) {
    const parsed = parse(item);
    if (parsed.kind === 'valid') values.push(parsed.value);
    else {
      faulty.add(parsed.name);
      for (const problem of parsed.problems) {
        findings.push({ code: 'ObjectInvalid', message: describeObjectProblem(kind, parsed.name, problem) });
      }
    }
  }
  return { values, findings, faulty };
}
