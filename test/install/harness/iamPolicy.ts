// Evaluates identity policies as IAM documents it, for the few operators that ours use.
// Source: IAM User Guide, "Policy evaluation logic", "Condition operators", "ForAllValues".

export interface Statement {
  readonly Sid?: string;
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

export interface PolicyDocument {
  readonly Statement: readonly Statement[];
}

export interface IamRequest {
  readonly action: string;
  readonly resource: string;
  /** Condition keys and their values; an absent key is absent. */
  readonly context: Readonly<Record<string, string>>;
}

type Matcher = (held: string | undefined, wanted: readonly string[]) => boolean;

/** A key that is not in the request makes an operator false, unless it ends in IfExists, which ours do not. */
const OPERATORS: Readonly<Record<string, Matcher>> = {
  StringEquals: (held, wanted) => held !== undefined && wanted.includes(held),
  StringLike: (held, wanted) => held !== undefined && wanted.some((one) => matchesPattern(one, held)),
  ArnEquals: (held, wanted) => held !== undefined && wanted.some((one) => matchesPattern(one, held)),
  // Of several values, joined by commas here, each must be among those wanted; of none, all are.
  'ForAllValues:StringEquals': (held, wanted) =>
    held === undefined || held.split(',').every((one) => wanted.includes(one)),
  Bool: (held, wanted) => held !== undefined && wanted.includes(held),
};

/** Whether the policies allow the request: some statement does, and none forbids. */
export function isAllowed(policies: readonly PolicyDocument[], request: IamRequest): boolean {
  const matching = policies.flatMap(({ Statement }) => Statement.filter((one) => matches(one, request)));
  return matching.length > 0 && matching.every(({ Effect }) => Effect === 'Allow');
}

function matches({ Action, Resource, Condition = {} }: Statement, request: IamRequest): boolean {
  if (!listOf(Action).some((one) => matchesPattern(one.toLowerCase(), request.action.toLowerCase())))
    return false;
  if (!listOf(Resource).some((one) => matchesPattern(one, request.resource))) return false;
  // Keys are the same whatever their case, except for the tag's name in them.
  return Object.entries(Condition).every(([name, keys]) =>
    Object.entries(keys).every(([key, wanted]) => operator(name)(request.context[key], listOf(wanted))),
  );
}

function operator(name: string): Matcher {
  const found = OPERATORS[name];
  if (found === undefined) throw new Error(`the evaluator of the tests does not know the operator ${name}`);
  return found;
}

function listOf(value: string | readonly string[]): readonly string[] {
  return typeof value === 'string' ? [value] : value;
}

/** `*` stands for any text, `?` for one character. */
export function matchesPattern(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's').test(text);
}

/** Every action that the policies name. */
export function actionsOf(policies: readonly PolicyDocument[]): readonly string[] {
  return [...new Set(policies.flatMap(({ Statement }) => Statement.flatMap(({ Action }) => listOf(Action))))];
}
