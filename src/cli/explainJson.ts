// An explanation as JSON: times as RFC 3339, resources as quantities, all else as it is.
import type { NodeExplanation, PodExplanation } from '../disruption/explanation.ts';
import type { ToldEvent } from '../kube/listing.ts';
import { formatResources, type Resources } from '../model/resources.ts';

const RESOURCES: ReadonlySet<string> = new Set(['requests', 'requested', 'allocatable']);

/** Fields that end in `AtMs` lose the `Ms`; `sinceMs` becomes `since`. */
export function explainJson(
  kind: string,
  explanation: NodeExplanation | PodExplanation,
  beside: { readonly events: readonly ToldEvent[]; readonly notes: readonly string[] },
): string {
  return JSON.stringify(readable({ kind, ...explanation, ...beside }), null, 2);
}

function readable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(readable);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).map(([name, field]): [string, unknown] => {
    if (RESOURCES.has(name)) return [name, formatResources(field as Resources)];
    if (/AtMs$|^atMs$|^sinceMs$/.test(name))
      return [name.replace(/Ms$/, ''), timeText(field as number | null)];
    return [name, readable(field)];
  });
  return Object.fromEntries(fields);
}

function timeText(timeMs: number | null): string | null {
  return timeMs === null ? null : new Date(timeMs).toISOString();
}
