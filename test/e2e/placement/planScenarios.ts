// Clusters and pending pods for the side-by-side test of plans: every family of scheduling rules, alone and mixed.
import type { RawObject } from '../harness/rawObjects.ts';
import {
  A,
  ARCH,
  apart,
  B,
  C,
  CAPACITY_TYPE,
  CATEGORY,
  CPUS,
  claim,
  claimVolume,
  container,
  daemonSet,
  FAMILY,
  GPU,
  HOSTNAME,
  isIn,
  near,
  nodeAffinity,
  oldNode,
  onNode,
  provisioner,
  replicas,
  requests,
  spread,
  storageClass,
  taint,
  tolerates,
  volume,
  ZONE,
} from './planObjects.ts';

export interface PlanScenario {
  readonly name: string;
  /** What is there before the pods: Provisioners, nodes, bound pods, storage. Default: one Provisioner. */
  readonly cluster?: (ns: string) => readonly RawObject[];
  /** The pods that wait, in namespace `ns` and its neighbour `<ns>-other`. */
  readonly pods: (ns: string) => readonly RawObject[];
  /** How many pods the plan must refuse; none unless told. */
  readonly refused?: number;
  /**
   * True where the pods find room wherever the scheduler begins: they are alike, or labels and taints leave each kind
   * of pod its own nodes. Where kinds share nodes, one that is spread out can take the room of another.
   */
  readonly anyOrder?: boolean;
}

/** Rules that look at one node alone. */
export const NODE_SCENARIOS: readonly PlanScenario[] = [
  {
    name: 'resources of three sizes',
    pods: (ns) => [
      ...replicas(ns, 'small', 24, { requests: requests('250m', '300Mi') }),
      ...replicas(ns, 'wide', 10, { requests: requests('1700m', '1Gi') }),
      ...replicas(ns, 'tall', 8, { requests: requests('300m', '7Gi') }),
    ],
  },
  {
    name: 'init containers and sidecars',
    pods: (ns) => [
      ...replicas(ns, 'slow-start', 9, {
        spec: { initContainers: [container('prepare', '1900m', '3Gi')] },
      }),
      ...replicas(ns, 'meshed', 9, {
        spec: {
          initContainers: [
            container('proxy', '300m', '256Mi', { restartPolicy: 'Always' }),
            container('migrate', '1', '1Gi'),
          ],
        },
      }),
    ],
  },
  {
    name: 'overhead of a RuntimeClass',
    anyOrder: true,
    cluster: () => [
      provisioner('default'),
      {
        kind: 'RuntimeClass',
        metadata: { name: 'sandbox' },
        handler: 'sandbox',
        overhead: { podFixed: { cpu: '250m', memory: '300Mi' } },
      },
    ],
    pods: (ns) => replicas(ns, 'sandboxed', 20, { spec: { runtimeClassName: 'sandbox' } }),
  },
  {
    name: 'ephemeral storage and pod-level resources',
    pods: (ns) => [
      ...replicas(ns, 'scratch', 6, {
        requests: { ...requests('200m', '256Mi'), 'ephemeral-storage': '7Gi' },
      }),
      ...replicas(ns, 'budgeted', 8, {
        requests: {},
        spec: { resources: { requests: requests('900m', '1Gi'), limits: requests('2', '2Gi') } },
      }),
    ],
  },
  {
    name: 'pods without requests, nodes of few pods',
    cluster: () => [provisioner('default', { kubeletConfiguration: { maxPods: 8 } })],
    pods: (ns) => [...replicas(ns, 'idle', 14, { requests: {} }), ...replicas(ns, 'busy', 7)],
  },
  {
    name: 'GPUs behind a taint among CPU pods',
    anyOrder: true,
    cluster: () => [
      provisioner('default'),
      provisioner('gpu', {
        requirements: [isIn(CATEGORY, 'g'), isIn(FAMILY, 'g4dn', 'g5')],
        taints: [taint(GPU, 'true')],
      }),
    ],
    pods: (ns) => [
      ...replicas(ns, 'train', 5, {
        requests: { ...requests('2', '8Gi'), [GPU]: '1' },
        spec: { tolerations: [{ key: GPU, operator: 'Exists' }] },
      }),
      ...replicas(ns, 'serve', 15),
    ],
  },
  {
    name: 'GPUs from one Provisioner for all',
    cluster: () => [
      provisioner('default', { requirements: [isIn(CATEGORY, 'g', 'm'), isIn(FAMILY, 'g4dn', 'm5')] }),
    ],
    pods: (ns) => [
      ...replicas(ns, 'train', 4, { requests: { ...requests('3', '10Gi'), [GPU]: '1' } }),
      ...replicas(ns, 'serve', 12),
    ],
  },
  {
    name: 'node selectors on zone, architecture and family',
    cluster: () => [
      provisioner('default', {
        requirements: [isIn(ARCH, 'amd64', 'arm64'), isIn(FAMILY, 'm5', 'c5', 'm6g', 'c6g')],
      }),
    ],
    pods: (ns) => [
      ...replicas(ns, 'here', 6, { spec: { nodeSelector: { [ZONE]: B } } }),
      ...replicas(ns, 'intel', 6, { spec: { nodeSelector: { [ARCH]: 'amd64' } } }),
      ...replicas(ns, 'arm', 6, { spec: { nodeSelector: { [ARCH]: 'arm64' } } }),
      ...replicas(ns, 'm5', 3, { spec: { nodeSelector: { [FAMILY]: 'm5' } } }),
    ],
  },
  {
    name: 'node affinity by every operator',
    cluster: () => [provisioner('default', { labels: { tier: 'web' } })],
    pods: (ns) => [
      ...replicas(ns, 'in', 4, { spec: { affinity: nodeAffinity([isIn(ZONE, A, B)]) } }),
      ...replicas(ns, 'not-in', 4, {
        spec: { affinity: nodeAffinity([{ key: ZONE, operator: 'NotIn', values: [A] }]) },
      }),
      ...replicas(ns, 'exists', 4, {
        spec: { affinity: nodeAffinity([{ key: 'tier', operator: 'Exists' }]) },
      }),
      ...replicas(ns, 'absent', 4, {
        spec: { affinity: nodeAffinity([{ key: 'burst', operator: 'DoesNotExist' }]) },
      }),
      ...replicas(ns, 'large', 2, {
        spec: { affinity: nodeAffinity([{ key: CPUS, operator: 'Gt', values: ['7'] }]) },
      }),
      ...replicas(ns, 'little', 2, {
        spec: { affinity: nodeAffinity([{ key: CPUS, operator: 'Lt', values: ['5'] }]) },
      }),
      ...replicas(ns, 'either', 3, {
        spec: { affinity: nodeAffinity([isIn('absent', 'x')], [isIn(ZONE, C)]) },
      }),
    ],
  },
  {
    name: 'custom labels by the Exists rule',
    anyOrder: true,
    cluster: () => [provisioner('default', { requirements: [{ key: 'team', operator: 'Exists' }] })],
    pods: (ns) =>
      ['blue', 'green', 'red'].flatMap((team) =>
        replicas(ns, team, 6, { requests: requests('700m', '1Gi'), spec: { nodeSelector: { team } } }),
      ),
  },
  {
    name: 'taints and tolerations of three Provisioners',
    anyOrder: true,
    cluster: () => [
      provisioner('default'),
      provisioner('batch', { taints: [taint('dedicated', 'batch')] }),
      provisioner('secure', {
        taints: [taint('dedicated', 'secure', 'NoExecute')],
        labels: { secure: 'yes' },
      }),
    ],
    pods: (ns) => [
      ...replicas(ns, 'free', 8),
      ...replicas(ns, 'batch', 8, {
        spec: {
          tolerations: [tolerates('dedicated', 'batch')],
          nodeSelector: { 'karpenter.sh/provisioner-name': 'batch' },
        },
      }),
      ...replicas(ns, 'secure', 8, {
        spec: { tolerations: [tolerates('dedicated', 'secure')], nodeSelector: { secure: 'yes' } },
      }),
    ],
  },
  {
    name: 'PreferNoSchedule and startup taints',
    cluster: () => [
      provisioner('soft', { taints: [taint('soft', 'yes', 'PreferNoSchedule')] }),
      provisioner('agent', { startupTaints: [taint('agent', 'missing')], requirements: [isIn(ZONE, C)] }),
    ],
    pods: (ns) => [
      ...replicas(ns, 'any', 9),
      ...replicas(ns, 'in-c', 6, { spec: { nodeSelector: { [ZONE]: C } } }),
    ],
  },
  {
    name: 'host ports',
    pods: (ns) => [
      ...replicas(ns, 'ingress', 4, { ports: [{ containerPort: 80, hostPort: 8080 }] }),
      ...replicas(ns, 'dns', 3, { ports: [{ containerPort: 53, hostPort: 53, protocol: 'UDP' }] }),
      ...replicas(ns, 'plain', 10),
    ],
  },
  {
    name: 'volumes that lie in a zone',
    cluster: (ns) => [
      provisioner('default'),
      ...[A, B, B].flatMap((zone, index) => [
        volume(`${ns}-pv-${index}`, { namespace: ns, name: `data-${index}` }, zone),
        claim(ns, `data-${index}`, 'by-hand', `${ns}-pv-${index}`),
      ]),
    ],
    pods: (ns) => [
      ...[0, 1, 2].flatMap((index) => replicas(ns, `db-${index}`, 1, { spec: claimVolume(`data-${index}`) })),
      ...replicas(ns, 'free', 8),
    ],
  },
  {
    name: 'storage classes of some zones, and ephemeral volumes',
    cluster: (ns) => [
      provisioner('default'),
      storageClass('only-c', [C]),
      storageClass('anywhere', []),
      claim(ns, 'late', 'only-c'),
    ],
    pods: (ns) => [
      ...replicas(ns, 'late', 1, { spec: claimVolume('late') }),
      ...replicas(ns, 'scratch', 4, {
        spec: {
          volumes: [
            {
              name: 'scratch',
              ephemeral: {
                volumeClaimTemplate: {
                  spec: {
                    accessModes: ['ReadWriteOnce'],
                    storageClassName: 'anywhere',
                    resources: { requests: { storage: '1Gi' } },
                  },
                },
              },
            },
          ],
        },
      }),
    ],
  },
  {
    name: 'attach limits of a node that is there',
    anyOrder: true,
    cluster: (ns) => [
      provisioner('default', { requirements: [isIn(ZONE, A)] }),
      storageClass('in-a', [A]),
      oldNode(`${ns}-old`, A, '4'),
      {
        kind: 'CSINode',
        metadata: { name: `${ns}-old` },
        spec: { drivers: [{ name: 'ebs.csi.aws.com', nodeID: 'old', allocatable: { count: 2 } }] },
      },
      ...[0, 1, 2, 3, 4].map((index) => claim(ns, `data-${index}`, 'in-a')),
    ],
    pods: (ns) =>
      [0, 1, 2, 3, 4].flatMap((index) =>
        replicas(ns, `db-${index}`, 1, { spec: claimVolume(`data-${index}`) }),
      ),
  },
  {
    name: 'daemons, some of them on one architecture only',
    cluster: (ns) => [
      provisioner('default', {
        requirements: [isIn(ARCH, 'amd64', 'arm64'), isIn(FAMILY, 'c5', 'm5', 'c6g', 'm6g')],
      }),
      daemonSet(ns, 'agent', {
        requests: requests('300m', '400Mi'),
        spec: { tolerations: [{ operator: 'Exists' }] },
      }),
      daemonSet(ns, 'intel', {
        requests: requests('200m', '200Mi'),
        spec: { nodeSelector: { [ARCH]: 'amd64' } },
      }),
    ],
    pods: (ns) => [
      ...replicas(ns, 'any', 12),
      ...replicas(ns, 'intel', 6, { spec: { nodeSelector: { [ARCH]: 'amd64' } } }),
    ],
  },
  {
    name: 'priorities where a limit binds',
    cluster: () => [
      provisioner('default', { limits: { resources: { cpu: '4' } }, requirements: [isIn(FAMILY, 'm5')] }),
      ...[
        ['high', 1000],
        ['low', 10],
      ].map(([name, value]) => ({ kind: 'PriorityClass', metadata: { name: `${name}` }, value })),
    ],
    pods: (ns) => [
      ...replicas(ns, 'low', 6, { spec: { priorityClassName: 'low' } }),
      ...replicas(ns, 'high', 6, { spec: { priorityClassName: 'high' } }),
    ],
    refused: 6,
  },
  {
    name: 'nodes that are there, with pods bound',
    cluster: (ns) => [
      provisioner('default'),
      oldNode(`${ns}-one`, A, '4'),
      oldNode(`${ns}-two`, B, '4', { taints: [taint('dedicated', 'old')] }),
      ...onNode(replicas(ns, 'running', 5), `${ns}-one`),
    ],
    pods: (ns) => [
      ...replicas(ns, 'new', 9),
      ...replicas(ns, 'patient', 4, { spec: { tolerations: [tolerates('dedicated', 'old')] } }),
    ],
  },
  {
    name: 'Provisioners by weight, spot and limits',
    cluster: () => [
      provisioner('first', {
        weight: 50,
        limits: { resources: { cpu: '4' } },
        requirements: [isIn(CAPACITY_TYPE, 'spot')],
      }),
      provisioner('second', { weight: 1 }),
    ],
    pods: (ns) => [
      ...replicas(ns, 'any', 14),
      ...replicas(ns, 'steady', 4, { spec: { nodeSelector: { [CAPACITY_TYPE]: 'on-demand' } } }),
    ],
  },
];

/** Rules that look at other pods. */
export const POD_SCENARIOS: readonly PlanScenario[] = [
  {
    name: 'anti-affinity on host names',
    pods: (ns) => [
      ...replicas(ns, 'quorum', 5, { spec: { affinity: apart('quorum', HOSTNAME) } }),
      ...replicas(ns, 'filler', 10),
    ],
  },
  {
    name: 'affinity to pods that run, by zone',
    cluster: (ns) => [
      provisioner('default'),
      oldNode(`${ns}-old`, B, '1'),
      ...onNode(replicas(ns, 'anchor', 1), `${ns}-old`),
    ],
    pods: (ns) => [
      ...replicas(ns, 'follower', 8, { spec: { affinity: near('anchor', ZONE) } }),
      ...replicas(ns, 'free', 6),
    ],
  },
  {
    name: 'a group that starts together in one zone',
    anyOrder: true,
    pods: (ns) => replicas(ns, 'mates', 12, { spec: { affinity: near('mates', ZONE) } }),
  },
  {
    name: 'web pods beside their caches',
    pods: (ns) => [
      ...replicas(ns, 'cache', 3, { spec: { affinity: apart('cache', HOSTNAME) } }),
      ...replicas(ns, 'web', 6, {
        requests: requests('200m', '256Mi'),
        spec: { affinity: near('cache', HOSTNAME) },
      }),
    ],
  },
  {
    name: 'anti-affinity across namespaces, both ways',
    pods: (ns) => [
      ...replicas(ns, 'loner', 3, {
        spec: { affinity: apart('noisy', HOSTNAME, { namespaceSelector: { matchLabels: { of: ns } } }) },
      }),
      ...replicas(`${ns}-other`, 'noisy', 6),
      ...replicas(ns, 'shy', 2, {
        spec: { affinity: apart('noisy', HOSTNAME, { namespaces: [`${ns}-other`] }) },
      }),
    ],
  },
  {
    name: 'anti-affinity over zones',
    anyOrder: true,
    pods: (ns) => replicas(ns, 'replica', 3, { spec: { affinity: apart('replica', ZONE) } }),
  },
  {
    name: 'spread over zones',
    pods: (ns) => [
      ...replicas(ns, 'web', 10, { spec: { topologySpreadConstraints: [spread('web', ZONE)] } }),
      ...replicas(ns, 'free', 5),
    ],
  },
  {
    name: 'spread with minDomains',
    anyOrder: true,
    pods: (ns) =>
      replicas(ns, 'web', 3, {
        spec: { topologySpreadConstraints: [spread('web', ZONE, { minDomains: 3 })] },
      }),
  },
  {
    name: 'minDomains above the domains there are',
    cluster: () => [provisioner('default', { requirements: [isIn(ZONE, A, B)] })],
    pods: (ns) =>
      replicas(ns, 'web', 4, {
        spec: { topologySpreadConstraints: [spread('web', ZONE, { minDomains: 3 })] },
      }),
    refused: 2,
  },
  {
    name: 'spread over zones and hosts at once',
    anyOrder: true,
    pods: (ns) =>
      replicas(ns, 'web', 8, {
        spec: { topologySpreadConstraints: [spread('web', ZONE), spread('web', HOSTNAME, { maxSkew: 2 })] },
      }),
  },
  {
    name: 'spread over capacity types',
    anyOrder: true,
    cluster: () => [provisioner('default', { requirements: [isIn(CAPACITY_TYPE, 'spot', 'on-demand')] })],
    pods: (ns) =>
      replicas(ns, 'web', 8, { spec: { topologySpreadConstraints: [spread('web', CAPACITY_TYPE)] } }),
  },
  {
    name: 'spread that honours taints and ignores affinity',
    anyOrder: true,
    cluster: (ns) => [
      provisioner('default'),
      oldNode(`${ns}-tainted`, A, '2', { taints: [taint('dedicated', 'old')] }),
      oldNode(`${ns}-open`, B, '1'),
      ...onNode(replicas(ns, 'web', 1), `${ns}-open`).map((pod) => ({
        ...pod,
        metadata: { ...pod.metadata, name: 'web-running' },
      })),
    ],
    pods: (ns) =>
      replicas(ns, 'web', 6, {
        spec: {
          topologySpreadConstraints: [
            spread('web', ZONE, { nodeTaintsPolicy: 'Honor', nodeAffinityPolicy: 'Ignore', minDomains: 3 }),
          ],
        },
      }),
  },
  {
    name: 'two revisions told apart by matchLabelKeys',
    anyOrder: true,
    pods: (ns) =>
      ['r1', 'r2'].flatMap((revision) =>
        replicas(ns, 'web', 4, {
          labels: { revision },
          spec: {
            topologySpreadConstraints: [spread('web', ZONE, { matchLabelKeys: ['revision'] })],
          },
        }).map((pod) => ({
          ...pod,
          metadata: { ...pod.metadata, name: `${revision}-${pod.metadata.name}` },
        })),
      ),
  },
  {
    name: 'preferences that cannot all be had',
    anyOrder: true,
    pods: (ns) => [
      ...replicas(ns, 'picky', 6, {
        spec: {
          affinity: {
            nodeAffinity: {
              preferredDuringSchedulingIgnoredDuringExecution: [
                { weight: 50, preference: { matchExpressions: [isIn(ZONE, 'nowhere')] } },
                { weight: 10, preference: { matchExpressions: [isIn(ZONE, C)] } },
              ],
            },
          },
          topologySpreadConstraints: [spread('picky', HOSTNAME, { whenUnsatisfiable: 'ScheduleAnyway' })],
        },
      }),
    ],
  },
  {
    name: 'a little of everything',
    cluster: (ns) => [
      provisioner('default', { requirements: [isIn(CAPACITY_TYPE, 'spot', 'on-demand')] }),
      provisioner('gpu', {
        requirements: [isIn(CATEGORY, 'g'), isIn(FAMILY, 'g4dn')],
        taints: [taint(GPU, 'true')],
      }),
      oldNode(`${ns}-old`, A, '4'),
      ...onNode(replicas(ns, 'cache', 1), `${ns}-old`),
      daemonSet(ns, 'agent', {
        requests: requests('100m', '128Mi'),
        spec: { tolerations: [{ operator: 'Exists' }] },
      }),
    ],
    pods: (ns) => [
      ...replicas(ns, 'web', 6, { spec: { topologySpreadConstraints: [spread('web', ZONE)] } }),
      ...replicas(ns, 'quorum', 3, { spec: { affinity: apart('quorum', HOSTNAME) } }),
      ...replicas(ns, 'sidekick', 2, { spec: { affinity: near('cache', ZONE) } }),
      ...replicas(ns, 'train', 1, {
        requests: { ...requests('2', '8Gi'), [GPU]: '1' },
        spec: { tolerations: [{ key: GPU, operator: 'Exists' }] },
      }),
      ...replicas(ns, 'port', 2, { ports: [{ containerPort: 80, hostPort: 8080 }] }),
      ...replicas(ns, 'plain', 10, { requests: requests('300m', '900Mi') }),
    ],
  },
];
