// What a pod takes from a node, by the rules of today's kube-scheduler.
import { addResources, maxResources, type Resources } from '../../model/resources.ts';
import { numberIn, objectIn, objectsIn, type Raw, textIn } from './raw.ts';
import { type ReadingPlace, readResources } from './resourceList.ts';

/** The pod's raw spec, its status when it has one, and where problems go. */
export interface RequestSource extends ReadingPlace {
  readonly spec: Raw;
  readonly status: Raw | null;
}

/**
 * Effective requests: containers and sidecars summed; each init container with the sidecars started before it as
 * a floor; pod-level resources in place of the sum; overhead on top; and one of `pods`.
 * A limit without a request counts as request (the API server writes that into pods, not into templates).
 * Running pods that are being resized count with the largest of desired, allocated and actual.
 * Amounts of zero are left out, as the scheduler ignores them. Names are sorted.
 * Source: k8s.io/component-helpers/resource, PodRequests; KEP-753 (sidecars), KEP-2837 (pod level), KEP-1287 (resize);
 * k8s.io/kubernetes/pkg/apis/core/v1, SetDefaults_Pod and defaultPodRequests.
 */
export function effectiveRequests(source: RequestSource): Resources {
  const inContainers = containerRequests(source);
  const atPodLevel = addPodLevel(inContainers, source);
  const overhead = readResources(source.spec, 'overhead', source);
  const total = addResources(addResources(atPodLevel, overhead), { pods: 1 });
  const names = Object.keys(total).filter((name) => (total[name] ?? 0) > 0);
  return Object.fromEntries(names.sort().map((name) => [name, total[name] ?? 0]));
}

function containerRequests(source: RequestSource): Resources {
  const resize = resizeStatus(source.status);
  let running: Resources = {};
  for (const [index, container] of objectsIn(source.spec, 'containers').entries()) {
    const place = { path: `${source.path}.containers[${index}].resources`, problems: source.problems };
    running = addResources(running, requestsOfContainer(container, place, resize));
  }
  let sidecars: Resources = {};
  let starting: Resources = {};
  for (const [index, container] of objectsIn(source.spec, 'initContainers').entries()) {
    const place = { path: `${source.path}.initContainers[${index}].resources`, problems: source.problems };
    const sidecar = isSidecar(container);
    const requests = requestsOfContainer(container, place, sidecar ? resize : NO_RESIZE);
    if (sidecar) {
      running = addResources(running, requests);
      sidecars = addResources(sidecars, requests);
    } else {
      starting = maxResources(starting, addResources(requests, sidecars));
    }
  }
  return maxResources(running, starting);
}

/** An init container that keeps running beside the others. */
export function isSidecar(initContainer: Raw): boolean {
  return initContainer.restartPolicy === 'Always';
}

function requestsOfContainer(container: Raw, place: ReadingPlace, resize: ResizeStatus): Resources {
  const desired = requestsOrLimits(objectIn(container, 'resources'), place);
  const status = resize.byContainer.get(textIn(container, 'name'));
  return status === undefined ? desired : withResize(desired, status, resize.infeasible);
}

function requestsOrLimits(resources: Raw | null, place: ReadingPlace): Resources {
  if (resources === null) return {};
  const requests = readResources(resources, 'requests', place);
  return resources.limits === undefined
    ? requests
    : { ...readResources(resources, 'limits', place), ...requests };
}

interface ResizeStatus {
  /** Statuses of containers that report actual resources, by container name. */
  readonly byContainer: ReadonlyMap<string, Raw>;
  /** The node can never grant the desired amounts: they do not count. */
  readonly infeasible: boolean;
}

const NO_RESIZE: ResizeStatus = { byContainer: new Map(), infeasible: false };

function resizeStatus(status: Raw | null): ResizeStatus {
  if (status === null) return NO_RESIZE;
  const byContainer = new Map<string, Raw>();
  for (const field of ['containerStatuses', 'initContainerStatuses']) {
    for (const one of objectsIn(status, field)) {
      if (objectIn(one, 'resources') !== null) byContainer.set(textIn(one, 'name'), one);
    }
  }
  return { byContainer, infeasible: isResizeInfeasible(status) };
}

function isResizeInfeasible(status: Raw): boolean {
  const pending = objectsIn(status, 'conditions').find((one) => one.type === 'PodResizePending');
  return pending?.reason === 'Infeasible';
}

/** What the kubelet reports is its own writing: faults in it are not the user's, so they are dropped in silence. */
function withResize(desired: Resources, status: Raw, infeasible: boolean): Resources {
  const place = { path: 'status', problems: [] };
  const actual = readResources(objectIn(status, 'resources'), 'requests', place);
  const granted = maxResources(actual, readResources(status, 'allocatedResources', place));
  return infeasible ? granted : maxResources(desired, granted);
}

const POD_LEVEL_RESOURCE = /^(cpu|memory|hugepages-.+)$/;

function addPodLevel(inContainers: Resources, source: RequestSource): Resources {
  const resources = objectIn(source.spec, 'resources');
  if (resources === null) return inContainers;
  const place = { path: `${source.path}.resources`, problems: source.problems };
  const desired = podLevelRequests(inContainers, resources, place);
  const status = source.status;
  const reported = status !== null && objectIn(status, 'resources') !== null;
  const effective = reported ? withResize(desired, status, isResizeInfeasible(status)) : desired;
  const total: Record<string, number> = { ...inContainers };
  for (const name of Object.keys(desired)) total[name] = effective[name] ?? 0;
  return total;
}

/** A pod-level limit stands in for a request that neither the pod nor its containers name (hugepages: the pod). */
function podLevelRequests(inContainers: Resources, resources: Raw, place: ReadingPlace): Resources {
  const requests: Record<string, number> = {};
  const limits = readResources(resources, 'limits', place);
  for (const name of Object.keys(limits)) {
    const named = name.startsWith('hugepages-') ? undefined : inContainers[name];
    if (POD_LEVEL_RESOURCE.test(name)) requests[name] = named ?? limits[name] ?? 0;
  }
  const written = readResources(resources, 'requests', place);
  for (const name of Object.keys(written)) {
    if (POD_LEVEL_RESOURCE.test(name)) requests[name] = written[name] ?? 0;
  }
  return requests;
}

/** Ports on the node itself: those asked for, and every container port of a pod on the host's network. */
export function rawHostPorts(spec: Raw): readonly { readonly port: number; readonly raw: Raw }[] {
  const hostNetwork = spec.hostNetwork === true;
  const holders = [...objectsIn(spec, 'initContainers').filter(isSidecar), ...objectsIn(spec, 'containers')];
  return holders.flatMap((container) =>
    objectsIn(container, 'ports').flatMap((raw) => {
      const port =
        (numberIn(raw, 'hostPort') ?? 0) || (hostNetwork ? (numberIn(raw, 'containerPort') ?? 0) : 0);
      return port > 0 ? [{ port, raw }] : [];
    }),
  );
}
