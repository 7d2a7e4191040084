// The planning thread's copy of the cluster and the catalogue, kept up to date by news.
import type { Consolidation } from '../model/consolidation.ts';
import type { InstanceType } from '../model/instanceType.ts';
import type { Pod } from '../model/pod.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import type { PlanProblem } from '../ports/planner.ts';
import { followParts, type ListPart } from './listTrail.ts';
import type { DecideMessage, ListNews, NewsMessage, SolveMessage } from './messages.ts';
import { podFromRow, type SharedValue } from './podWire.ts';

const EMPTY_SNAPSHOT: ClusterSnapshot = {
  takenAtMs: 0,
  provisioners: [],
  nodeClasses: [],
  nodes: [],
  nodeClaims: [],
  pods: [],
  daemonSets: [],
  namespaces: [],
  disruptionBudgets: [],
  persistentVolumes: [],
  persistentVolumeClaims: [],
  storageClasses: [],
  csiNodes: [],
};

export class ProblemReceiver {
  readonly #shared = new Map<number, SharedValue>();
  readonly #types = new Map<string, readonly InstanceType[]>();
  #snapshot = EMPTY_SNAPSHOT;
  #wanted: readonly Pod[] = [];
  /** Parts of the list that is being told. */
  #parts: ListPart<unknown>[] = [];

  /** Takes news in. Values that nobody refers to any more are forgotten. */
  take({ shared, news, last }: NewsMessage): void {
    for (const [id, value] of shared.fresh) this.#shared.set(id, value);
    for (const part of this.#decoded(news)) this.#parts.push(part);
    for (const id of shared.forgotten) this.#shared.delete(id);
    if (!last) return;
    this.#replace(news, this.#parts);
    this.#parts = [];
  }

  /** The problem as it has been told; lists that have not changed are the ones of the problem before. */
  problem({ nominated, budgetMs, ...message }: SolveMessage): PlanProblem {
    return { ...this.#world(message), pods: this.#wanted, nominated, budgetMs };
  }

  /** The cluster as it has been told; what is told afterwards does not change it. */
  consolidation({ view, ...message }: DecideMessage): Consolidation {
    return { ...this.#world(message), view };
  }

  #world({
    takenAtMs,
    provisioners,
  }: Pick<SolveMessage, 'takenAtMs' | 'provisioners'>): Pick<Consolidation, 'snapshot' | 'catalogue'> {
    for (const name of this.#types.keys()) if (!provisioners.includes(name)) this.#types.delete(name);
    const catalogue = new Map(provisioners.map((name) => [name, this.#types.get(name) ?? []]));
    return { snapshot: { ...this.#snapshot, takenAtMs }, catalogue };
  }

  #decoded(news: ListNews): readonly ListPart<unknown>[] {
    if (news.of !== 'pods') return news.parts;
    const valueAt = (id: number): SharedValue => {
      const value = this.#shared.get(id);
      if (value === undefined) throw new Error(`shared value ${id} was never told`);
      return value;
    };
    return news.parts.map((part) =>
      part.kind === 'kept'
        ? part
        : { kind: 'fresh', items: part.items.map((row) => podFromRow(row, valueAt)) },
    );
  }

  /** The one place where lists lose their types: a part is what the sender of that list has put into it. */
  #replace({ of, list }: ListNews, parts: readonly ListPart<unknown>[]): void {
    if (of === 'types') {
      const before = this.#types.get(list) ?? [];
      this.#types.set(list, followParts(before, parts as ListPart<InstanceType>[]));
    } else if (list === 'wanted') {
      this.#wanted = followParts(this.#wanted, parts as ListPart<Pod>[]);
    } else {
      this.#snapshot = { ...this.#snapshot, [list]: followParts<unknown>(this.#snapshot[list], parts) };
    }
  }
}
