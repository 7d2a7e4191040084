// Binds the pods of a plan one after the other, by a few rules of the kube-scheduler written anew: a second judge of
// plans beside the checker, with which it shares no code.
import { normalizeLabel } from '../../src/model/labels.ts';
import type {
  NodeSelectorTerm,
  Pod,
  PodAffinityTerm,
  PodSpec,
  TopologySpreadConstraint,
} from '../../src/model/pod.ts';
import type { Requirement } from '../../src/model/requirement.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import type { Taint, Toleration } from '../../src/model/taint.ts';

type Labels = Readonly<Record<string, string>>;

/** A node, there or to come, with the pods on it so far. */
export interface Place {
  readonly name: string;
  readonly labels: Labels;
  readonly taints: readonly Taint[];
  readonly allocatable: Readonly<Record<string, number>>;
  /** False where nothing new may be bound. */
  readonly isOpen: boolean;
  /** How many volumes can be attached; null for any number. */
  readonly attachable: number | null;
  readonly pods: Pod[];
}

export interface Seating {
  readonly pod: Pod;
  readonly place: Place;
}

export interface Scene {
  readonly places: readonly Place[];
  readonly snapshot: ClusterSnapshot;
}

/** So many orders are tried before a plan is said to have none. */
const ORDERS_MOST = 60;

/**
 * Why the pods cannot be bound where the plan has them, in one sentence; null when some order does. The order given is
 * tried first, then others: the kube-scheduler takes pods as they come, and those that fit nowhere wait for the next.
 */
export function stuckPod(scene: Scene, seatings: readonly Seating[]): string | null {
  let order = [...seatings];
  let stuck: string | null = null;
  for (let tries = 0; tries < ORDERS_MOST; tries++) {
    const reason = boundInTurn(scene, order);
    if (reason === null) return null;
    stuck ??= reason;
    order = tries === 0 ? order.reverse() : shuffled(seatings, tries);
  }
  return findsOrder(scene, pilesOf(seatings)) ? null : stuck;
}

/** Seatings that are alike, as many as are left to bind. */
type Pile = Seating[];

function pilesOf(seatings: readonly Seating[]): Pile[] {
  const numbers = new Map<unknown, number>();
  const numberOf = (thing: unknown): number => {
    const number = numbers.get(thing) ?? numbers.size;
    numbers.set(thing, number);
    return number;
  };
  const byName = Map.groupBy(seatings, ({ pod, place }) =>
    [numberOf(pod.spec), numberOf(place), pod.namespace, JSON.stringify(pod.labels)].join(' '),
  );
  return [...byName.values()];
}

/** So many states are looked at, with steps back: what needs more has no order that anybody would find. */
const STATES_MOST = 300_000;

/** Where rounds get stuck: depth first, no state twice. */
function findsOrder(scene: Scene, piles: readonly Pile[]): boolean {
  const seen = new Set<string>();
  const goesOn = (): boolean => {
    if (piles.every((pile) => pile.length === 0)) return true;
    const state = piles.map((pile) => pile.length).join(' ');
    if (seen.has(state) || seen.size > STATES_MOST) return false;
    seen.add(state);
    return piles.some((pile) => {
      const next = pile.at(-1);
      if (next === undefined || objectionTo(next.pod, next.place, scene) !== null) return false;
      pile.pop();
      next.place.pods.push(next.pod);
      const isDone = goesOn();
      next.place.pods.pop();
      pile.push(next);
      return isDone;
    });
  };
  return goesOn();
}

/** Binds what can be bound, round by round; leaves the places as they were. */
function boundInTurn(scene: Scene, order: readonly Seating[]): string | null {
  let waiting = order;
  const bound: Seating[] = [];
  let reason: string | null = null;
  for (let before = -1; waiting.length > 0 && waiting.length !== before; ) {
    before = waiting.length;
    reason = null;
    waiting = waiting.filter((seating) => {
      const { pod, place } = seating;
      const objection = objectionTo(pod, place, scene);
      if (objection !== null) {
        reason ??= `${pod.namespace}/${pod.name} cannot be bound to ${place.name}: ${objection}`;
        return true;
      }
      place.pods.push(pod);
      bound.push(seating);
      return false;
    });
  }
  for (const { place } of bound.reverse()) place.pods.pop();
  return waiting.length === 0 ? null : reason;
}

/** Another order for each turn, the same every time. */
function shuffled(seatings: readonly Seating[], turn: number): Seating[] {
  const keyed = seatings.map((seating, at) => ({
    seating,
    key: Math.imul(at + 1, 2654435761 ^ (turn * 40503)) >>> 0,
  }));
  return keyed.sort((left, right) => left.key - right.key).map(({ seating }) => seating);
}

/** Why the pod cannot be bound there now, in a word or two; null when it can. */
export function objectionTo(pod: Pod, place: Place, scene: Scene): string | null {
  if (!place.isOpen) return 'it takes no pods';
  for (const [name, asked] of Object.entries(pod.spec.requests)) {
    const taken = place.pods.reduce((sum, { spec }) => sum + (spec.requests[name] ?? 0), 0);
    if (asked > 0 && taken + asked > (place.allocatable[name] ?? 0)) return `no room for its ${name}`;
  }
  if (!toleratesAll(place.taints, pod.spec.tolerations)) return 'a taint';
  if (!selects(pod.spec, place.labels)) return 'its node selector';
  if (place.pods.some(({ spec }) => shareAPort(spec, pod.spec))) return 'a host port';
  if (!reachesVolumes(pod, place, scene)) return 'its volumes';
  if (!keepsApart(pod, place, scene)) return 'anti-affinity';
  if (!findsCompany(pod, place, scene)) return 'affinity';
  const hard = pod.spec.topologySpread.filter((one) => one.whenUnsatisfiable === 'DoNotSchedule');
  return hard.every((one) => keepsSkew({ pod, place }, one, { hard, scene })) ? null : 'spread';
}

function toleratesAll(taints: readonly Taint[], tolerations: readonly Toleration[]): boolean {
  return taints
    .filter(({ effect }) => effect !== 'PreferNoSchedule')
    .every((taint) =>
      tolerations.some(
        ({ key, operator, value, effect }) =>
          (key === '' || key === taint.key) &&
          (effect === null || effect === taint.effect) &&
          (operator === 'Exists' || value === taint.value),
      ),
    );
}

function selects({ nodeSelector, nodeAffinity }: PodSpec, labels: Labels): boolean {
  const plain = Object.entries(nodeSelector).every(([key, value]) => labels[normalizeLabel(key)] === value);
  return plain && (nodeAffinity === null || nodeAffinity.some((term) => meets(term, labels)));
}

function meets({ requirements, matchFields }: NodeSelectorTerm, labels: Labels): boolean {
  if (matchFields || requirements.length === 0) return false;
  return requirements.every((one) => isMet(one, labels[normalizeLabel(one.key)]));
}

function isMet({ operator, values }: Requirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return Number(value) > Number(values[0]);
    case 'Lt':
      return Number(value) < Number(values[0]);
  }
}

/** Ports are drawn without addresses: any address is theirs. */
function shareAPort(left: PodSpec, right: PodSpec): boolean {
  return left.hostPorts.some((one) =>
    right.hostPorts.some(({ port, protocol }) => port === one.port && protocol === one.protocol),
  );
}

function claimNames({ namespace, spec }: Pod): string[] {
  return spec.volumes.flatMap((one) => (one.kind === 'claim' ? [`${namespace}/${one.claimName}`] : []));
}

function reachesVolumes(pod: Pod, place: Place, { snapshot }: Scene): boolean {
  const wanted = new Set(claimNames(pod));
  if (wanted.size === 0) return true;
  for (const { namespace, name, volumeName } of snapshot.persistentVolumeClaims) {
    if (!wanted.has(`${namespace}/${name}`)) continue;
    const volume = snapshot.persistentVolumes.find((one) => one.name === volumeName);
    const terms = volume?.nodeAffinity ?? [];
    if (terms.length > 0 && !terms.some((term) => meets(term, place.labels))) return false;
  }
  const attached = new Set([...place.pods, pod].flatMap(claimNames));
  return place.attachable === null || attached.size <= place.attachable;
}

/** True when the term of a pod in `home` looks at the other pod. */
function looksAt(term: PodAffinityTerm, home: string, other: Pod, { snapshot }: Scene): boolean {
  const { selector, namespaces, namespaceSelector } = term;
  if (!matches(selector, other.labels)) return false;
  if (namespaces.length === 0 && namespaceSelector === null) return other.namespace === home;
  if (namespaces.includes(other.namespace)) return true;
  const labels = snapshot.namespaces.find(({ name }) => name === other.namespace)?.labels;
  return namespaceSelector !== null && labels !== undefined && matches(namespaceSelector, labels);
}

function matches(selector: PodAffinityTerm['selector'], labels: Labels): boolean {
  if (selector === null) return false;
  return selector.expressions.every(({ key, operator, values }) => {
    const value = labels[key];
    if (operator === 'In') return value !== undefined && values.includes(value);
    if (operator === 'NotIn') return value === undefined || !values.includes(value);
    return (value !== undefined) === (operator === 'Exists');
  });
}

/** Pods in the place's domain of the key; none where it has no such label. */
function companyIn(key: string, place: Place, { places }: Scene): readonly Pod[] {
  const domain = place.labels[key];
  if (domain === undefined) return [];
  return places.filter(({ labels }) => labels[key] === domain).flatMap(({ pods }) => pods);
}

/** Both ways: those on the domain may want to be apart from it as well. */
function keepsApart(pod: Pod, place: Place, scene: Scene): boolean {
  const own = pod.spec.podAntiAffinity.every((term) =>
    companyIn(term.topologyKey, place, scene).every((other) => !looksAt(term, pod.namespace, other, scene)),
  );
  if (!own) return false;
  return scene.places.every(({ labels, pods }) =>
    pods.every((other) =>
      other.spec.podAntiAffinity.every((term) => {
        const domain = place.labels[term.topologyKey];
        const isShared = domain !== undefined && labels[term.topologyKey] === domain;
        return !isShared || !looksAt(term, other.namespace, pod, scene);
      }),
    ),
  );
}

/** A pod counts when all terms look at it. The first of a group that looks at itself may go anywhere. */
function findsCompany(pod: Pod, place: Place, scene: Scene): boolean {
  const terms = pod.spec.podAffinity;
  if (terms.length === 0) return true;
  if (terms.some(({ topologyKey }) => place.labels[topologyKey] === undefined)) return false;
  const counts = (other: Pod): boolean => terms.every((term) => looksAt(term, pod.namespace, other, scene));
  if (terms.every(({ topologyKey }) => companyIn(topologyKey, place, scene).some(counts))) return true;
  const isNowhere = scene.places.every(({ labels, pods }) =>
    terms.every(({ topologyKey }) => labels[topologyKey] === undefined || !pods.some(counts)),
  );
  return isNowhere && counts(pod);
}

function keepsSkew(
  { pod, place }: Seating,
  constraint: TopologySpreadConstraint,
  { hard, scene }: { readonly hard: readonly TopologySpreadConstraint[]; readonly scene: Scene },
): boolean {
  const { topologyKey, maxSkew, minDomains, selector, nodeAffinityPolicy, nodeTaintsPolicy } = constraint;
  const own = place.labels[topologyKey];
  if (own === undefined) return false;
  const isCounted = ({ namespace, labels, deletionRequestedAtMs }: Pod): boolean =>
    deletionRequestedAtMs === null && namespace === pod.namespace && matches(selector, labels);
  const counts = new Map<string, number>();
  for (const { labels, taints, pods } of scene.places) {
    if (hard.some((one) => labels[one.topologyKey] === undefined)) continue;
    if (nodeAffinityPolicy === 'Honor' && !selects(pod.spec, labels)) continue;
    if (nodeTaintsPolicy === 'Honor' && !toleratesAll(taints, pod.spec.tolerations)) continue;
    const domain = labels[topologyKey] ?? '';
    counts.set(domain, (counts.get(domain) ?? 0) + pods.filter(isCounted).length);
  }
  const least = counts.size < minDomains ? 0 : Math.min(...counts.values());
  return (counts.get(own) ?? 0) + (isCounted(pod) ? 1 : 0) - least <= maxSkew;
}
