// The rules that look at one node at a time: room, labels, taints, host ports.
import { type HostPort, type Pod, type PodSpec, podKey } from '../../model/pod.ts';
import { addResources, formatAmount, type Resources } from '../../model/resources.ts';
import { formatTaint, untoleratedTaint } from '../../model/taint.ts';
import type { DaemonTable } from './daemons.ts';
import type { Face, Host } from './host.ts';
import { acceptsLabels } from './labelMatch.ts';

/** Requests of pods together. */
export function sumRequests(pods: readonly { readonly spec: PodSpec }[]): Resources {
  const sum: Record<string, number> = {};
  for (const { spec } of pods) {
    for (const name in spec.requests) sum[name] = (sum[name] ?? 0) + (spec.requests[name] ?? 0);
  }
  return sum;
}

/** Everything wrong with the pods placed on one host, inter-pod rules and volumes aside. */
export function hostViolations(host: Host, daemons: DaemonTable): string[] {
  if (host.placed.length === 0) return [];
  if (!host.open) return [`${host.title} takes no pods: it is cordoned or being deleted`];
  if (host.faces.length === 0) return [`${host.title} allows no offering that is on sale`];
  return [
    ...roomViolations(host, daemons),
    ...labelViolations(host),
    ...taintViolations(host),
    ...portViolations(host, daemons),
  ];
}

/** Only resources that newly placed pods ask for count: the scheduler does not evict what is overfull already. */
function roomViolations(host: Host, daemons: DaemonTable): string[] {
  const added = sumRequests(host.placed);
  const taken = host.bound.length === 0 ? added : addResources(added, sumRequests(host.bound));
  const found = new Set<string>();
  for (const { face, coming } of daemons.rooms(host)) {
    for (const name in added) {
      const need = (taken[name] ?? 0) + (coming[name] ?? 0);
      const room = face.allocatable[name] ?? 0;
      if (need <= room || (added[name] ?? 0) === 0) continue;
      const [needText, roomText] = [formatAmount(name, need), formatAmount(name, room)];
      found.add(
        `${host.title} as ${face.instanceType} holds ${roomText} of ${name}, ${needText} are placed there`,
      );
    }
  }
  return [...found];
}

function labelViolations(host: Host): string[] {
  const specs = new Set(host.placed.map(({ spec }) => spec));
  return [...specs].flatMap((spec) => {
    const misfit = misfitFor(spec, host.faces);
    if (misfit === null) return [];
    const as = `${misfit.instanceType} in ${misfit.zone}`;
    return host.placed
      .filter((pod) => pod.spec === spec)
      .map((pod) => `${podKey(pod)} does not select the labels of ${host.title} as ${as}`);
  });
}

const misfits = new WeakMap<PodSpec, WeakMap<readonly Face[], Face | 'none'>>();

/** The first face that the pod does not select, or null; remembered, since many nodes share their list of faces. */
function misfitFor(spec: PodSpec, faces: readonly Face[]): Face | null {
  if (selectsAll(spec)) return null;
  const byFaces = misfits.get(spec) ?? new WeakMap<readonly Face[], Face | 'none'>();
  misfits.set(spec, byFaces);
  const found = byFaces.get(faces) ?? faces.find((face) => !acceptsFace(spec, face)) ?? 'none';
  byFaces.set(faces, found);
  return found === 'none' ? null : found;
}

function selectsAll({ nodeAffinity, nodeSelector }: PodSpec): boolean {
  if (nodeAffinity !== null) return false;
  for (const _ in nodeSelector) return false;
  return true;
}

const accepted = new WeakMap<PodSpec, WeakMap<Face, boolean>>();

/** `acceptsLabels`, remembered: both sides are immutable and shared by many pods and nodes. */
export function acceptsFace(spec: PodSpec, face: Face): boolean {
  if (selectsAll(spec)) return true;
  const byFace = accepted.get(spec) ?? new WeakMap<Face, boolean>();
  accepted.set(spec, byFace);
  const answer = byFace.get(face) ?? acceptsLabels(spec, face.labels);
  byFace.set(face, answer);
  return answer;
}

function taintViolations(host: Host): string[] {
  if (host.taints.length === 0) return [];
  return host.placed.flatMap((pod) => {
    const taint = untoleratedTaint(host.taints, pod.spec.tolerations);
    return taint === null ? [] : [`${podKey(pod)} does not tolerate ${formatTaint(taint)} of ${host.title}`];
  });
}

interface PortUser {
  readonly name: string;
  readonly ports: readonly HostPort[];
}

function portViolations(host: Host, daemons: DaemonTable): string[] {
  const placed = host.placed.filter(({ spec }) => spec.hostPorts.length > 0).map(portUser);
  if (placed.length === 0) return [];
  const bound = host.bound.filter(({ spec }) => spec.hostPorts.length > 0).map(portUser);
  const coming = new Set(host.faces.flatMap((face) => daemons.toCome(host, face)));
  const others = [
    ...bound,
    ...[...coming].map((daemon) => ({ name: `daemon ${daemon.name}`, ports: daemon.spec.hostPorts })),
  ];
  return placed.flatMap((user, index) =>
    [...others, ...placed.slice(0, index)]
      .filter((other) => user.ports.some((port) => other.ports.some((taken) => portsClash(port, taken))))
      .map((other) => `${user.name} and ${other.name} want the same host port on ${host.title}`),
  );
}

function portUser(pod: Pod): PortUser {
  return { name: podKey(pod), ports: pod.spec.hostPorts };
}

/** Same port and protocol, on the same address or on all. Source: kube-scheduler, NodePorts filter. */
function portsClash(left: HostPort, right: HostPort): boolean {
  const everywhere = (ip: string): boolean => ip === '' || ip === '0.0.0.0' || ip === '::';
  return (
    left.port === right.port &&
    left.protocol === right.protocol &&
    (left.ip === right.ip || everywhere(left.ip) || everywhere(right.ip))
  );
}
