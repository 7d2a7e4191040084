// The schema language of our resources: JSON Schema plus rules; ajv's schema and the CRD are both made from it.
import type { FieldPath } from '../fieldPath.ts';
import type { Problem } from '../parsed.ts';

/** Paths of what breaks a rule, below the value. The value fits the schema that the rule stands in. */
type Offending = (value: never) => readonly FieldPath[];

/**
 * A condition that no schema keyword can state, written twice: as CEL for the API server and as code for
 * everything else. Both stand side by side so that they stay in step; a test runs both over the same examples.
 */
export interface Rule {
  /** The field to name, below the value that the rule is about, in dots; '' for the value itself. */
  readonly field: string;
  /** What is wrong when the rule is broken, as the rest of a sentence that starts with the field. */
  readonly problem: string;
  readonly mend: string;
  /** CEL over `self`, true when the rule holds. */
  readonly cel: string;
  /** The same condition in code: no path when the rule holds. */
  readonly offending: Offending;
}

type RuleWords = Pick<Rule, 'field' | 'problem' | 'mend'>;

/** Pairs the CEL of a rule with code that is typed by the value it looks at. */
export function rule<T>(words: RuleWords, cel: string, holds: (value: T) => boolean): Rule {
  const path = words.field === '' ? [] : words.field.split('.');
  return { ...words, cel, offending: (value: T) => (holds(value) ? [] : [path]) };
}

/** A rule on each key of a map: `cel` is over `k`, `problem` is about the key. Our side names it, which CEL cannot. */
export function keyRule(words: Omit<RuleWords, 'field'>, cel: string, holds: (key: string) => boolean): Rule {
  return {
    field: '',
    problem: `has a key that ${words.problem}`,
    mend: words.mend,
    cel: `self.all(k, ${cel})`,
    offending: (map: Readonly<Record<string, unknown>>) => badKeys(map, holds).map((key) => [key]),
  };
}

function badKeys(map: Readonly<Record<string, unknown>>, holds: (key: string) => boolean): readonly string[] {
  return Object.keys(map).filter((key) => !holds(key));
}

/** A CEL string literal. */
export function celText(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}

/** A CEL list of strings. */
export function celList(texts: readonly string[]): string {
  return `[${texts.map(celText).join(', ')}]`;
}

/** What the API server says when the rule is broken, after the object and field, which it names itself. */
export function ruleMessage({ problem, mend }: Rule): string {
  return `${problem}; ${mend}`;
}

interface Described {
  readonly description: string;
  readonly rules?: readonly Rule[];
}

export interface ObjectSchema extends Described {
  readonly type: 'object';
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly preserveUnknownFields?: true;
}

export interface MapSchema extends Described {
  readonly type: 'map';
  readonly values: Schema;
  readonly minProperties?: number;
  readonly maxProperties: number;
}

export interface ListSchema extends Described {
  readonly type: 'list';
  readonly items: Schema;
  readonly minItems?: number;
  readonly maxItems: number;
}

export interface TextSchema extends Described {
  readonly type: 'text';
  readonly enum?: readonly string[];
  readonly pattern?: string;
  /** What the pattern asks for, to stand after "must be": `a label key such as example.com/team`. */
  readonly meaning?: string;
  readonly format?: 'date-time';
  readonly minLength?: number;
  readonly maxLength: number;
}

/** A text that may also be written as a whole number, as Kubernetes quantities may. */
export interface QuantitySchema extends Described {
  readonly type: 'quantity';
  readonly pattern: string;
  readonly meaning: string;
}

export interface NumberSchema extends Described {
  readonly type: 'int32' | 'int64' | 'number';
  readonly minimum?: number;
  readonly maximum?: number;
}

export interface FlagSchema extends Described {
  readonly type: 'flag';
}

export type Schema =
  | ObjectSchema
  | MapSchema
  | ListSchema
  | TextSchema
  | QuantitySchema
  | NumberSchema
  | FlagSchema;

/** A custom resource: its names, its spec and status, and what `kubectl get` shows. */
export interface Resource {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  /** 63 where the name becomes the value of a label, 253 otherwise. */
  readonly nameMaxLength: 63 | 253;
  readonly shortNames: readonly string[];
  readonly description: string;
  readonly spec: ObjectSchema;
  readonly status: ObjectSchema;
  readonly printerColumns: readonly PrinterColumn[];
}

export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'date';
  readonly jsonPath: string;
  /** 0 is always shown, 1 with `-o wide`. */
  readonly priority: 0 | 1;
  readonly description: string;
}

/** `karpenter.sh/v1alpha5` */
export function apiVersionOf(resource: Resource): string {
  return `${resource.group}/${resource.version}`;
}

/** What to say of a name longer than the kind allows; CEL cannot point into metadata, so it says all of this. */
export function nameTooLong({ nameMaxLength }: Resource): Problem {
  return {
    field: 'metadata.name',
    problem: `is longer than ${nameMaxLength} characters`,
    mend: 'shorten it, since it becomes the value of a label',
  };
}
