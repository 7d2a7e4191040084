// Reading of untyped JSON: every look-up answers with the wanted type or with nothing, and none throws.
import type { Parsed, Problem } from '../parsed.ts';

/** A JSON object of unknown content. */
export type Raw = Readonly<Record<string, unknown>>;

/** What could be read of an object: a value with its faulty fields left out, or null when it has no identity. */
export interface Reading<T> {
  readonly name: string;
  readonly value: T | null;
  readonly problems: readonly Problem[];
}

/** The strict view of a reading, for manifests that people write: any problem makes the object invalid. */
export function toParsed<T>({ name, value, problems }: Reading<T>): Parsed<T> {
  if (value !== null && problems.length === 0) return { kind: 'valid', value };
  return { kind: 'invalid', name, problems };
}

/** The value as an object, or null when it is none (arrays are none). */
export function asRaw(value: unknown): Raw | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Raw) : null;
}

/** A field that holds an object; null when it is absent or something else. */
export function objectIn(raw: Raw | null, field: string): Raw | null {
  return raw === null ? null : asRaw(raw[field]);
}

const NOTHING: readonly never[] = [];

/** A field that holds a list, its members unread; empty when it is absent or something else. */
export function listIn(raw: Raw | null, field: string): readonly unknown[] {
  const value = raw?.[field];
  return Array.isArray(value) ? value : NOTHING;
}

/** A field that holds a list of objects; members that are none are left out. */
export function objectsIn(raw: Raw | null, field: string): readonly Raw[] {
  const list = listIn(raw, field);
  return list.length === 0 ? NOTHING : list.map(asRaw).filter((member) => member !== null);
}

/** A field that holds a string; '' when it is absent or something else. */
export function textIn(raw: Raw | null, field: string): string {
  const value = raw?.[field];
  return typeof value === 'string' ? value : '';
}

/** A field that holds a list of strings; members that are none are left out. */
export function textsIn(raw: Raw | null, field: string): readonly string[] {
  const list = listIn(raw, field);
  return list.length === 0 ? NOTHING : list.filter((member) => typeof member === 'string');
}

/** A field that holds a number; null when it is absent or something else. */
export function numberIn(raw: Raw | null, field: string): number | null {
  const value = raw?.[field];
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

/** A field that holds an RFC 3339 time, in milliseconds since the epoch; null when it is absent or unreadable. */
export function timeMsIn(raw: Raw | null, field: string): number | null {
  const text = textIn(raw, field);
  if (text === '') return null;
  const timeMs = Date.parse(text);
  return Number.isNaN(timeMs) ? null : timeMs;
}

const NO_TEXTS: Readonly<Record<string, string>> = Object.freeze({});

/** A field that maps names to strings, sorted by name; entries that are no strings are left out. */
export function textMapIn(raw: Raw | null, field: string): Readonly<Record<string, string>> {
  const map = objectIn(raw, field);
  if (map === null) return NO_TEXTS;
  const names = Object.keys(map).filter((name) => typeof map[name] === 'string');
  if (names.length === 0) return NO_TEXTS;
  return Object.fromEntries(names.sort().map((name) => [name, textIn(map, name)]));
}
