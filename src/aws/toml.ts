// As much TOML as Bottlerocket's user data needs: read, merged without touching prototypes, written sorted.

export type TomlValue = string | number | boolean | readonly TomlValue[] | TomlTable;
/** Has no prototype: keys such as `__proto__` are plain keys. */
export interface TomlTable {
  [key: string]: TomlValue;
}

export type ParsedToml =
  | { readonly kind: 'valid'; readonly value: TomlTable }
  | { readonly kind: 'invalid'; readonly problem: string };

export function emptyTable(): TomlTable {
  return Object.create(null) as TomlTable;
}

export function isTable(value: TomlValue | undefined): value is TomlTable {
  return typeof value === 'object' && !Array.isArray(value);
}

/** Both tables together, `over` winning; tables merge, all else replaces. */
export function mergeTables(under: TomlTable, over: TomlTable): TomlTable {
  const merged = emptyTable();
  for (const key of Object.keys(under)) merged[key] = under[key] as TomlValue;
  for (const key of Object.keys(over)) {
    const held = merged[key];
    const added = over[key] as TomlValue;
    merged[key] = isTable(held) && isTable(added) ? mergeTables(held, added) : added;
  }
  return merged;
}

/** A table from a plain record; undefined values are left out. */
export function tableOf(record: Readonly<Record<string, TomlValue | undefined>>): TomlTable {
  const table = emptyTable();
  for (const [key, value] of Object.entries(record)) if (value !== undefined) table[key] = value;
  return table;
}

/** Sections sorted by name, keys sorted within them, every string quoted. */
export function writeToml(table: TomlTable): string {
  return sectionsOf(table, []).join('\n');
}

function sectionsOf(table: TomlTable, path: readonly string[]): readonly string[] {
  const keys = Object.keys(table).sort();
  const plain = keys.filter((key) => !isTable(table[key]));
  const header = path.length === 0 ? '' : `[${path.map(writeKey).join('.')}]\n`;
  const lines = plain.map((key) => `${writeKey(key)} = ${writeValue(table[key] as TomlValue)}\n`).join('');
  const own = plain.length > 0 || (keys.length === 0 && path.length > 0) ? [`${header}${lines}`] : [];
  const nested = keys.flatMap((key) => {
    const value = table[key];
    return isTable(value) ? sectionsOf(value, [...path, key]) : [];
  });
  return [...own, ...nested];
}

function writeKey(key: string): string {
  return /^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key);
}

function writeValue(value: TomlValue): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((one: TomlValue) => writeValue(one)).join(', ')}]`;
  if (isTable(value)) {
    const entries = Object.keys(value).sort();
    return `{ ${entries.map((key) => `${writeKey(key)} = ${writeValue(value[key] as TomlValue)}`).join(', ')} }`;
  }
  return String(value);
}
