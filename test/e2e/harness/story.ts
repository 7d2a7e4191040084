// The ground on which stories play: a world with the CRDs, the controller running, and one small static node.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeObject } from './kube.ts';
import { startWorld, type World, type WorldOptions } from './world.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

export const CRD_FOLDER = join(ROOT, 'charts', 'cooper-crd', 'templates');

/** The manifests of a story, byte for byte as a person applies them. */
export function storyManifest(name: string): string {
  return readFileSync(join(import.meta.dirname, '..', 'stories', name), 'utf8');
}

/** Cluster and instance profile of the elastic-nginx story. */
export const CHRIS = {
  cluster: 'chris',
  instanceProfile: 'chris2022090904481313660000000c',
  crdFolder: CRD_FOLDER,
} as const;

/** A world with the story's names; the controller is not started. Free ports, so that worlds can run side by side. */
export function startStory(options: WorldOptions = {}): Promise<World> {
  const controllerEnv = {
    METRICS_PORT: '0',
    HEALTH_PROBE_PORT: '0',
    LOG_LEVEL: 'debug',
    ...options.controllerEnv,
  };
  return startWorld({ ...CHRIS, ...options, controllerEnv });
}

/**
 * The one t3a.medium that the person's Terraform brings: 2 vCPU, 17 pods. A filler takes all but 300m of it, so that
 * two nginx pods of 100m fit beside it and the rest stay Pending.
 */
export async function addFullStaticNode(world: World): Promise<void> {
  await world.kubelet.addStaticNode({
    name: 'static',
    cpu: '1930m',
    memory: '3300Mi',
    pods: 17,
    instanceType: 't3a.medium',
  });
  await world.apply(
    deployment({ name: 'filler', namespace: 'default', replicas: 1, cpu: '1650m', memory: '256Mi' }),
  );
  await world.untilRunning('default', 1, 30_000);
}

export interface DeploymentFields {
  readonly name: string;
  readonly namespace: string;
  readonly replicas: number;
  readonly cpu: string;
  readonly memory: string;
}

/** A Deployment of one container with these requests. */
export function deployment({ name, namespace, replicas, cpu, memory }: DeploymentFields): string {
  return JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'main', image: 'app', resources: { requests: { cpu, memory } } }] },
      },
    },
  });
}

/** The story's Provisioner with other values in its spec; undefined removes a key. */
export function provisioner(changes: Readonly<Record<string, unknown>>, name = 'default'): string {
  return JSON.stringify({
    apiVersion: 'karpenter.sh/v1alpha5',
    kind: 'Provisioner',
    metadata: { name },
    spec: {
      requirements: [{ key: 'karpenter.sh/capacity-type', operator: 'In', values: ['on-demand'] }],
      provider: {
        subnetSelector: { 'kubernetes.io/cluster/chris': '*' },
        securityGroupSelector: { 'kubernetes.io/cluster/chris': '*' },
        instanceProfile: CHRIS.instanceProfile,
      },
      ttlSecondsAfterEmpty: 30,
      ...changes,
    },
  });
}

interface EventObject extends KubeObject {
  readonly reason?: string;
  readonly message?: string;
  readonly note?: string;
  readonly regarding?: { readonly kind: string; readonly name: string };
}

/** Events about objects of a kind, as `reason: message`. */
export async function eventsAbout(world: World, kind: string): Promise<readonly string[]> {
  const events = await world.kube.list<EventObject>('/apis/events.k8s.io/v1/events');
  return events
    .filter((event) => event.regarding?.kind === kind)
    .map((event) => `${event.reason}: ${event.note ?? event.message ?? ''}`);
}

/** When the last pod that counted left the node, and when EC2 was told to terminate its instance; both in epoch ms. */
export async function terminationCallMs(world: World, instanceId: string): Promise<number | null> {
  const calls = await world.moto.calls('TerminateInstances');
  const call = calls.find(({ params }) => JSON.stringify(params).includes(instanceId));
  return call?.startedAtMs ?? null;
}
