// Pods on their way to the planning thread: a row of values each, with specs and labels sent once and named by number.
import type { OwnerReference, Pod, PodPhase, PodSpec } from '../model/pod.ts';

type Labels = Readonly<Record<string, string>>;

/** Values that many pods share. The packer compares specs by identity, so equal ones must arrive as one. */
export type SharedValue = PodSpec | Labels | OwnerReference;

/** One pod; numbers in place of what is shared, 0 for none. A row costs a third of the object to copy. */
export type PodRow = readonly [
  namespace: string,
  name: string,
  uid: string,
  labels: number,
  annotations: Labels | null,
  spec: number,
  owner: number,
  createdAtMs: number,
  phase: PodPhase,
  ready: boolean,
  nodeName: string,
  nominatedNodeName: string,
  unschedulableSinceMs: number | null,
  schedulingGated: boolean,
  deletionRequestedAtMs: number | null,
  mirror: boolean,
];

const NO_ANNOTATIONS: Labels = Object.freeze({});

/** @param numberOf the number that stands for a shared value */
export function podRow(pod: Pod, numberOf: (value: SharedValue) => number): PodRow {
  return [
    pod.namespace,
    pod.name,
    pod.uid,
    numberOf(pod.labels),
    Object.keys(pod.annotations).length === 0 ? null : pod.annotations,
    numberOf(pod.spec),
    pod.owner === null ? 0 : numberOf(pod.owner),
    pod.createdAtMs,
    pod.phase,
    pod.ready,
    pod.nodeName,
    pod.nominatedNodeName,
    pod.unschedulableSinceMs,
    pod.schedulingGated,
    pod.deletionRequestedAtMs,
    pod.mirror,
  ];
}

/** @param valueAt the shared value that a number stands for */
export function podFromRow(row: PodRow, valueAt: (id: number) => SharedValue): Pod {
  return {
    namespace: row[0],
    name: row[1],
    uid: row[2],
    labels: valueAt(row[3]) as Labels,
    annotations: row[4] ?? NO_ANNOTATIONS,
    spec: valueAt(row[5]) as PodSpec,
    owner: row[6] === 0 ? null : (valueAt(row[6]) as OwnerReference),
    createdAtMs: row[7],
    phase: row[8],
    ready: row[9],
    nodeName: row[10],
    nominatedNodeName: row[11],
    unschedulableSinceMs: row[12],
    schedulingGated: row[13],
    deletionRequestedAtMs: row[14],
    mirror: row[15],
  };
}

/** Numbers shared values on the sending side, and says once what each number stands for. */
export class SharedNumbers {
  readonly #numbers = new WeakMap<SharedValue, number>();
  readonly #registry = new FinalizationRegistry<number>((id) => this.#forgotten.push(id));
  #fresh: [number, SharedValue][] = [];
  #forgotten: number[] = [];
  #last = 0;

  numberOf(value: SharedValue): number {
    const known = this.#numbers.get(value);
    if (known !== undefined) return known;
    this.#last += 1;
    this.#numbers.set(value, this.#last);
    this.#registry.register(value, this.#last);
    this.#fresh.push([this.#last, value]);
    return this.#last;
  }

  /** What has been numbered since the last call, and numbers whose value nobody holds any more. */
  takeNews(): SharedNews {
    const news = { fresh: this.#fresh, forgotten: this.#forgotten };
    this.#fresh = [];
    this.#forgotten = [];
    return news;
  }
}

export interface SharedNews {
  readonly fresh: readonly (readonly [number, SharedValue])[];
  readonly forgotten: readonly number[];
}
