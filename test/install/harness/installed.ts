// A world in which people have installed the chart, with the story's names, and Cooper runs from its image.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Controller } from '../../e2e/harness/controller.ts';
import { CHRIS, deployment } from '../../e2e/harness/story.ts';
import { startWorld, type World } from '../../e2e/harness/world.ts';
import { type AuditLog, auditLogIn } from './audit.ts';
import { CHART, environmentOf, helm, type Manifest, seedValues } from './helm.ts';
import { buildImage, containerController, copyOfTree, type ImageConfig } from './imageTree.ts';

export const NAMESPACE = 'karpenter';
export const RELEASE = 'karpenter';
/** kube-apiserver's name for the chart's ServiceAccount. */
export const USERNAME = `system:serviceaccount:${NAMESPACE}:${RELEASE}`;

/** Kinds that other people's charts bring: accepted whatever they say. */
const FOREIGN_KINDS = [
  { kind: 'ServiceMonitor', plural: 'servicemonitors' },
  { kind: 'PrometheusRule', plural: 'prometheusrules' },
];

export interface Installed {
  readonly world: World;
  readonly audit: AuditLog;
  readonly kubeconfig: string;
  /** Cooper as replica `name`, from a copy of the image's tree, with the environment of the installed Deployment. */
  replica(name: string): Promise<Controller>;
  /** `helm` against this cluster. */
  helm(...args: readonly string[]): Promise<string>;
  /** `helm install` or `helm upgrade --install` with the seed's values and more flags. */
  release(...flags: readonly string[]): Promise<string>;
  stop(): Promise<void>;
}

/** Brings up the world and the image; nothing is installed yet but a namespace of the restricted standard. */
export async function startInstalled(): Promise<Installed> {
  const { root, config } = await buildImage();
  const folder = mkdtempSync(join(tmpdir(), 'cooper-install-'));
  const audit = auditLogIn(folder);
  const enforce = '--enable-admission-plugins=OwnerReferencesPermissionEnforcement';
  const { crdFolder: _notApplied, ...names } = CHRIS;
  const world = await startWorld({ ...names, apiServerArgs: [...audit.apiServerArgs, enforce] });
  const kubeconfig = world.controlPlane.kubeconfigPath;
  const replicas: Controller[] = [];
  await prepareCluster(world);
  return {
    world,
    audit,
    kubeconfig,
    helm: (...args) => helm(args, kubeconfig),
    release: (...flags) =>
      helm(
        [
          ...['upgrade', '--install', RELEASE, CHART, '--namespace', NAMESPACE],
          ...[...seedValues(world.controlPlane.url), ...flags],
        ],
        kubeconfig,
      ),
    async replica(name) {
      const tree = await copyOfTree(root, join(folder, name, 'root'));
      const controller = await replicaIn(world, tree, config);
      replicas.push(controller);
      return controller;
    },
    async stop() {
      for (const controller of replicas) await controller.kill();
      await world.stop();
      if (process.env.COOPER_KEEP === '1') console.error(`logs kept in ${folder}`);
      else rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function prepareCluster(world: World): Promise<void> {
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  await world.kube.create('/api/v1/namespaces', { metadata: { name: NAMESPACE, labels } });
  for (const { kind, plural } of FOREIGN_KINDS) await world.apply(JSON.stringify(openCrd(kind, plural)));
}

function openCrd(kind: string, plural: string): object {
  const schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.monitoring.coreos.com` },
    spec: {
      group: 'monitoring.coreos.com',
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      scope: 'Namespaced',
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
    },
  };
}

async function replicaIn(world: World, root: string, config: ImageConfig): Promise<Controller> {
  const path = `/apis/apps/v1/namespaces/${NAMESPACE}/deployments/${RELEASE}`;
  const installed = await world.kube.get(path);
  if (installed === null) throw new Error('the chart is not installed');
  const { CLUSTER_NAME: _name, ...aws } = world.controllerEnv();
  const { KUBECONFIG: _kubeconfig, CLUSTER_ENDPOINT: _endpoint, ...outside } = aws;
  return containerController({
    root,
    config,
    controlPlane: world.controlPlane,
    namespace: NAMESPACE,
    serviceAccount: RELEASE,
    // Two replicas share this machine's ports, and each pod has its own.
    env: {
      ...environmentOf(installed as unknown as Manifest, NAMESPACE),
      ...outside,
      METRICS_PORT: '0',
      HEALTH_PROBE_PORT: '0',
    },
  });
}

/** The person's one node: it holds Cooper's own pods, a filler, and two nginx pods; the rest stay Pending. */
export async function addStaticNode(world: World): Promise<void> {
  await world.kubelet.addStaticNode({
    name: 'static',
    cpu: '2430m',
    memory: '4000Mi',
    pods: 17,
    instanceType: 't3a.medium',
  });
  await world.apply(
    deployment({ name: 'filler', namespace: 'default', replicas: 1, cpu: '1650m', memory: '256Mi' }),
  );
  await world.untilRunning('default', 1, 30_000);
}
