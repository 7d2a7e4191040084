// Plans made up at the start of the planning thread, so that the first real one runs compiled code.
import { NO_CONSOLIDATION } from '../model/disruptionPolicy.ts';
import type { InstanceType } from '../model/instanceType.ts';
import { LABEL } from '../model/labels.ts';
import type { Pod, PodSpec } from '../model/pod.ts';
import type { Provisioner } from '../model/provisioner.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { checkedPlan } from '../scheduling/checkedPlan.ts';

const GIB = 1024 ** 3;
const ZONES = ['zone-a', 'zone-b', 'zone-c'];
const ROUNDS = 12;
const APPS = 12;
const PODS_AN_APP = 6;
const TYPES = 40;

const PROVISIONER: Provisioner = {
  name: 'default',
  uid: 'default',
  generation: 1,
  labels: {},
  annotations: {},
  taints: [],
  startupTaints: [],
  requirements: [{ key: LABEL.capacityType, operator: 'In', values: ['on-demand', 'spot'] }],
  kubelet: {},
  nodeClassRef: { kind: 'AWSNodeTemplate', name: 'default' },
  ttlAfterEmptyMs: null,
  ttlUntilExpiredMs: null,
  disruption: NO_CONSOLIDATION,
  terminationGracePeriodMs: null,
  suspended: false,
  limits: null,
  weight: 0,
  deletionRequestedAtMs: null,
};

function madeUpType(index: number): InstanceType {
  const cores = 2 ** (1 + (index % 6));
  const capacity = { cpu: 1000 * cores, memory: (2 + (index % 4) * 2) * cores * GIB, pods: 30 + 8 * cores };
  const usdPerHour = 0.04 * cores + (0.005 * capacity.memory) / GIB;
  return {
    name: `warm.${index}`,
    requirements: [
      { key: LABEL.arch, operator: 'In', values: ['amd64'] },
      { key: LABEL.os, operator: 'In', values: ['linux'] },
    ],
    capacity,
    allocatable: { ...capacity, cpu: capacity.cpu - 80 },
    offerings: ZONES.flatMap((zone) => [
      { zone, capacityType: 'on-demand' as const, usdPerHour, available: true },
      { zone, capacityType: 'spot' as const, usdPerHour: 0.4 * usdPerHour, available: true },
    ]),
  };
}

/** Every third app is spread over zones, every third keeps off its like. */
function madeUpSpec(app: number, round: number): PodSpec {
  const selector = { expressions: [{ key: 'app', operator: 'In' as const, values: [`app-${app}`] }] };
  const apart = { selector, topologyKey: LABEL.hostname, namespaces: [], namespaceSelector: null };
  const spread = {
    ...{ topologyKey: LABEL.zone, maxSkew: 1, minDomains: 1, selector },
    whenUnsatisfiable: 'DoNotSchedule' as const,
    nodeAffinityPolicy: 'Honor' as const,
    nodeTaintsPolicy: 'Ignore' as const,
  };
  return {
    requests: { cpu: 100 * (1 + ((app + round) % 9)), memory: ((1 + (app % 5)) * GIB) / 2, pods: 1 },
    nodeSelector: {},
    nodeAffinity: null,
    preferredNodeAffinity: [],
    tolerations: [],
    podAffinity: [],
    podAntiAffinity: app % 3 === 1 ? [apart] : [],
    preferredPodAffinity: [],
    preferredPodAntiAffinity: [],
    topologySpread: app % 3 === 2 ? [spread] : [],
    hostPorts: [],
    volumes: [],
    schedulerName: 'default-scheduler',
    priority: 0,
    terminationGraceSeconds: 30,
  };
}

function madeUpPods(round: number): Pod[] {
  return Array.from({ length: APPS }, (_, app) => {
    const labels = { app: `app-${app}` };
    const spec = madeUpSpec(app, round);
    return Array.from(
      { length: PODS_AN_APP },
      (__, index): Pod => ({
        namespace: 'warm',
        name: `app-${app}-${index}`,
        uid: `${app}-${index}`,
        labels,
        annotations: {},
        spec,
        owner: { kind: 'ReplicaSet', name: `app-${app}`, uid: `${app}` },
        createdAtMs: 0,
        phase: 'Pending',
        ready: false,
        nodeName: '',
        nominatedNodeName: '',
        unschedulableSinceMs: 0,
        schedulingGated: false,
        deletionRequestedAtMs: null,
        mirror: false,
      }),
    );
  }).flat();
}

/** Plans a few dozen pods a dozen times. */
export function warmUp(): void {
  const catalogue = new Map([['default', Array.from({ length: TYPES }, (_, index) => madeUpType(index))]]);
  for (let round = 0; round < ROUNDS; round++) {
    const pods = madeUpPods(round);
    const snapshot: ClusterSnapshot = {
      takenAtMs: 0,
      provisioners: [PROVISIONER],
      nodeClasses: [],
      nodes: [],
      nodeClaims: [],
      pods,
      daemonSets: [],
      namespaces: [{ name: 'warm', labels: {} }],
      disruptionBudgets: [],
      persistentVolumes: [],
      persistentVolumeClaims: [],
      storageClasses: [],
      csiNodes: [],
    };
    checkedPlan(snapshot, catalogue, pods, { budgetMs: 2, elapsedMs: () => 0 });
  }
}
