// Schemas of labels, annotations, taints and requirements, with the rules on which labels users may set.
import {
  ALLOWED_DOMAINS,
  isRestrictedLabel,
  LABEL,
  LABEL_ALIASES,
  RESTRICTED_DOMAINS,
  WELL_KNOWN_LABELS,
} from '../../model/labels.ts';
import type { Requirement } from '../../model/requirement.ts';
import type { Taint } from '../../model/taint.ts';
import type { ListSchema, MapSchema, ObjectSchema, Rule, TextSchema } from './schema.ts';
import { celList, celText, keyRule, rule } from './schema.ts';

const DNS_LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const NAME_PART = '[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?';
/** Source: Kubernetes, "Labels and Selectors", syntax and character set. */
const QUALIFIED_NAME = `^(${DNS_LABEL}(\\.${DNS_LABEL})*/)?${NAME_PART}$`;
const LABEL_VALUE = `^(${NAME_PART})?$`;
const KEY_MAX_LENGTH = 253 + 1 + 63;
const VALUE_MAX_LENGTH = 63;
const WHOLE_NUMBER = '^[0-9]{1,15}$';

const QUALIFIED_NAME_REGEXP = new RegExp(QUALIFIED_NAME, 'u');
const WHOLE_NUMBER_REGEXP = new RegExp(WHOLE_NUMBER, 'u');

export const labelKey = (description: string): TextSchema => ({
  type: 'text',
  description,
  pattern: QUALIFIED_NAME,
  meaning: 'a label key such as example.com/team',
  maxLength: KEY_MAX_LENGTH,
});

export const labelValue = (description: string): TextSchema => ({
  type: 'text',
  description,
  pattern: LABEL_VALUE,
  meaning:
    'a label value: at most 63 letters, digits, dots, dashes and underscores, none of the three at an end',
  maxLength: VALUE_MAX_LENGTH,
});

/** Keys follow the syntax of label keys: for labels, annotations and resource names. */
export const VALID_KEYS: Rule = keyRule(
  {
    problem: 'is not valid',
    mend: 'write a name of at most 63 letters, digits, dots, dashes and underscores, with a DNS prefix if you like',
  },
  `size(k) <= ${KEY_MAX_LENGTH} && k.matches(${celText(QUALIFIED_NAME)})`,
  (key) => key.length <= KEY_MAX_LENGTH && QUALIFIED_NAME_REGEXP.test(key),
);

const alternatives = (domains: readonly string[]): string => domains.join('|').replaceAll('.', '\\.');
const inDomains = (key: string, domains: readonly string[]): string =>
  `${key}.matches(${celText(`^([^/]+\\.)?(${alternatives(domains)})/`)})`;
const MAY_BE_SET = [...WELL_KNOWN_LABELS, ...Object.keys(LABEL_ALIASES)].sort();

/** CEL of `!isRestrictedLabel(key)`. */
const notRestricted = (key: string): string =>
  [
    `${key} in ${celList(MAY_BE_SET)}`,
    `!${inDomains(key, RESTRICTED_DOMAINS)}`,
    `${inDomains(key, ALLOWED_DOMAINS)}`,
  ].join(' || ');

const RESTRICTED = {
  problem: 'is in a domain that Kubernetes or Cooper sets labels in',
  mend: 'use a well-known label or one of your own, such as example.com/team',
};
const OWNER = {
  problem: `names the label ${LABEL.provisioner}, which Cooper sets itself`,
  mend: 'remove it',
};

/** Who writes a list of labels: users may not name those that belong to Kubernetes or to us; we ourselves may. */
type Author = 'users' | 'controller';

export const labels = (description: string, writtenBy: Author): MapSchema => ({
  type: 'map',
  description,
  values: labelValue('Value of the label.'),
  maxProperties: 100,
  rules: writtenBy === 'users' ? [VALID_KEYS, ...USER_KEY_RULES] : [VALID_KEYS],
});

const USER_KEY_RULES: readonly Rule[] = [
  keyRule(OWNER, `k != ${celText(LABEL.provisioner)}`, (key) => key !== LABEL.provisioner),
  keyRule(RESTRICTED, notRestricted('k'), (key) => !isRestrictedLabel(key)),
];

export const annotations = (description: string): MapSchema => ({
  type: 'map',
  description,
  values: { type: 'text', description: 'Value of the annotation.', maxLength: 65_536 },
  maxProperties: 100,
  rules: [VALID_KEYS],
});

const TAINT: ObjectSchema = {
  type: 'object',
  description: 'A taint: pods that do not tolerate it stay away.',
  required: ['key', 'effect'],
  properties: {
    key: labelKey('Key of the taint.'),
    value: labelValue('Value of the taint; empty when absent.'),
    effect: {
      type: 'text',
      description: 'What happens to pods that do not tolerate the taint.',
      enum: ['NoSchedule', 'PreferNoSchedule', 'NoExecute'],
      maxLength: 16,
    },
    timeAdded: {
      type: 'text',
      description: 'Part of the Kubernetes type; ignored here.',
      format: 'date-time',
      maxLength: 64,
    },
  },
};

type TaintId = Pick<Taint, 'key' | 'effect'>;

const isSameTaint = (left: TaintId, right: TaintId): boolean =>
  left.key === right.key && left.effect === right.effect;

export const taints = (description: string): ListSchema => ({
  type: 'list',
  description,
  items: TAINT,
  maxItems: 50,
  rules: [
    rule<readonly TaintId[]>(
      {
        field: '',
        problem: 'names the same key and effect twice',
        mend: 'keep one taint for each pair of key and effect',
      },
      'self.all(a, self.exists_one(b, a.key == b.key && a.effect == b.effect))',
      (list) => list.every((one, index) => list.findIndex((other) => isSameTaint(one, other)) === index),
    ),
  ],
});

/** For a spec with both lists: a pair of key and effect stands in one of them only. */
export const TAINTS_APART: Rule = rule<{ taints?: readonly TaintId[]; startupTaints?: readonly TaintId[] }>(
  {
    field: 'startupTaints',
    problem: 'repeats a key and effect of spec.taints',
    mend: 'keep the taint in one of the two lists',
  },
  '!has(self.taints) || !has(self.startupTaints) || self.taints.all(a, ' +
    '!self.startupTaints.exists(b, a.key == b.key && a.effect == b.effect))',
  (spec) => {
    const startup = spec.startupTaints ?? [];
    return !(spec.taints ?? []).some((taint) => startup.some((other) => isSameTaint(taint, other)));
  },
);

type WrittenRequirement = Omit<Requirement, 'values'> & { readonly values?: readonly string[] };

const OPERAND_RULES: readonly Rule[] = [
  rule<WrittenRequirement>(
    { field: 'values', problem: 'is empty, but In needs a value', mend: 'list at least one value' },
    "self.operator != 'In' || (has(self.values) && size(self.values) > 0)",
    ({ operator, values = [] }) => operator !== 'In' || values.length > 0,
  ),
  rule<WrittenRequirement>(
    {
      field: 'values',
      problem: 'does not fit Gt or Lt, which compare with one number',
      mend: 'list exactly one whole number of 0 or more, in quotes',
    },
    "!(self.operator in ['Gt', 'Lt']) || " +
      `(has(self.values) && size(self.values) == 1 && self.values[0].matches(${celText(WHOLE_NUMBER)}))`,
    ({ operator, values = [] }) =>
      (operator !== 'Gt' && operator !== 'Lt') ||
      (values.length === 1 && WHOLE_NUMBER_REGEXP.test(values[0] ?? '')),
  ),
  rule<WrittenRequirement>(
    {
      field: 'minValues',
      problem: 'asks for more values than In lists',
      mend: 'list more values or lower it',
    },
    "!has(self.minValues) || self.operator != 'In' || " +
      '(has(self.values) && size(self.values) >= self.minValues)',
    ({ operator, values = [], minValues = 0 }) => operator !== 'In' || values.length >= minValues,
  ),
];

const USER_LABEL_RULES: readonly Rule[] = [
  rule<WrittenRequirement>(
    { field: 'key', ...OWNER },
    `self.key != ${celText(LABEL.provisioner)}`,
    ({ key }) => key !== LABEL.provisioner,
  ),
  rule<WrittenRequirement>(
    { field: 'key', ...RESTRICTED },
    notRestricted('self.key'),
    ({ key }) => !isRestrictedLabel(key),
  ),
];

/** A list of conditions on labels. */
export function requirements(description: string, writtenBy: Author): ListSchema {
  return {
    type: 'list',
    description,
    maxItems: 100,
    items: {
      type: 'object',
      description: 'A condition on one label of the node.',
      required: ['key', 'operator'],
      rules: writtenBy === 'users' ? [...OPERAND_RULES, ...USER_LABEL_RULES] : OPERAND_RULES,
      properties: {
        key: labelKey('Label that the condition is about.'),
        operator: {
          type: 'text',
          description:
            'How the label relates to the values. Gt and Lt compare whole numbers, both without the limit itself.',
          enum: ['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt'],
          maxLength: 16,
        },
        values: {
          type: 'list',
          description: 'Values to compare with: at least one for In, exactly one for Gt and Lt.',
          items: labelValue('One value.'),
          maxItems: 1000,
        },
        minValues: {
          type: 'int32',
          description: 'How many distinct values must stay possible at a launch, so that EC2 has a choice.',
          minimum: 1,
          maximum: 50,
        },
      },
    },
  };
}
