// What rules between pods look at: kinds of pods, where they stand, and the domains of nodes.
import { type LabelSelector, selectorMatches } from '../../model/labelSelector.ts';
import { LABEL } from '../../model/labels.ts';
import { type Pod, type PodAffinityTerm, type PodSpec, podKey } from '../../model/pod.ts';
import type { ClusterSnapshot } from '../../model/snapshot.ts';
import type { Face, Host } from './host.ts';
import { type Labels, labelValue } from './labelMatch.ts';

/** Pods that every rule between pods treats alike. */
export interface Kind {
  readonly spec: PodSpec;
  readonly namespace: string;
  readonly labels: Labels;
  /** Being deleted: still in the way of affinity, no longer counted by spread. */
  readonly terminating: boolean;
  /** One of them, for sentences. */
  readonly example: string;
}

/** How many pods of a kind stand on a host, and how many the plan adds. */
export interface Standing {
  readonly kind: Kind;
  readonly host: Host;
  bound: number;
  placed: number;
}

/** Counts pods by kind and host. */
export function standingsOf(hosts: readonly Host[]): Standing[] {
  const kinds = new KindTable();
  return hosts.flatMap((host) => {
    const here = new Map<Kind, Standing>();
    const count = (pod: Pod, side: 'bound' | 'placed'): void => {
      const kind = kinds.kindOf(pod);
      const standing = here.get(kind) ?? { kind, host, bound: 0, placed: 0 };
      standing[side] += 1;
      here.set(kind, standing);
    };
    for (const pod of host.bound) count(pod, 'bound');
    for (const pod of host.placed) count(pod, 'placed');
    return [...here.values()];
  });
}

/** Kinds by what makes them one; pods that share spec and labels, as replicas do, are found by those alone. */
class KindTable {
  readonly #bySpec = new Map<PodSpec, { readonly byName: Map<string, Kind>; readonly quick: QuickKinds }>();

  kindOf(pod: Pod): Kind {
    const { spec, namespace, labels } = pod;
    const terminating = pod.deletionRequestedAtMs !== null;
    const ofSpec = this.#bySpec.get(spec) ?? { byName: new Map(), quick: new Map() };
    this.#bySpec.set(spec, ofSpec);
    const place = terminating ? `-${namespace}` : `+${namespace}`;
    const ofLabels = ofSpec.quick.get(labels) ?? new Map<string, Kind>();
    ofSpec.quick.set(labels, ofLabels);
    const known = ofLabels.get(place);
    if (known !== undefined) return known;
    const sorted = Object.entries(labels).sort(([left], [right]) => (left < right ? -1 : 1));
    const name = JSON.stringify([place, sorted]);
    const kind = ofSpec.byName.get(name) ?? { spec, namespace, labels, terminating, example: podKey(pod) };
    ofSpec.byName.set(name, kind);
    ofLabels.set(place, kind);
    return kind;
  }
}

/** By the labels object itself, then by namespace and whether the pod is terminating. */
type QuickKinds = Map<Labels, Map<string, Kind>>;

/** Finds the kinds that a selector may mean without asking all of them: by one label that it wants. */
export class KindIndex {
  readonly #all: readonly Kind[];
  readonly #byLabel = new Map<string, Kind[]>();

  constructor(kinds: ReadonlySet<Kind>) {
    this.#all = [...kinds];
    for (const kind of kinds) {
      for (const key in kind.labels) {
        const name = `${key}=${kind.labels[key]}`;
        const held = this.#byLabel.get(name);
        if (held === undefined) this.#byLabel.set(name, [kind]);
        else held.push(kind);
      }
    }
  }

  /** A superset of the kinds that the selector matches. */
  candidates(selector: LabelSelector | null): readonly Kind[] {
    if (selector === null) return [];
    const wanted = selector.expressions.find(({ operator }) => operator === 'In');
    if (wanted === undefined) return this.#all;
    return [...new Set(wanted.values)].flatMap((value) => this.#byLabel.get(`${wanted.key}=${value}`) ?? []);
  }
}

/** A term as one pod means it: the pod's namespace decides where it looks. */
export interface OwnedTerm {
  readonly term: PodAffinityTerm;
  readonly namespace: string;
}

/** Decides which pods affinity terms mean. */
export class TermMatcher {
  readonly #namespaceLabels: ReadonlyMap<string, Labels>;

  constructor(snapshot: ClusterSnapshot) {
    this.#namespaceLabels = new Map(snapshot.namespaces.map(({ name, labels }) => [name, labels]));
  }

  matches({ term, namespace }: OwnedTerm, kind: Kind): boolean {
    return this.#looksInto(term, namespace, kind.namespace) && selectorMatches(term.selector, kind.labels);
  }

  #looksInto(term: PodAffinityTerm, own: string, other: string): boolean {
    if (term.namespaces.length === 0 && term.namespaceSelector === null) return own === other;
    const labels = { 'kubernetes.io/metadata.name': other, ...this.#namespaceLabels.get(other) };
    return term.namespaces.includes(other) || selectorMatches(term.namespaceSelector, labels);
  }
}

const known = new WeakMap<readonly Face[], Map<string, ReadonlySet<string | undefined>>>();
const hostnames = new WeakMap<Host, ReadonlySet<string>>();

/** Every value the host may have for a topology key; undefined among them when it may lack the label. */
export function domainsOf(host: Host, key: string): ReadonlySet<string | undefined> {
  if (key === LABEL.hostname) {
    const own = hostnames.get(host) ?? new Set([host.hostname]);
    hostnames.set(host, own);
    return own;
  }
  const byKey = known.get(host.faces) ?? new Map<string, ReadonlySet<string | undefined>>();
  known.set(host.faces, byKey);
  const found = byKey.get(key) ?? new Set(host.faces.map(({ labels }) => labelValue(labels, key)));
  byKey.set(key, found);
  return found;
}

/** The value that the plan states for the host's topology key; undefined when it has none. */
export function statedDomain(host: Host, key: string): string | undefined {
  return key === LABEL.hostname ? host.hostname : labelValue(host.stated.labels, key);
}

/** The domain if it is certain, else one that the host shares with no other; undefined when it may have none. */
export function certainDomain(host: Host, key: string): string | undefined {
  const domains = domainsOf(host, key);
  if (domains.has(undefined) || domains.size === 0) return undefined;
  const [first] = domains;
  return domains.size === 1 ? first : `?${host.hostname}`;
}
