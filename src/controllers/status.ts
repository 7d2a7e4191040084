// What users read off their own objects: capacity in use, whether the object can be used, and why not.
import { instant, nextTurnMs } from '../disruption/offHours.ts';
import type { ObjectKind } from '../model/clusterEvent.ts';
import { LABEL } from '../model/labels.ts';
import { nodeClassKey } from '../model/nodeClass.ts';
import type { Provisioner } from '../model/provisioner.ts';
import { NO_RESOURCES, type Resources } from '../model/resources.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import type { StatusCondition } from '../ports/kubeApi.ts';
import type { Ports } from '../ports/ports.ts';
import { isIntended, type NotReady, readCatalogue } from './catalogue.ts';
import { independently } from './concurrently.ts';
import type { LaunchFailuresMemory } from './launchFailures.ts';
import { launchLeaves, withoutPaused } from './launchPauses.ts';
import type { LiveState } from './liveState.ts';
import type { NextRun } from './nextRun.ts';
import { type ShownGauges, showProvisioners } from './provisionerGauges.ts';

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
const FAILED_AGAIN_MS = 5_000;

interface Written {
  /** Which object: one that was deleted and made again is told anew. */
  readonly uid: string;
  readonly text: string;
  readonly verdict: string;
  readonly sinceMs: number;
}

export class StatusMemory {
  /** What was written last, by object: nothing is written twice, and a condition's time moves with its status only. */
  readonly written = new Map<string, Written>();
  readonly invalid = new Map<string, InvalidObject>();
  readonly gauges: ShownGauges = new Map();

  noteInvalid(object: InvalidObject): void {
    this.invalid.set(`${object.kind}/${object.name}`, object);
  }

  /** A NodeClaim has been mended: garbage collection may judge instances again. */
  noteReadable(nodeClaim: string): void {
    this.forget('nodeClaim', nodeClaim);
  }

  /** Forgets an object that was deleted; `key` is the watch's. */
  forget(kind: ObjectKind, key: string): void {
    const names = {
      provisioner: `Provisioner/${key}`,
      nodeClaim: `NodeClaim/${key}`,
      nodeClass: key,
    } as const;
    const name = (names as Partial<Record<ObjectKind, string>>)[kind];
    if (name === undefined) return;
    this.invalid.delete(name);
    this.written.delete(name);
  }

  /** Uids of NodeClaims that cannot be read. */
  unreadableClaims(): readonly string[] {
    return [...this.invalid.values()].flatMap(({ kind, uid }) => (kind === 'NodeClaim' ? [uid] : []));
  }
}

/** Writes the status of every Provisioner and node template where it has changed. One that fails stops no other. */
export async function reportStatus(
  ports: Ports,
  live: LiveState,
  memory: StatusMemory,
  failures: LaunchFailuresMemory,
): Promise<NextRun> {
  const snapshot = live.snapshot();
  await failures.learnImages(ports, snapshot);
  const leaves = launchLeaves(snapshot, failures);
  const sold = await readCatalogue(ports.cloud, snapshot);
  const { notReady } = withoutPaused(sold, leaves, { evenOne: false });
  const used = resourcesByProvisioner(snapshot);
  const { provisioners, nodeClaims } = snapshot;
  showProvisioners(ports.telemetry.metrics, memory.gauges, {
    provisioners,
    nodeClaims,
    used,
    paused: new Set(leaves.keys()),
  });
  let next: NextRun = { afterMs: untilLook(snapshot) };
  const failed = (name: string, failure: unknown): void => {
    next = { afterMs: FAILED_AGAIN_MS };
    ports.telemetry.log.error({ object: name, error: String(failure) }, 'status not written');
  };
  const reportProvisioner = async (provisioner: Provisioner): Promise<void> => {
    memory.invalid.delete(`Provisioner/${provisioner.name}`);
    await failures.store(ports, provisioner);
    const problem = notReady.get(provisioner.name);
    const resources = used.get(provisioner.name) ?? NO_RESOURCES;
    const verdict = activeCondition(problem ?? null, offFrom(provisioner, snapshot.takenAtMs));
    const changed = await writeProvisioner(ports, memory, provisioner, { resources, verdict });
    if (changed && problem !== undefined) await tellProvisioner(ports, provisioner, problem);
  };
  await independently(snapshot.provisioners, 1, reportProvisioner, ({ name }, failure) =>
    failed(name, failure),
  );
  await independently(
    snapshot.nodeClasses,
    1,
    ({ key }) => reportTemplate(ports, memory, key, templateVerdict(key, snapshot, notReady)),
    ({ key }, failure) => failed(key, failure),
  );
  await independently(
    [...memory.invalid.values()],
    1,
    (object) => reportInvalid(ports, memory, object),
    ({ name }, failure) => failed(name, failure),
  );
  return next;
}

/** In a while, or when a Provisioner goes off or on if that is sooner. */
function untilLook({ provisioners, takenAtMs }: ClusterSnapshot): number {
  return provisioners.reduce(
    (soonest, one) => Math.min(soonest, nextTurnMs(one, takenAtMs) - takenAtMs),
    LOOK_AGAIN_MS,
  );
}

/** A template is as good as the Provisioners that name it can make it; one that none names is taken at its word. */
function templateVerdict(
  key: string,
  { provisioners }: ClusterSnapshot,
  notReady: ReadonlyMap<string, NotReady>,
): Verdict {
  const users = provisioners.filter(({ nodeClassRef }) => nodeClassKey(nodeClassRef) === key);
  const problem = users
    .map(({ name }) => notReady.get(name))
    .find((one) => one !== undefined && !isIntended(one));
  return activeCondition(problem ?? null);
}

/** Capacity of every node that carries the Provisioner's name, and of claims whose node is still to come. */
export function resourcesByProvisioner(snapshot: ClusterSnapshot): ReadonlyMap<string, Resources> {
  const used = new Map<string, Record<string, number>>();
  const add = (provisioner: string, resources: Resources): void => {
    const sum = used.get(provisioner) ?? {};
    used.set(provisioner, sum);
    for (const name in resources) sum[name] = (sum[name] ?? 0) + (resources[name] ?? 0);
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

/** When a Provisioner that is on goes off; '' when it never does. */
function offFrom(provisioner: Provisioner, nowMs: number): string {
  const turnMs = nextTurnMs(provisioner, nowMs);
  return Number.isFinite(turnMs) ? `off from ${instant(turnMs)} on by spec.schedule` : '';
}

type Verdict = Omit<StatusCondition, 'sinceMs'>;

function activeCondition(
  problem: { readonly reason: string; readonly message: string } | null,
  message = '',
): Verdict {
  if (problem === null) return { type: 'Active', status: 'True', reason: 'Ready', message };
  return { type: 'Active', status: 'False', reason: problem.reason, message: problem.message };
}

interface Described {
  readonly name: string;
  readonly uid: string;
}

function writeProvisioner(
  ports: Ports,
  memory: StatusMemory,
  { name, uid }: Described,
  { resources, verdict }: { readonly resources: Resources; readonly verdict: Verdict },
): Promise<boolean> {
  const told = { key: `Provisioner/${name}`, uid, verdict, more: resources };
  return writeChanged(ports, memory, told, (condition) =>
    ports.kube.writeProvisionerStatus(name, { resources, conditions: [condition] }),
  );
}

function writeTemplate(
  ports: Ports,
  memory: StatusMemory,
  { name, uid }: Described,
  verdict: Verdict,
): Promise<boolean> {
  return writeChanged(ports, memory, { key: `AWSNodeTemplate/${name}`, uid, verdict }, (condition) =>
    ports.kube.writeNodeTemplateStatus(name, [condition]),
  );
}

async function reportTemplate(
  ports: Ports,
  memory: StatusMemory,
  key: string,
  verdict: Verdict,
): Promise<void> {
  const prefix = nodeClassKey({ kind: 'AWSNodeTemplate', name: '' });
  if (!key.startsWith(prefix)) return; // inline in a Provisioner, and told there
  memory.invalid.delete(key);
  await writeTemplate(ports, memory, { name: key.slice(prefix.length), uid: '' }, verdict);
}

async function reportInvalid(ports: Ports, memory: StatusMemory, object: InvalidObject): Promise<void> {
  const { kind, name, uid, problems } = object;
  const message = problems.join('; ');
  const told = await writeInvalid(ports, memory, object, {
    type: 'Active',
    status: 'False',
    reason: 'Invalid',
    message,
  });
  if (!told) return;
  ports.telemetry.log.warn({ kind, name, problems }, 'object cannot be used');
  const about = { kind, namespace: '', name, uid };
  await ports.kube.publishEvent({ about, type: 'Warning', reason: 'Invalid', message });
}

function writeInvalid(
  ports: Ports,
  memory: StatusMemory,
  object: InvalidObject,
  verdict: Verdict,
): Promise<boolean> {
  switch (object.kind) {
    case 'Provisioner':
      return writeProvisioner(ports, memory, object, { resources: NO_RESOURCES, verdict });
    case 'AWSNodeTemplate':
      return writeTemplate(ports, memory, object, verdict);
    case 'NodeClaim': // the event is all there is
      return writeChanged(
        ports,
        memory,
        { key: `NodeClaim/${object.name}`, uid: object.uid, verdict },
        async () => {},
      );
  }
}

async function tellProvisioner(
  ports: Ports,
  { name, uid }: Provisioner,
  problem: { readonly reason: string; readonly message: string },
): Promise<void> {
  const about = { kind: 'Provisioner' as const, namespace: '', name, uid };
  const isWanted = isIntended(problem);
  ports.telemetry.log[isWanted ? 'info' : 'warn'](
    { provisioner: name, ...problem },
    'provisioner is not ready',
  );
  await ports.kube.publishEvent({ about, type: isWanted ? 'Normal' : 'Warning', ...problem });
}

interface Told {
  readonly key: string;
  readonly uid: string;
  readonly verdict: Verdict;
  readonly more?: unknown;
}

/** Writes only what differs from what was written last; returns true when it wrote. */
async function writeChanged(
  { clock }: Ports,
  { written }: StatusMemory,
  { key, uid, verdict, more }: Told,
  write: (condition: StatusCondition) => Promise<unknown>,
): Promise<boolean> {
  const text = JSON.stringify({ verdict, more });
  const held = written.get(key);
  if (held?.uid === uid && held.text === text) return false;
  const unmoved = held?.uid === uid && held.verdict === verdict.status;
  const sinceMs = unmoved ? held.sinceMs : clock.nowMs();
  await write({ ...verdict, sinceMs });
  written.set(key, { uid, text, verdict: verdict.status, sinceMs });
  return true;
}
