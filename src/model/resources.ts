// Resource amounts by name, in integers: cpu in millicores, memory and storage in bytes, all else in whole units.
import { formatBytes, formatMillis, parseQuantity } from './quantity.ts';

/** Amounts by Kubernetes name. `cpu` is in millicores; `memory`, `ephemeral-storage`, `hugepages-*` in bytes. */
export type Resources = Readonly<Record<string, number>>;

export const NO_RESOURCES: Resources = Object.freeze({});

const BYTE_RESOURCES = /^(memory|ephemeral-storage|storage|hugepages-.+)$/;

/** Parses one amount of a named resource into the integer that `Resources` holds; null when it is no quantity. */
export function parseAmount(name: string, text: string | number): number | null {
  return parseQuantity(text, name === 'cpu' ? -3 : 0);
}

/** Writes one amount of a named resource as a Kubernetes quantity string. */
export function formatAmount(name: string, amount: number): string {
  if (name === 'cpu') return formatMillis(amount);
  return BYTE_RESOURCES.test(name) ? formatBytes(amount) : String(amount);
}

/** Writes all amounts as Kubernetes quantity strings, sorted by name. */
export function formatResources(resources: Resources): Record<string, string> {
  const names = Object.keys(resources).sort();
  return Object.fromEntries(names.map((name) => [name, formatAmount(name, resources[name] ?? 0)]));
}

/** True when every amount asked for is at most what is available; a name that is not available counts as 0. */
export function fits(request: Resources, available: Resources): boolean {
  for (const name in request) {
    if ((request[name] ?? 0) > (available[name] ?? 0)) return false;
  }
  return true;
}

/** Sum by name. */
export function addResources(left: Resources, right: Resources): Resources {
  const sum: Record<string, number> = { ...left };
  for (const name in right) sum[name] = (sum[name] ?? 0) + (right[name] ?? 0);
  return sum;
}

/** Difference by name; amounts may fall below zero. */
export function subtractResources(left: Resources, right: Resources): Resources {
  const difference: Record<string, number> = { ...left };
  for (const name in right) difference[name] = (difference[name] ?? 0) - (right[name] ?? 0);
  return difference;
}

/** The larger amount by name. */
export function maxResources(left: Resources, right: Resources): Resources {
  const larger: Record<string, number> = { ...left };
  for (const name in right) larger[name] = Math.max(larger[name] ?? 0, right[name] ?? 0);
  return larger;
}
