// A manifest of one of our kinds, checked as a whole: what every parser of a custom resource starts with.
import type { FieldPath } from './fieldPath.ts';
import { formatFieldPath } from './fieldPath.ts';
import { type Metadata, readMetadata } from './objects/metadata.ts';
import { asRaw, numberIn, type Raw } from './objects/raw.ts';
import type { Parsed, Problem } from './parsed.ts';
import { ruleProblems } from './ruleProblems.ts';
import { schemaProblems } from './schemaProblems.ts';
import type { Resource, Schema } from './schemas/schema.ts';
import { apiVersionOf, nameTooLong } from './schemas/schema.ts';
import { unknownField, unknownFieldProblems } from './unknownFields.ts';

/** A manifest whose spec and status fit their schemas; `S` and `T` say how those look. */
export interface CheckedManifest<S, T> {
  readonly metadata: Metadata;
  /** Counts changes of the spec; 0 for a manifest that no API server has seen. */
  readonly generation: number;
  readonly spec: S;
  readonly status: T;
}

/** Whether a bad status is a problem; only for kinds that have something stored there. */
type StatusUse = 'read' | 'ignored';

/**
 * Checks a manifest against the resource's schema and rules. Never throws, whatever the JSON.
 * @param resource the kind that it must be
 * @param manifest parsed JSON or YAML, trusted in nothing
 */
export function checkManifest<S, T = unknown>(
  resource: Resource,
  manifest: unknown,
  statusUse: StatusUse = 'ignored',
): Parsed<CheckedManifest<S, T>> {
  const raw = asRaw(manifest);
  const metadata = readMetadata(manifest);
  const name = metadata?.name ?? '';
  const unsafe = unsafeKeyProblems(manifest);
  if (unsafe.length > 0) return { kind: 'invalid', name, problems: unsafe };
  const status = raw?.status ?? {};
  const problems = [
    ...headProblems(resource, raw, name),
    ...sectionProblems(resource.spec, raw?.spec, ['spec']),
    ...(statusUse === 'read' ? sectionProblems(resource.status, status, ['status']) : []),
  ];
  if (problems.length > 0 || metadata === null) return { kind: 'invalid', name, problems };
  // Both sections have just been checked against the schemas that S and T are written after.
  const generation = numberIn(metadata.raw, 'generation') ?? 0;
  return { kind: 'valid', value: { metadata, generation, spec: raw?.spec as S, status: status as T } };
}

/** Fields of the manifest that nothing reads: slips of the keyboard mostly. */
export function unknownManifestFields(resource: Resource, manifest: unknown): readonly Problem[] {
  const raw = asRaw(manifest);
  if (raw === null) return [];
  const known = ['apiVersion', 'kind', 'metadata', 'spec', 'status'];
  const top = Object.keys(raw).filter((key) => !known.includes(key));
  return [
    ...top.map((key) => unknownField(known, [key])),
    ...unknownFieldProblems(resource.spec, raw.spec, ['spec']),
    ...unknownFieldProblems(resource.status, raw.status, ['status']),
  ];
}

function headProblems(resource: Resource, raw: Raw | null, name: string): readonly Problem[] {
  const wanted = { apiVersion: apiVersionOf(resource), kind: resource.kind };
  const problems: Problem[] = [];
  for (const [field, value] of Object.entries(wanted)) {
    if (raw?.[field] !== value) problems.push({ field, problem: `is not ${value}`, mend: `write ${value}` });
  }
  if (!OBJECT_NAME.test(name)) {
    problems.push({
      field: 'metadata.name',
      problem: name === '' ? 'is missing' : 'is no valid name',
      mend: 'write at most 253 lower-case letters, digits, dashes and dots',
    });
  } else if (name.length > resource.nameMaxLength) {
    problems.push(nameTooLong(resource));
  }
  return problems;
}

const OBJECT_NAME = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

function sectionProblems(schema: Schema, value: unknown, path: FieldPath): readonly Problem[] {
  if (value === undefined) {
    return [
      { field: formatFieldPath(path), problem: 'is missing', mend: 'write it as the documentation shows' },
    ];
  }
  const misfits = schemaProblems(schema, value, path);
  const faulty = misfits.map(({ field }) => field);
  return [...misfits, ...ruleProblems(schema, { value, path, faulty })];
}

const UNSAFE_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** A value on the way down, and the way back up: a path is written out only where something is wrong. */
interface Step {
  readonly value: object;
  readonly segment: string | number;
  readonly parent: Step | null;
}

/** Keys that could reach an object's prototype when copied. No manifest needs them, so they stop at the door. */
function unsafeKeyProblems(manifest: unknown): readonly Problem[] {
  if (typeof manifest !== 'object' || manifest === null) return [];
  const problems: Problem[] = [];
  const pending: Step[] = [{ value: manifest, segment: '', parent: null }];
  for (let step = pending.pop(); step !== undefined; step = pending.pop()) {
    const isList = Array.isArray(step.value);
    for (const [key, value] of Object.entries(step.value)) {
      if (UNSAFE_KEYS.has(key)) {
        const field = formatFieldPath([...pathOf(step), key]);
        problems.push({ field, problem: 'has a key that is not safe', mend: 'rename it' });
      }
      if (typeof value !== 'object' || value === null) continue;
      pending.push({ value, segment: isList ? Number(key) : key, parent: step });
    }
  }
  return problems;
}

function pathOf(step: Step): FieldPath {
  const path: (string | number)[] = [];
  for (let at = step; at.parent !== null; at = at.parent) path.unshift(at.segment);
  return path;
}
