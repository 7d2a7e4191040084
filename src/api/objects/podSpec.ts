// Pod specs, of pods and of workload templates, turned into what the scheduler looks at.
import type { HostPort, PodSpec, PodVolume } from '../../model/pod.ts';
import type { Problem } from '../parsed.ts';
import type { Interner } from './interner.ts';
import { readNodeSelector, readPreferredNodeAffinity, readRequiredNodeAffinity } from './nodeSelector.ts';
import { effectiveRequests, rawHostPorts } from './podRequests.ts';
import { readPodAffinity, readPreferredPodAffinity, readTopologySpread } from './podTopology.ts';
import { asRaw, numberIn, objectIn, objectsIn, type Raw, textIn } from './raw.ts';
import { readTolerations } from './taints.ts';

/** What a pod spec is read with. */
export interface PodSpecContext {
  /** Labels of the pod, or of the template: `matchLabelKeys` takes values from them. */
  readonly labels: Readonly<Record<string, string>>;
  /** The pod's raw status, null for a template: a pod that is being resized counts with what it holds now. */
  readonly status: Raw | null;
  /** Where the spec stands in its manifest: `spec`, `spec.template.spec`. */
  readonly path: string;
  /** Problems are added here; what is faulty is left out of the result. */
  readonly problems: Problem[];
  readonly interner: Interner;
}

/**
 * Reads a pod spec. Priority and overhead are those written in it: for a template, fill in first what admission would
 * (`priority` of its PriorityClass, `overhead` of its RuntimeClass, requests of a LimitRange).
 * Equal specs read with the same interner are one object.
 */
export function readPodSpec(rawSpec: unknown, context: PodSpecContext): PodSpec {
  const spec = asRaw(rawSpec);
  const { path, problems, interner, status, labels } = context;
  if (spec === null || objectsIn(spec, 'containers').length === 0) {
    problems.push({
      field: `${path}.containers`,
      problem: 'is missing',
      mend: 'name one container at least',
    });
  }
  const raw = spec ?? {};
  const affinity = objectIn(raw, 'affinity');
  const nodeAffinity = objectIn(affinity, 'nodeAffinity');
  const podAffinity = objectIn(affinity, 'podAffinity');
  const podAntiAffinity = objectIn(affinity, 'podAntiAffinity');
  const onNodes = { path: `${path}.affinity.nodeAffinity`, problems };
  const withPods = { path: `${path}.affinity.podAffinity`, problems, labels };
  const againstPods = { path: `${path}.affinity.podAntiAffinity`, problems, labels };
  const read: PodSpec = {
    requests: effectiveRequests({ spec: raw, status, path, problems }),
    nodeSelector: readNodeSelector(raw),
    nodeAffinity: readRequiredNodeAffinity(nodeAffinity, onNodes),
    preferredNodeAffinity: readPreferredNodeAffinity(nodeAffinity, onNodes),
    tolerations: readTolerations(raw),
    podAffinity: readPodAffinity(podAffinity, withPods),
    podAntiAffinity: readPodAffinity(podAntiAffinity, againstPods),
    preferredPodAffinity: readPreferredPodAffinity(podAffinity, withPods),
    preferredPodAntiAffinity: readPreferredPodAffinity(podAntiAffinity, againstPods),
    topologySpread: readTopologySpread(raw, { path, problems, labels }),
    hostPorts: readHostPorts(raw),
    volumes: readVolumes(raw),
    schedulerName: textIn(raw, 'schedulerName') || 'default-scheduler',
    priority: numberIn(raw, 'priority') ?? 0,
    terminationGraceSeconds: numberIn(raw, 'terminationGracePeriodSeconds') ?? 30,
  };
  return interner.intern(read, (fresh) => withSharedParts(fresh, interner));
}

/** Specs that differ in one field (the claim of each StatefulSet pod) still share the others. */
function withSharedParts(spec: PodSpec, interner: Interner): PodSpec {
  return {
    ...spec,
    requests: interner.intern(spec.requests),
    nodeSelector: interner.intern(spec.nodeSelector),
    preferredNodeAffinity: interner.intern(spec.preferredNodeAffinity),
    tolerations: interner.intern(spec.tolerations),
    podAffinity: interner.intern(spec.podAffinity),
    podAntiAffinity: interner.intern(spec.podAntiAffinity),
    preferredPodAffinity: interner.intern(spec.preferredPodAffinity),
    preferredPodAntiAffinity: interner.intern(spec.preferredPodAntiAffinity),
    topologySpread: interner.intern(spec.topologySpread),
    hostPorts: interner.intern(spec.hostPorts),
    volumes: interner.intern(spec.volumes),
  };
}

/** Defaults as the API server writes them: TCP, on every address. */
function readHostPorts(spec: Raw): HostPort[] {
  return rawHostPorts(spec).map(({ port, raw }) => ({
    ip: textIn(raw, 'hostIP') || '0.0.0.0',
    protocol: textIn(raw, 'protocol') || 'TCP',
    port,
  }));
}

function readVolumes(spec: Raw): PodVolume[] {
  return objectsIn(spec, 'volumes').flatMap((raw): PodVolume[] => {
    const claimName = textIn(objectIn(raw, 'persistentVolumeClaim'), 'claimName');
    if (claimName !== '') return [{ kind: 'claim', claimName }];
    const template = objectIn(objectIn(raw, 'ephemeral'), 'volumeClaimTemplate');
    if (template === null) return [];
    const storageClassName = objectIn(template, 'spec')?.storageClassName;
    return [
      {
        kind: 'ephemeral',
        volumeName: textIn(raw, 'name'),
        storageClassName: typeof storageClassName === 'string' ? storageClassName : null,
      },
    ];
  });
}
