// Helm, built from its Go module with the control plane, and the values that people install with.
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { runCommand } from '../../e2e/harness/command.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
export const CHART = join(ROOT, 'charts', 'cooper');
/** Of the control plane that the tests run; a Helm built from its module knows no version by itself. */
const KUBE_VERSION = '1.36.3';

/** A rendered object, as far as tests look at it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

let built: Promise<string> | null = null;

/** Path of the program; builds it unless it is in the cache. */
export function helmProgram(): Promise<string> {
  const script = join(ROOT, 'test/e2e/controlplane/build.sh');
  built ??= runCommand('bash', [script, 'helm'], { showProgress: true }).then((out) =>
    join(out.trim(), 'helm'),
  );
  return built;
}

/** Runs helm; throws with its standard error. */
export async function helm(args: readonly string[], kubeconfig?: string): Promise<string> {
  const options = kubeconfig === undefined ? [] : [`--kubeconfig=${kubeconfig}`];
  return runCommand(await helmProgram(), [...args, ...options]);
}

/** `--set` flags of the seed's `helm_release`: what a person who used Karpenter v0.16 has in Terraform. */
export function seedValues(clusterEndpoint: string): readonly string[] {
  const role = 'arn:aws:iam::123456789012:role/karpenter-controller-chris';
  return [
    ...['--set', `serviceAccount.annotations.eks\\.amazonaws\\.com/role-arn=${role}`],
    ...['--set', 'clusterName=chris', '--set', `clusterEndpoint=${clusterEndpoint}`],
    ...['--set', 'aws.defaultInstanceProfile=chris2022090904481313660000000c', '--set', 'logLevel=debug'],
  ];
}

/** Everything optional, switched on. */
export const ALL_OPTIONS = ['serviceMonitor', 'prometheusRule', 'dashboards', 'networkPolicy'].flatMap(
  (name) => ['--set', `${name}.enabled=true`],
);

/** `helm template` as release `karpenter` in namespace `karpenter`: text and parsed objects. */
export async function renderChart(
  flags: readonly string[],
): Promise<{ readonly text: string; readonly objects: readonly Manifest[] }> {
  const release = [
    'karpenter',
    CHART,
    '--namespace',
    'karpenter',
    '--kube-version',
    KUBE_VERSION,
    '--include-crds',
  ];
  const text = await helm(['template', ...release, ...flags]);
  const objects = parseAllDocuments(text).flatMap((document) => (document.toJS() as Manifest | null) ?? []);
  return { text, objects };
}

/** The one object of a kind (and name). */
export function only(objects: readonly Manifest[], kind: string, name?: string): Manifest {
  const found = objects.filter(
    (one) => one.kind === kind && (name === undefined || one.metadata.name === name),
  );
  const [first] = found;
  if (first === undefined || found.length > 1) throw new Error(`${found.length} objects of kind ${kind}`);
  return first;
}

interface DeploymentShape {
  readonly spec: {
    readonly template: {
      readonly spec: { readonly containers: readonly [{ readonly env: readonly EnvVariable[] }] };
    };
  };
}

interface EnvVariable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly fieldRef: { readonly fieldPath: string } };
}

/** The environment that a Deployment gives its container; the namespace stands in for its field reference. */
export function environmentOf(deployment: Manifest, namespace: string): Readonly<Record<string, string>> {
  const [{ env }] = (deployment as unknown as DeploymentShape).spec.template.spec.containers;
  return Object.fromEntries(env.map(({ name, value }) => [name, value ?? namespace]));
}
