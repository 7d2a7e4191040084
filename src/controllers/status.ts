// What users read off their own objects: capacity in use, whether the object can be used, and why not.
import { LABEL } from '../model/labels.ts';
import { nodeClassKey } from '../model/nodeClass.ts';
import type { Provisioner } from '../model/provisioner.ts';
import { addResources, NO_RESOURCES, type Resources } from '../model/resources.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import type { StatusCondition } from '../ports/kubeApi.ts';
import type { Ports } from '../ports/ports.ts';
import { readCatalogue } from './catalogue.ts';
import type { LiveState } from './liveState.ts';
import type { NextRun } from './nextRun.ts';

/** An object that was refused at the door. */
export interface InvalidObject {
  readonly kind: 'Provisioner' | 'AWSNodeTemplate' | 'NodeClaim';
  readonly name: string;
  readonly uid: string;
  /** Each names field and mend. */
  readonly problems: readonly string[];
}

/** How often readiness is looked at again when nothing changes: subnets and images come and go in AWS. */
const LOOK_AGAIN_MS = 60_000;

export class StatusMemory {
  /** What was written last, by object: nothing is written twice. */
  readonly written = new Map<string, string>();
  readonly invalid = new Map<string, InvalidObject>();

  noteInvalid(object: InvalidObject): void {
    this.invalid.set(`${object.kind}/${object.name}`, object);
  }
}

/** Writes the status of every Provisioner, and of node templates that cannot be used, where it has changed. */
export async function reportStatus(ports: Ports, live: LiveState, memory: StatusMemory): Promise<NextRun> {
  const snapshot = live.snapshot();
  const { notReady } = await readCatalogue(ports.cloud, snapshot);
  const used = resourcesByProvisioner(snapshot);
  for (const provisioner of snapshot.provisioners) {
    memory.invalid.delete(`Provisioner/${provisioner.name}`);
    const problem = notReady.get(provisioner.name);
    const resources = used.get(provisioner.name) ?? NO_RESOURCES;
    const condition = activeCondition(problem ?? null);
    const changed = await writeProvisioner(ports, memory, provisioner.name, { resources, condition });
    if (changed && problem !== undefined) await tellProvisioner(ports, provisioner, problem);
    measure(ports, provisioner, resources);
    const claims = snapshot.nodeClaims.filter(({ spec }) => spec.provisioner === provisioner.name);
    const usdPerHour = claims.reduce((sum, { status }) => sum + (status.usdPerHour ?? 0), 0);
    ports.telemetry.metrics.gauge(
      'cooper_provisioner_usd_per_hour',
      { provisioner: provisioner.name },
      usdPerHour,
    );
  }
  for (const { key } of snapshot.nodeClasses) {
    const name = templateName(key);
    if (name === null) continue;
    memory.invalid.delete(key);
    await writeTemplate(ports, memory, name, activeCondition(null));
  }
  for (const object of memory.invalid.values()) await reportInvalid(ports, memory, object);
  return { afterMs: LOOK_AGAIN_MS };
}

/** Capacity of every node that carries the Provisioner's name, and of claims whose node is still to come. */
export function resourcesByProvisioner(snapshot: ClusterSnapshot): ReadonlyMap<string, Resources> {
  const used = new Map<string, Resources>();
  const add = (provisioner: string, resources: Resources): void => {
    used.set(provisioner, addResources(used.get(provisioner) ?? NO_RESOURCES, resources));
  };
  const joined = new Set<string>();
  for (const node of snapshot.nodes) {
    const provisioner = node.labels[LABEL.provisioner];
    if (provisioner === undefined) continue;
    joined.add(node.providerId);
    add(provisioner, node.capacity);
  }
  for (const { spec, status } of snapshot.nodeClaims) {
    if (!joined.has(status.providerId)) add(spec.provisioner, status.capacity);
  }
  return used;
}

type Verdict = Omit<StatusCondition, 'sinceMs'>;

function activeCondition(problem: { readonly reason: string; readonly message: string } | null): Verdict {
  if (problem === null) return { type: 'Active', status: 'True', reason: 'Ready', message: '' };
  return { type: 'Active', status: 'False', reason: problem.reason, message: problem.message };
}

function writeProvisioner(
  ports: Ports,
  memory: StatusMemory,
  name: string,
  { resources, condition }: { readonly resources: Resources; readonly condition: Verdict },
): Promise<boolean> {
  return writeChanged(memory, `Provisioner/${name}`, { resources, condition }, () => {
    const conditions = [{ ...condition, sinceMs: ports.clock.nowMs() }];
    return ports.kube.writeProvisionerStatus(name, { resources, conditions });
  });
}

function writeTemplate(
  ports: Ports,
  memory: StatusMemory,
  name: string,
  condition: Verdict,
): Promise<boolean> {
  return writeChanged(memory, `AWSNodeTemplate/${name}`, condition, () =>
    ports.kube.writeNodeTemplateStatus(name, [{ ...condition, sinceMs: ports.clock.nowMs() }]),
  );
}

/** Name of the AWSNodeTemplate behind a node class key, null for inline ones. */
function templateName(key: string): string | null {
  const prefix = nodeClassKey({ kind: 'AWSNodeTemplate', name: '' });
  return key.startsWith(prefix) ? key.slice(prefix.length) : null;
}

async function reportInvalid(ports: Ports, memory: StatusMemory, object: InvalidObject): Promise<void> {
  const { kind, name, uid, problems } = object;
  const message = problems.join('; ');
  const condition: Verdict = { type: 'Active', status: 'False', reason: 'Invalid', message };
  const told = await writeInvalid(ports, memory, object, condition);
  if (!told) return;
  ports.telemetry.log.warn({ kind, name, problems }, 'object cannot be used');
  const about = { kind, namespace: '', name, uid };
  await ports.kube.publishEvent({ about, type: 'Warning', reason: 'Invalid', message });
}

function writeInvalid(
  ports: Ports,
  memory: StatusMemory,
  { kind, name }: InvalidObject,
  condition: Verdict,
): Promise<boolean> {
  switch (kind) {
    case 'Provisioner':
      return writeProvisioner(ports, memory, name, { resources: NO_RESOURCES, condition });
    case 'AWSNodeTemplate':
      return writeTemplate(ports, memory, name, condition);
    case 'NodeClaim':
      return writeChanged(memory, `NodeClaim/${name}`, condition, async () => {}); // the event is all there is
  }
}

async function tellProvisioner(
  ports: Ports,
  { name, uid }: Provisioner,
  problem: { readonly reason: string; readonly message: string },
): Promise<void> {
  const about = { kind: 'Provisioner' as const, namespace: '', name, uid };
  ports.telemetry.log.warn({ provisioner: name, ...problem }, 'provisioner is not ready');
  await ports.kube.publishEvent({ about, type: 'Warning', ...problem });
}

/** Writes only what differs from what was written last; returns true when it wrote. */
async function writeChanged(
  memory: StatusMemory,
  key: string,
  value: unknown,
  write: () => Promise<unknown>,
): Promise<boolean> {
  const text = JSON.stringify(value);
  if (memory.written.get(key) === text) return false;
  await write();
  memory.written.set(key, text);
  return true;
}

function measure(ports: Ports, { name, limits }: Provisioner, used: Resources): void {
  const { metrics } = ports.telemetry;
  for (const [resource, amount] of Object.entries(used)) {
    metrics.gauge('karpenter_provisioner_usage', { provisioner: name, resource_type: resource }, amount);
  }
  for (const [resource, limit] of Object.entries(limits ?? {})) {
    const labels = { provisioner: name, resource_type: resource };
    metrics.gauge('karpenter_provisioner_limit', labels, limit);
    metrics.gauge(
      'karpenter_provisioner_usage_pct',
      labels,
      limit === 0 ? 0 : (100 * (used[resource] ?? 0)) / limit,
    );
  }
}
