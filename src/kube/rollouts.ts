// Deployments, as far as a drain rolls them.
import { controllingOwner } from '../api/objects/metadata.ts';
import { asRaw, numberIn, objectIn, type Raw, textIn, timeMsIn } from '../api/objects/raw.ts';
import type { OwnerReference } from '../model/pod.ts';
import type { Rollout } from '../model/workloads.ts';
import { RESOURCE } from './apiTarget.ts';
import type { KubeTransport } from './transport.ts';

/** What `kubectl rollout restart` writes into the pod template: a change of it starts a rollout. */
const RESTARTED_AT = 'kubectl.kubernetes.io/restartedAt';
/** Both parts of a rolling update when absent. Source: Kubernetes, "Deployments", rolling update. */
const DEFAULT_SHARE = '25%';

interface OwnedPod {
  readonly namespace: string;
  readonly owner: OwnerReference | null;
}

/** The Deployment above the pod's ReplicaSet; null when there is none, 'forbidden' without the right to look. */
export async function readRollout(
  transport: KubeTransport,
  { namespace, owner }: OwnedPod,
): Promise<Rollout | null | 'forbidden'> {
  if (owner?.kind !== 'ReplicaSet') return null;
  const set = await readOne(transport, { ...RESOURCE.replicaSets, namespace, name: owner.name });
  if (set === null || set === 'forbidden') return set;
  const above = controllingOwner(objectIn(set, 'metadata') ?? {});
  if (above?.kind !== 'Deployment') return null;
  const deployment = await readOne(transport, { ...RESOURCE.deployments, namespace, name: above.name });
  if (deployment === null || deployment === 'forbidden') return deployment;
  const { uid } = above;
  // Another Deployment may have come under that name.
  return textIn(objectIn(deployment, 'metadata'), 'uid') === uid
    ? rolloutOf(deployment, { namespace, name: above.name, uid })
    : null;
}

/** Starts a rollout of this very Deployment, as `kubectl rollout restart` does; 'gone' also when it may not. */
export async function restartRollout(
  transport: KubeTransport,
  { namespace, name, uid }: Rollout,
  atMs: number,
): Promise<'restarted' | 'gone'> {
  const target = { ...RESOURCE.deployments, namespace, name };
  const annotations = { [RESTARTED_AT]: new Date(atMs).toISOString() };
  const body = { metadata: { uid }, spec: { template: { metadata: { annotations } } } };
  const expected = [403, 404, 409, 422];
  const { status } = await transport.call({ verb: 'patch', target, body, expected });
  return status >= 400 ? 'gone' : 'restarted';
}

async function readOne(
  transport: KubeTransport,
  target: Parameters<KubeTransport['call']>[0]['target'],
): Promise<Raw | null | 'forbidden'> {
  const { status, body } = await transport.call({ verb: 'get', target, expected: [403, 404] });
  if (status === 403) return 'forbidden';
  return status === 404 ? null : asRaw(body);
}

function rolloutOf(raw: Raw, id: Pick<Rollout, 'namespace' | 'name' | 'uid'>): Rollout {
  const spec = objectIn(raw, 'spec');
  const annotations = objectIn(objectIn(objectIn(spec, 'template'), 'metadata'), 'annotations');
  const replicas = numberIn(spec, 'replicas') ?? 1;
  return {
    ...id,
    replicas,
    surges: surges(spec, replicas),
    restartedAtMs: timeMsIn(annotations, RESTARTED_AT),
  };
}

/** True when a rollout makes a new pod before it deletes an old one. Shares of surge round up, those missing down. */
function surges(spec: Raw | null, replicas: number): boolean {
  const strategy = objectIn(spec, 'strategy');
  if (spec?.paused === true || (textIn(strategy, 'type') || 'RollingUpdate') !== 'RollingUpdate')
    return false;
  const rolling = objectIn(strategy, 'rollingUpdate');
  const mayMiss = Math.floor(amountOf(rolling?.maxUnavailable, replicas));
  return mayMiss === 0 && Math.ceil(amountOf(rolling?.maxSurge, replicas)) > 0;
}

function amountOf(value: unknown, replicas: number): number {
  const text = String(value ?? DEFAULT_SHARE);
  return text.endsWith('%') ? (Number(text.slice(0, -1)) / 100) * replicas : Number(text);
}
