// Each example under provisioners/, simulated: what it is for gets the nodes that it promises, and others get none.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { DEFAULT_REGION, type SimulateIo, simulateCommand } from '../../src/cli/simulate.ts';
import type { SimulateReport } from '../../src/cli/simulateReport.ts';

const FOLDER = new URL('../../provisioners/', import.meta.url);

type Node = SimulateReport['nodes'][number];

interface Workload {
  readonly replicas: number;
  readonly cpu: string;
  readonly memory: string;
  readonly more?: object;
  readonly podSpec?: object;
}

function replicaSet(name: string, { replicas, cpu, memory, more = {}, podSpec = {} }: Workload): string {
  const container = { name: 'main', image: 'app', resources: { requests: { cpu, memory, ...more } } };
  const spec = { containers: [container], ...podSpec };
  const labels = { app: name };
  return JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default' },
    spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  });
}

async function simulate(file: string, workload: Workload): Promise<SimulateReport> {
  const texts = new Map([
    ['provisioners.yaml', readFileSync(new URL(file, FOLDER), 'utf8')],
    ['workload.yaml', replicaSet('web', workload)],
  ]);
  const lines: string[] = [];
  const io: SimulateIo = {
    readText: async (path) => texts.get(path) ?? assert.fail(path),
    listFolder: async () => null,
    writeLine: (line) => lines.push(line),
    writeError: (line) => assert.match(line, /spot prices/),
    elapsedMs: () => 0,
    // A Wednesday noon, out of all off-hours.
    nowMs: () => Date.parse('2026-11-25T12:00:00Z'),
  };
  const files = [...texts.keys()];
  const options = {
    files,
    catalogue: null,
    region: DEFAULT_REGION,
    budgetMs: 0,
    atMs: null,
    output: 'json',
  } as const;
  await simulateCommand(options, io);
  return JSON.parse(lines.join('\n')) as SimulateReport;
}

/** Toleration and selector of a pod that belongs on nodes with this label and taint. */
function at(key: string, value: string): object {
  return {
    tolerations: [{ key, operator: 'Equal', value, effect: 'NoSchedule' }],
    nodeSelector: { [key]: value },
  };
}

const SMALL = { replicas: 6, cpu: '500m', memory: '1Gi' };
const SPREAD = {
  topologySpreadConstraints: [
    {
      topologyKey: 'topology.kubernetes.io/zone',
      maxSkew: 1,
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector: { matchLabels: { app: 'web' } },
    },
  ],
};
const familyOf = ({ instanceType }: Node): string => instanceType.replace(/\..*/, '');
const toleratesGpu = { tolerations: [{ key: 'nvidia.com/gpu', operator: 'Exists' }] };

/** By file: pods that it is for, what their nodes are like, and pods that it must not serve. */
const EXAMPLES: Readonly<
  Record<
    string,
    {
      readonly served: Workload;
      readonly nodes: (nodes: readonly Node[]) => void;
      readonly refused?: Workload;
    }
  >
> = {
  'default.yaml': {
    served: SMALL,
    nodes: (nodes) => assert.ok(nodes.every(({ capacityType }) => capacityType === 'on-demand')),
    refused: { ...SMALL, podSpec: { nodeSelector: { 'karpenter.sh/capacity-type': 'spot' } } },
  },
  'hardened.yaml': {
    served: { ...SMALL, podSpec: at('example.com/isolation', 'strict') },
    nodes: (nodes) => assert.ok(nodes.length >= 1),
    refused: SMALL,
  },
  'agent-first.yaml': {
    served: { ...SMALL, podSpec: { nodeSelector: { 'example.com/team': 'any' } } },
    nodes: (nodes) => assert.ok(nodes.every(({ zone }) => /[ab]$/.test(zone))),
    refused: { ...SMALL, podSpec: { nodeSelector: { 'topology.kubernetes.io/zone': 'us-east-1c' } } },
  },
  'spot-with-fallback.yaml': {
    served: SMALL,
    nodes: (nodes) =>
      assert.ok(nodes.every((node) => node.capacityType === 'spot' && /^[cmr]/.test(familyOf(node)))),
  },
  'arm64.yaml': {
    served: {
      ...SMALL,
      podSpec: {
        tolerations: [{ key: 'example.com/arch', operator: 'Equal', value: 'arm64', effect: 'NoSchedule' }],
      },
    },
    nodes: (nodes) => assert.ok(nodes.every((node) => /^[cmr][78]g$/.test(familyOf(node)))),
    refused: SMALL,
  },
  'gpu.yaml': {
    served: { replicas: 2, cpu: '2', memory: '8Gi', more: { 'nvidia.com/gpu': 1 }, podSpec: toleratesGpu },
    nodes: (nodes) => assert.ok(nodes.every((node) => /^g(4dn|5|6)$/.test(familyOf(node)))),
    refused: SMALL,
  },
  'high-availability.yaml': {
    served: { ...SMALL, podSpec: SPREAD },
    nodes: (nodes) => {
      assert.deepEqual([...new Set(nodes.map(({ zone }) => zone))].sort(), [
        'us-east-1a',
        'us-east-1b',
        'us-east-1c',
      ]);
      assert.ok(nodes.every(({ capacityType }) => capacityType === 'on-demand'));
    },
    refused: { replicas: 1, cpu: '20', memory: '1Gi' },
  },
  'off-hours.yaml': {
    served: { ...SMALL, podSpec: at('example.com/hours', 'office') },
    nodes: (nodes) => assert.ok(nodes.every(({ capacityType }) => capacityType === 'spot')),
    refused: SMALL,
  },
  'scale-to-zero.yaml': {
    served: { replicas: 1, cpu: '100m', memory: '128Mi' },
    nodes: (nodes) => {
      assert.equal(nodes.length, 1);
      assert.ok(!/nano|micro|small/.test(nodes[0]?.instanceType ?? ''));
    },
  },
  'teams.yaml': {
    served: { ...SMALL, podSpec: at('example.com/team', 'data') },
    nodes: (nodes) =>
      assert.ok(nodes.every((node) => node.provisioner === 'team-data' && familyOf(node).startsWith('r'))),
    refused: { replicas: 1, cpu: '9', memory: '8Gi', podSpec: at('example.com/team', 'data') },
  },
};

test('every example is simulated here', () => {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'));
  assert.deepEqual(files.sort(), Object.keys(EXAMPLES).sort());
});

for (const [file, { served, nodes, refused }] of Object.entries(EXAMPLES)) {
  test(`${file} serves the pods that it is for`, async () => {
    const report = await simulate(file, served);
    assert.deepEqual(report.refused, []);
    assert.deepEqual(report.invalid, []);
    assert.equal(report.nodes.flatMap(({ pods }) => pods).length, served.replicas);
    nodes(report.nodes);
  });
  if (refused === undefined) continue;
  test(`${file} serves no others`, async () => {
    const report = await simulate(file, refused);
    assert.deepEqual(report.nodes, []);
    assert.equal(report.refused.length, refused.replicas);
  });
}
