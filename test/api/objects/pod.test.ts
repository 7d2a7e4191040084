// Pods: each field that is read, and what odd ones come to.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readDaemonSet } from '../../../src/api/objects/daemonSet.ts';
import { Interner } from '../../../src/api/objects/interner.ts';
import { parsePod, readPod } from '../../../src/api/objects/pod.ts';
import type { Pod, PodSpec } from '../../../src/model/pod.ts';

const CONTAINERS = [{ name: 'a' }];
const META = { namespace: 'shop', name: 'web-1', uid: 'u1', creationTimestamp: '2026-01-01T00:00:10Z' };
const SECOND_10_MS = Date.parse('2026-01-01T00:00:10Z');

function podOf(raw: { metadata?: object; spec?: object; status?: object }): Pod {
  const object = {
    metadata: { ...META, ...raw.metadata },
    spec: { containers: CONTAINERS, ...raw.spec },
    status: raw.status,
  };
  const parsed = parsePod(object, new Interner());
  assert.ok(parsed.kind === 'valid', JSON.stringify(parsed));
  return parsed.value;
}

const PODS: readonly { when: string; raw: Parameters<typeof podOf>[0]; is: Partial<Pod> }[] = [
  {
    when: 'who and when',
    raw: {},
    is: {
      namespace: 'shop',
      name: 'web-1',
      uid: 'u1',
      createdAtMs: SECOND_10_MS,
      phase: 'Pending',
      owner: null,
    },
  },
  {
    when: 'marked unschedulable',
    raw: {
      status: {
        conditions: [
          {
            type: 'PodScheduled',
            status: 'False',
            reason: 'Unschedulable',
            lastTransitionTime: '2026-01-01T00:00:10Z',
          },
        ],
      },
    },
    is: { unschedulableSinceMs: SECOND_10_MS, schedulingGated: false },
  },
  {
    when: 'gated',
    raw: {
      spec: { schedulingGates: [{ name: 'wait' }] },
      status: { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] },
    },
    is: { unschedulableSinceMs: null, schedulingGated: true },
  },
  {
    when: 'bound, running, ready',
    raw: {
      spec: { nodeName: 'ip-1' },
      status: {
        phase: 'Running',
        conditions: [{ type: 'Ready', status: 'True' }],
        nominatedNodeName: 'ip-1',
      },
    },
    is: {
      nodeName: 'ip-1',
      phase: 'Running',
      ready: true,
      nominatedNodeName: 'ip-1',
      unschedulableSinceMs: null,
    },
  },
  {
    when: 'on its way out: asked for a grace period before the end',
    raw: { metadata: { deletionTimestamp: '2026-01-01T00:00:40Z', deletionGracePeriodSeconds: 30 } },
    is: { deletionRequestedAtMs: SECOND_10_MS, deletionGraceSeconds: 30 },
  },
  {
    when: 'the controlling owner only',
    raw: {
      metadata: {
        ownerReferences: [
          { kind: 'Other', name: 'o', uid: 'o' },
          { kind: 'ReplicaSet', name: 'web', uid: 'r', controller: true },
        ],
      },
    },
    is: { owner: { kind: 'ReplicaSet', name: 'web', uid: 'r' } },
  },
  {
    when: 'annotations with a meaning here only; static pods are mirrors',
    raw: {
      metadata: {
        annotations: {
          'karpenter.sh/do-not-evict': 'true',
          'controller.kubernetes.io/pod-deletion-cost': '7',
          'kubernetes.io/config.mirror': 'x',
          'example.com/long': 'text',
        },
      },
    },
    is: {
      annotations: { 'karpenter.sh/do-not-evict': 'true', 'controller.kubernetes.io/pod-deletion-cost': '7' },
      mirror: true,
    },
  },
  { when: 'an unknown phase', raw: { status: { phase: 'Dreaming' } }, is: { phase: 'Unknown' } },
];
for (const { when, raw, is } of PODS) {
  test(`pod: ${when}`, () => {
    const pod: Partial<Pod> = podOf(raw);
    for (const field of Object.keys(is) as (keyof Pod)[]) assert.deepEqual(pod[field], is[field], field);
  });
}

const IN = 'requiredDuringSchedulingIgnoredDuringExecution';
const PREFER = 'preferredDuringSchedulingIgnoredDuringExecution';
const expression = (key: string, operator: string, values?: string[]) => ({ key, operator, values });
const web = { expressions: [{ key: 'app', operator: 'In', values: ['web'] }] };

const SPECS: readonly {
  when: string;
  spec: object;
  labels?: Record<string, string>;
  is: Partial<PodSpec>;
}[] = [
  {
    when: 'defaults',
    spec: {},
    is: { nodeAffinity: null, schedulerName: 'default-scheduler', priority: 0, terminationGraceSeconds: 30 },
  },
  {
    when: 'scheduler, priority, grace',
    spec: { schedulerName: 'mine', priority: -5, terminationGracePeriodSeconds: 0 },
    is: { schedulerName: 'mine', priority: -5, terminationGraceSeconds: 0 },
  },
  {
    when: 'node selector under modern names',
    spec: { nodeSelector: { 'failure-domain.beta.kubernetes.io/zone': 'a', app: 'x' } },
    is: { nodeSelector: { app: 'x', 'topology.kubernetes.io/zone': 'a' } },
  },
  {
    when: 'node selector that contradicts itself under both names: nothing is lost',
    spec: { nodeSelector: { 'beta.kubernetes.io/arch': 'arm64', 'kubernetes.io/arch': 'amd64' } },
    is: { nodeSelector: { 'beta.kubernetes.io/arch': 'arm64', 'kubernetes.io/arch': 'amd64' } },
  },
  {
    when: 'required node affinity: terms are ORed, an empty one matches nothing',
    spec: {
      affinity: {
        nodeAffinity: {
          [IN]: {
            nodeSelectorTerms: [
              {},
              {
                matchExpressions: [
                  expression('beta.kubernetes.io/os', 'In', ['linux']),
                  expression('n', 'Gt', ['4']),
                ],
              },
              { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['ip-1'] }] },
            ],
          },
        },
      },
    },
    is: {
      nodeAffinity: [
        {
          requirements: [
            { key: 'kubernetes.io/os', operator: 'In', values: ['linux'] },
            { key: 'n', operator: 'Gt', values: ['4'] },
          ],
          matchFields: false,
        },
        { requirements: [], matchFields: true },
      ],
    },
  },
  {
    when: 'required node affinity without terms matches nothing, which is not the same as none',
    spec: { affinity: { nodeAffinity: { [IN]: { nodeSelectorTerms: [] } } } },
    is: { nodeAffinity: [] },
  },
  {
    when: 'preferred node affinity: empty preferences sway nothing',
    spec: {
      affinity: {
        nodeAffinity: {
          [PREFER]: [
            { weight: 10, preference: {} },
            { weight: 5, preference: { matchExpressions: [expression('a', 'Exists')] } },
          ],
        },
      },
    },
    is: {
      preferredNodeAffinity: [
        {
          weight: 5,
          term: { requirements: [{ key: 'a', operator: 'Exists', values: [] }], matchFields: false },
        },
      ],
    },
  },
  {
    when: 'tolerations with defaults; those that tolerate nothing known are left out',
    spec: {
      tolerations: [
        { key: 'a', value: 'b' },
        { operator: 'Exists' },
        { key: 'c', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
        { key: 'd', operator: 'Resembles' },
      ],
    },
    is: {
      tolerations: [
        { key: 'a', operator: 'Equal', value: 'b', effect: null, tolerationSeconds: null },
        { key: '', operator: 'Exists', value: '', effect: null, tolerationSeconds: null },
        { key: 'c', operator: 'Exists', value: '', effect: 'NoExecute', tolerationSeconds: 300 },
      ],
    },
  },
  {
    when: 'pod affinity: label keys are folded from the pod, an absent selector is null, an empty one is all',
    labels: { app: 'web', rev: '7' },
    spec: {
      affinity: {
        podAffinity: {
          [IN]: [
            {
              topologyKey: 'failure-domain.beta.kubernetes.io/zone',
              labelSelector: { matchLabels: { app: 'web' } },
              matchLabelKeys: ['rev', 'absent'],
              mismatchLabelKeys: ['app'],
              namespaces: ['n'],
            },
          ],
        },
        podAntiAffinity: {
          [PREFER]: [
            { weight: 3, podAffinityTerm: { topologyKey: 'kubernetes.io/hostname', namespaceSelector: {} } },
          ],
        },
      },
    },
    is: {
      podAffinity: [
        {
          selector: {
            expressions: [
              { key: 'app', operator: 'In', values: ['web'] },
              { key: 'rev', operator: 'In', values: ['7'] },
              { key: 'app', operator: 'NotIn', values: ['web'] },
            ],
          },
          topologyKey: 'topology.kubernetes.io/zone',
          namespaces: ['n'],
          namespaceSelector: null,
        },
      ],
      preferredPodAntiAffinity: [
        {
          weight: 3,
          term: {
            selector: null,
            topologyKey: 'kubernetes.io/hostname',
            namespaces: [],
            namespaceSelector: { expressions: [] },
          },
        },
      ],
    },
  },
  {
    when: 'topology spread with defaults; a label key that the API server has folded already is not doubled',
    labels: { app: 'web' },
    spec: {
      topologySpreadConstraints: [
        {
          maxSkew: 2,
          topologyKey: 'topology.kubernetes.io/zone',
          whenUnsatisfiable: 'DoNotSchedule',
          labelSelector: { matchExpressions: [expression('app', 'In', ['web'])] },
          matchLabelKeys: ['app'],
        },
        {
          maxSkew: 1,
          minDomains: 3,
          topologyKey: 'kubernetes.io/hostname',
          whenUnsatisfiable: 'ScheduleAnyway',
          nodeAffinityPolicy: 'Ignore',
          nodeTaintsPolicy: 'Honor',
        },
      ],
    },
    is: {
      topologySpread: [
        {
          topologyKey: 'topology.kubernetes.io/zone',
          maxSkew: 2,
          minDomains: 1,
          whenUnsatisfiable: 'DoNotSchedule',
          selector: web as PodSpec['topologySpread'][0]['selector'],
          nodeAffinityPolicy: 'Honor',
          nodeTaintsPolicy: 'Ignore',
        },
        {
          topologyKey: 'kubernetes.io/hostname',
          maxSkew: 1,
          minDomains: 3,
          whenUnsatisfiable: 'ScheduleAnyway',
          selector: null,
          nodeAffinityPolicy: 'Ignore',
          nodeTaintsPolicy: 'Honor',
        },
      ],
    },
  },
  {
    when: 'host ports of containers and sidecars, not of init containers',
    spec: {
      containers: [
        { ports: [{ containerPort: 80 }, { containerPort: 80, hostPort: 8080, hostIP: '10.0.0.1' }] },
      ],
      initContainers: [
        { restartPolicy: 'Always', ports: [{ containerPort: 53, hostPort: 53, protocol: 'UDP' }] },
        { ports: [{ containerPort: 99, hostPort: 99 }] },
      ],
    },
    is: {
      hostPorts: [
        { ip: '0.0.0.0', protocol: 'UDP', port: 53 },
        { ip: '10.0.0.1', protocol: 'TCP', port: 8080 },
      ],
    },
  },
  {
    when: "on the host network every port is the host's",
    spec: { hostNetwork: true, containers: [{ ports: [{ containerPort: 9100 }] }] },
    is: { hostPorts: [{ ip: '0.0.0.0', protocol: 'TCP', port: 9100 }] },
  },
  {
    when: 'volumes that need a claim',
    spec: {
      volumes: [
        { name: 'tmp', emptyDir: {} },
        { name: 'data', persistentVolumeClaim: { claimName: 'data-0' } },
        { name: 'scratch', ephemeral: { volumeClaimTemplate: { spec: { storageClassName: 'gp3' } } } },
        { name: 'other', ephemeral: { volumeClaimTemplate: { spec: {} } } },
      ],
    },
    is: {
      volumes: [
        { kind: 'claim', claimName: 'data-0' },
        { kind: 'ephemeral', volumeName: 'scratch', storageClassName: 'gp3' },
        { kind: 'ephemeral', volumeName: 'other', storageClassName: null },
      ],
    },
  },
];
for (const { when, spec, labels, is } of SPECS) {
  test(`pod spec: ${when}`, () => {
    const found: Partial<PodSpec> = podOf({ spec, metadata: { labels } }).spec;
    for (const field of Object.keys(is) as (keyof PodSpec)[])
      assert.deepEqual(found[field], is[field], field);
  });
}

const FAULTS: readonly { when: string; spec: object; field: string }[] = [
  { when: 'no containers', spec: { containers: [] }, field: 'spec.containers' },
  {
    when: 'an unknown operator',
    spec: {
      affinity: {
        nodeAffinity: {
          [IN]: { nodeSelectorTerms: [{ matchExpressions: [expression('a', 'Near', ['b'])] }] },
        },
      },
    },
    field: `spec.affinity.nodeAffinity.${IN}.nodeSelectorTerms[0].matchExpressions[0]`,
  },
  {
    when: 'no topology key',
    spec: { topologySpreadConstraints: [{ maxSkew: 1 }] },
    field: 'spec.topologySpreadConstraints[0].topologyKey',
  },
  {
    when: 'a label condition without values',
    spec: {
      affinity: {
        podAffinity: {
          [IN]: [{ topologyKey: 'a', labelSelector: { matchExpressions: [expression('a', 'In', [])] } }],
        },
      },
    },
    field: `spec.affinity.podAffinity.${IN}[0].labelSelector.matchExpressions[0]`,
  },
];
for (const { when, spec, field } of FAULTS) {
  test(`faulty pod: ${when} is named, and the rest is read`, () => {
    const raw = { metadata: META, spec: { containers: CONTAINERS, nodeName: 'ip-1', ...spec } };
    const strict = parsePod(raw, new Interner());
    assert.ok(strict.kind === 'invalid');
    assert.deepEqual(
      strict.problems.map((one) => one.field),
      [field],
    );
    assert.equal(readPod(raw, new Interner()).value?.nodeName, 'ip-1');
  });
}

test('a term that no node can match does not turn into one that all match', () => {
  const terms = [{ matchExpressions: [expression('a', 'Near', ['b'])] }];
  const affinity = { nodeAffinity: { [IN]: { nodeSelectorTerms: terms } } };
  const { value } = readPod({ metadata: META, spec: { containers: CONTAINERS, affinity } }, new Interner());
  assert.deepEqual(value?.spec.nodeAffinity, []);
});

test('no JSON makes the reader throw', () => {
  const interner = new Interner();
  const fragment = fc.jsonValue({ maxDepth: 3 });
  const field = fc.constantFrom(
    'containers',
    'affinity',
    'tolerations',
    'volumes',
    'resources',
    'overhead',
    'nodeSelector',
  );
  const spec = fc.oneof(fragment, fc.dictionary(field, fragment));
  fc.assert(
    fc.property(fc.record({ metadata: fc.constant(META), spec, status: fragment }), (raw) => {
      readPod(raw, interner);
      readDaemonSet({ ...raw, spec: { template: raw } }, interner);
    }),
    { numRuns: 300 },
  );
  assert.equal(parsePod(fc.sample(fragment, 1)[0], interner).kind, 'invalid');
});

test('equal specs and labels are one object, pods that ended keep none', () => {
  const interner = new Interner();
  const read = (name: string, status: object = {}): Pod => {
    const metadata = { ...META, name, labels: { app: 'web' } };
    const { value } = readPod({ metadata, spec: { containers: CONTAINERS }, status }, interner);
    assert.ok(value !== null);
    return value;
  };
  const [one, other, ended] = [read('a'), read('b'), read('c', { phase: 'Succeeded' })];
  assert.equal(one.spec, other.spec);
  assert.equal(one.labels, other.labels);
  assert.deepEqual([ended.spec.requests, ended.labels], [{}, {}]);
});

test('a daemon set gives the pods that it makes: template labels, and what its controller has them tolerate', () => {
  const template = {
    metadata: { labels: { app: 'agent' } },
    spec: { containers: [{ resources: { limits: { cpu: '100m' } } }], hostNetwork: true },
  };
  const raw = {
    metadata: { namespace: 'kube-system', name: 'agent', labels: { other: 'x' } },
    spec: { template },
  };
  const { value } = readDaemonSet(raw, new Interner());
  assert.deepEqual(value?.labels, { app: 'agent' });
  assert.deepEqual(value?.spec.requests, { cpu: 100, pods: 1 });
  const tolerated = value?.spec.tolerations.map((one) => `${one.key}:${one.effect}`) ?? [];
  assert.ok(tolerated.includes('node.kubernetes.io/not-ready:NoExecute'));
  assert.ok(tolerated.includes('node.kubernetes.io/network-unavailable:NoSchedule'));
});
