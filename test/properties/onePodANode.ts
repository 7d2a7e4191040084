// The least a packer must manage: a pod that fits a new node of its own, worked out by trying everything.
import type { InstanceType, Offering } from '../../src/model/instanceType.ts';
import { selectorMatches } from '../../src/model/labelSelector.ts';
import { isWellKnownLabel, LABEL } from '../../src/model/labels.ts';
import type { Pod, PodSpec } from '../../src/model/pod.ts';
import type { Provisioner } from '../../src/model/provisioner.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import { untoleratedTaint } from '../../src/model/taint.ts';
import { acceptsLabels, meetsAnyTerm, meetsRequirement } from '../../src/scheduling/checker/labelMatch.ts';
import type { RandomCluster } from './clusters.ts';

type Labels = Record<string, string>;

/**
 * True when some Provisioner could launch a node for this pod alone. False negatives are fine: pods tied to others
 * across nodes, and Provisioners with limits or minValues, are left out, since there one pod decides for another.
 */
export function fitsAlone(pod: Pod, { snapshot, catalogue }: RandomCluster): boolean {
  if (isTied(pod, snapshot)) return false;
  return snapshot.provisioners.some((provisioner) => {
    const free =
      provisioner.limits === null && provisioner.requirements.every((one) => one.minValues === undefined);
    if (!free || untoleratedTaint(provisioner.taints, pod.spec.tolerations) !== null) return false;
    return (catalogue.get(provisioner.name) ?? []).some((type) =>
      type.offerings.some((offering) => {
        const labels = nodeLabels(pod.spec, provisioner, { type, offering });
        return (
          offering.available && labels !== null && fitsNode(pod, { snapshot, provisioner, type, labels })
        );
      }),
    );
  });
}

/** Rules with other pods, its own or theirs, that reach beyond one node. */
function isTied(pod: Pod, snapshot: ClusterSnapshot): boolean {
  const { podAffinity, podAntiAffinity, topologySpread } = pod.spec;
  const wide = ({ topologyKey }: { readonly topologyKey: string }): boolean => topologyKey !== LABEL.hostname;
  if (podAffinity.length > 0 || podAntiAffinity.some(wide)) return true;
  if (
    topologySpread.some(
      (one) => one.whenUnsatisfiable === 'DoNotSchedule' && (wide(one) || one.minDomains > 1),
    )
  )
    return true;
  return snapshot.pods.some((other) =>
    other.spec.podAntiAffinity.some((term) => wide(term) && selectorMatches(term.selector, pod.labels)),
  );
}

interface Bought {
  readonly type: InstanceType;
  readonly offering: Offering;
}

/** Labels of the node, with custom ones as the pod wants them where the Provisioner lets it; null if never bought. */
function nodeLabels(spec: PodSpec, provisioner: Provisioner, { type, offering }: Bought): Labels | null {
  const labels: Labels = {
    ...Object.fromEntries(type.requirements.map(({ key, values }) => [key, values[0] ?? ''])),
    ...provisioner.labels,
    [LABEL.provisioner]: provisioner.name,
    [LABEL.instanceType]: type.name,
    [LABEL.zone]: offering.zone,
    [LABEL.capacityType]: offering.capacityType,
  };
  for (const requirement of provisioner.requirements) {
    const wanted = spec.nodeSelector[requirement.key];
    if (isWellKnownLabel(requirement.key)) {
      if (!meetsRequirement(requirement, labels)) return null;
    } else if (wanted !== undefined && meetsRequirement(requirement, { [requirement.key]: wanted })) {
      labels[requirement.key] = wanted;
    } else if (spec.nodeAffinity !== null) {
      // A term may ask for the label or forbid it: too fine for a bound from below.
      return null;
    }
  }
  return labels;
}

interface Place {
  readonly snapshot: ClusterSnapshot;
  readonly provisioner: Provisioner;
  readonly type: InstanceType;
  readonly labels: Labels;
}

function fitsNode(pod: Pod, { snapshot, provisioner, type, labels }: Place): boolean {
  if (!acceptsLabels(pod.spec, labels) || !volumesFit(pod, labels, snapshot)) return false;
  const daemons = snapshot.daemonSets.filter(
    ({ spec }) =>
      acceptsLabels(spec, labels) && untoleratedTaint(provisioner.taints, spec.tolerations) === null,
  );
  if (pod.spec.hostPorts.length > 0 && daemons.some(({ spec }) => spec.hostPorts.length > 0)) return false;
  return Object.entries(pod.spec.requests).every(([name, amount]) => {
    const taken = daemons.reduce((sum, { spec }) => sum + (spec.requests[name] ?? 0), amount);
    return amount === 0 || taken <= (type.allocatable[name] ?? 0);
  });
}

function volumesFit(pod: Pod, labels: Labels, snapshot: ClusterSnapshot): boolean {
  return pod.spec.volumes.every((volume) => {
    const terms =
      volume.kind === 'claim'
        ? snapshot.persistentVolumes[0]?.nodeAffinity
        : snapshot.storageClasses[0]?.allowedTopologies;
    return meetsAnyTerm(terms ?? [], labels);
  });
}
