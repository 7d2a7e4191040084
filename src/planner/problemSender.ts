// Tells the planning thread of a problem: only what it does not know yet, a bounded amount in one turn.
import type { Consolidation, OrderedConsolidation } from '../model/consolidation.ts';
import type { InstanceType } from '../model/instanceType.ts';
import type { Pod } from '../model/pod.ts';
import type { Catalogue, ClusterSnapshot } from '../model/snapshot.ts';
import type { PlanProblem } from '../ports/planner.ts';
import { type ListPart, ListTrail } from './listTrail.ts';
import type { ListNews, NewsMessage, PodList, ProblemMessage, SnapshotList } from './messages.ts';
import { type PodRow, podRow, SharedNumbers } from './podWire.ts';

const OBJECT_LISTS: readonly Exclude<SnapshotList, 'pods'>[] = [
  'provisioners',
  'nodeClasses',
  'nodes',
  'nodeClaims',
  'daemonSets',
  'namespaces',
  'disruptionBudgets',
  'persistentVolumes',
  'persistentVolumeClaims',
  'storageClasses',
  'csiNodes',
];

/** Copying so many takes some milliseconds: pods about 1 µs each, types and nodes about 10. */
const PODS_A_TURN = 2_000;
const OBJECTS_A_TURN = 250;
const PARTS_A_MESSAGE = 1_000;

/** One for each life of the thread: a new thread knows nothing. */
export class ProblemSender {
  readonly #post: (message: ProblemMessage) => void;
  readonly #nextTurn: () => Promise<void>;
  readonly #numbers = new SharedNumbers();
  readonly #pods: Readonly<Record<PodList, ListTrail<Pod>>> = {
    pods: new ListTrail(),
    wanted: new ListTrail(),
  };
  readonly #objects = new Map<SnapshotList, ListTrail<object>>();
  readonly #types = new Map<string, ListTrail<InstanceType>>();
  /** How much of what one turn may take has been used, from 0 to 1. */
  #spent = 0;

  /** @param nextTurn resolves once the event loop has been round */
  constructor(post: (message: ProblemMessage) => void, nextTurn: () => Promise<void>) {
    this.#post = post;
    this.#nextTurn = nextTurn;
  }

  /** Brings the thread up to date and asks it to plan. */
  async send({ snapshot, catalogue, pods, nominated, budgetMs }: PlanProblem): Promise<void> {
    await this.#sendWorld(snapshot, catalogue);
    await this.#sendPods('wanted', pods);
    const { takenAtMs } = snapshot;
    this.#post({ kind: 'solve', takenAtMs, provisioners: [...catalogue.keys()], nominated, budgetMs });
  }

  /** Brings the thread up to date and asks it what to consolidate, or whether what was ordered still pays. */
  async sendDecision(
    { snapshot, catalogue, view }: Consolidation,
    ordered: OrderedConsolidation | null,
  ): Promise<void> {
    await this.#sendWorld(snapshot, catalogue);
    const { takenAtMs } = snapshot;
    this.#post({ kind: 'decide', takenAtMs, provisioners: [...catalogue.keys()], view, ordered });
  }

  async #sendWorld(snapshot: ClusterSnapshot, catalogue: Catalogue): Promise<void> {
    await this.prepare(snapshot);
    for (const name of this.#types.keys()) if (!catalogue.has(name)) this.#types.delete(name);
    for (const [name, types] of catalogue) await this.#sendTypes(name, types);
  }

  /** Brings the thread up to date with the cluster, so that less is left to send when a plan is wanted. */
  async prepare(snapshot: ClusterSnapshot): Promise<void> {
    await this.#sendPods('pods', snapshot.pods);
    for (const name of OBJECT_LISTS) await this.#sendObjects(name, snapshot[name]);
  }

  #sendPods(list: PodList, next: readonly Pod[]): Promise<void> {
    const rowOf = (pod: Pod): PodRow => podRow(pod, (value) => this.#numbers.numberOf(value));
    const wrap = (parts: readonly ListPart<Pod>[]): ListNews => ({
      of: 'pods',
      list,
      parts: parts.map((part) =>
        part.kind === 'kept' ? part : { kind: 'fresh', items: part.items.map(rowOf) },
      ),
    });
    return this.#sendList(this.#pods[list], next, { mostATurn: PODS_A_TURN, wrap });
  }

  #sendObjects(list: SnapshotList, next: readonly object[]): Promise<void> {
    const trail = this.#objects.get(list) ?? new ListTrail();
    this.#objects.set(list, trail);
    const wrap = (parts: readonly ListPart<object>[]): ListNews => ({ of: 'objects', list, parts });
    return this.#sendList(trail, next, { mostATurn: OBJECTS_A_TURN, wrap });
  }

  #sendTypes(list: string, next: readonly InstanceType[]): Promise<void> {
    const trail = this.#types.get(list) ?? new ListTrail();
    this.#types.set(list, trail);
    const wrap = (parts: readonly ListPart<InstanceType>[]): ListNews => ({ of: 'types', list, parts });
    return this.#sendList(trail, next, { mostATurn: OBJECTS_A_TURN, wrap });
  }

  async #sendList<T extends object>(
    trail: ListTrail<T>,
    next: readonly T[],
    { mostATurn, wrap }: { mostATurn: number; wrap: (parts: readonly ListPart<T>[]) => ListNews },
  ): Promise<void> {
    if (trail.isAt(next)) return;
    let parts: ListPart<T>[] = [];
    for (const part of trail.partsTo(next, mostATurn)) {
      const share = part.kind === 'fresh' ? part.items.length / mostATurn : 0;
      if (parts.length >= PARTS_A_MESSAGE || this.#spent + share > 1) {
        if (parts.length > 0) this.#postNews(wrap(parts), false);
        await this.#nextTurn();
        parts = [];
        this.#spent = 0;
      }
      parts.push(part);
      this.#spent += share;
    }
    this.#postNews(wrap(parts), true);
  }

  #postNews(news: ListNews, last: boolean): void {
    const message: NewsMessage = { kind: 'news', shared: this.#numbers.takeNews(), news, last };
    this.#post(message);
  }
}
