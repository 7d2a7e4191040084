// Which fields of a Provisioner do not go together, or say nothing without one another.
import { NODES_LIMIT } from '../../model/provisioner.ts';
import { TAINTS_APART, VALID_KEYS } from './labels.ts';
import { keyRule, type Rule, rule } from './schema.ts';

interface WrittenSpec {
  readonly ttlSecondsAfterEmpty?: number;
  readonly ttlSecondsUntilExpired?: number;
  readonly consolidation?: { readonly enabled?: boolean };
  readonly disruption?: {
    readonly consolidationPolicy?: string;
    readonly consolidateAfter?: string;
    readonly minimumSavings?: object;
    readonly expireJitter?: string;
  };
  readonly provider?: object;
  readonly providerRef?: object;
}

export const SPEC_RULES: readonly Rule[] = [
  rule<WrittenSpec>(
    {
      field: 'ttlSecondsAfterEmpty',
      problem: 'cannot be combined with consolidation.enabled, which removes empty nodes already',
      mend: 'keep one of the two',
    },
    '!has(self.ttlSecondsAfterEmpty) || !has(self.consolidation) || ' +
      '!has(self.consolidation.enabled) || !self.consolidation.enabled',
    (spec) => spec.ttlSecondsAfterEmpty === undefined || spec.consolidation?.enabled !== true,
  ),
  rule<WrittenSpec>(
    {
      field: 'ttlSecondsAfterEmpty',
      problem: 'cannot be combined with disruption.consolidationPolicy, which removes empty nodes too',
      mend: 'keep one of the two: consolidationPolicy WhenEmpty with consolidateAfter does the same',
    },
    '!has(self.ttlSecondsAfterEmpty) || !has(self.disruption) || ' +
      "!has(self.disruption.consolidationPolicy) || self.disruption.consolidationPolicy == 'Never'",
    (spec) =>
      spec.ttlSecondsAfterEmpty === undefined ||
      (spec.disruption?.consolidationPolicy ?? 'Never') === 'Never',
  ),
  rule<WrittenSpec>(
    {
      field: 'consolidation',
      problem: 'is enabled, but disruption.consolidationPolicy says otherwise',
      mend: 'remove one of the two, since enabled means WhenEmptyOrUnderutilized',
    },
    '!has(self.consolidation) || !has(self.consolidation.enabled) || !self.consolidation.enabled || ' +
      '!has(self.disruption) || !has(self.disruption.consolidationPolicy) || ' +
      "self.disruption.consolidationPolicy == 'WhenEmptyOrUnderutilized'",
    (spec) =>
      spec.consolidation?.enabled !== true ||
      (spec.disruption?.consolidationPolicy ?? 'WhenEmptyOrUnderutilized') === 'WhenEmptyOrUnderutilized',
  ),
  rule<WrittenSpec>(
    {
      field: 'disruption.consolidateAfter',
      problem: 'says nothing, since nothing asks for consolidation',
      mend: 'set disruption.consolidationPolicy, or ttlSecondsAfterEmpty in its place',
    },
    '!has(self.disruption) || !has(self.disruption.consolidateAfter) || ' +
      "self.disruption.consolidateAfter == 'Never' || has(self.disruption.consolidationPolicy) || " +
      '(has(self.consolidation) && has(self.consolidation.enabled) && self.consolidation.enabled)',
    ({ disruption: written, consolidation }) =>
      (written?.consolidateAfter ?? 'Never') === 'Never' ||
      written?.consolidationPolicy !== undefined ||
      consolidation?.enabled === true,
  ),
  rule<WrittenSpec>(
    {
      field: 'disruption.minimumSavings',
      problem: 'says nothing with consolidationPolicy WhenEmpty, which replaces no node',
      mend: 'remove it, or write WhenEmptyOrUnderutilized',
    },
    '!has(self.disruption) || !has(self.disruption.minimumSavings) || ' +
      "!has(self.disruption.consolidationPolicy) || self.disruption.consolidationPolicy != 'WhenEmpty'",
    ({ disruption: written }) =>
      written?.minimumSavings === undefined || written.consolidationPolicy !== 'WhenEmpty',
  ),
  rule<WrittenSpec>(
    {
      field: 'disruption.expireJitter',
      problem: 'says nothing without ttlSecondsUntilExpired',
      mend: 'set ttlSecondsUntilExpired too',
    },
    '!has(self.disruption) || !has(self.disruption.expireJitter) || has(self.ttlSecondsUntilExpired)',
    ({ disruption: written, ttlSecondsUntilExpired }) =>
      written?.expireJitter === undefined || ttlSecondsUntilExpired !== undefined,
  ),
  rule<WrittenSpec>(
    { field: 'provider', problem: 'cannot be combined with providerRef', mend: 'keep one of the two' },
    '!has(self.provider) || !has(self.providerRef)',
    (spec) => spec.provider === undefined || spec.providerRef === undefined,
  ),
  rule<WrittenSpec>(
    {
      field: 'providerRef',
      problem: 'is missing, so nothing says where nodes are launched',
      mend: 'name an AWSNodeTemplate in it',
    },
    'has(self.provider) || has(self.providerRef)',
    (spec) => spec.provider !== undefined || spec.providerRef !== undefined,
  ),
  TAINTS_APART,
];

/** What is no resource of a node has a field of its own; `nodes` alone is among the resources, as in NodePool v1. */
export const LIMIT_RULES: readonly Rule[] = [
  VALID_KEYS,
  keyRule(
    { problem: 'is no resource', mend: 'write limits.usdPerHour' },
    "k != 'usdPerHour'",
    (key) => key !== 'usdPerHour',
  ),
  // CEL has no quantities before Kubernetes 1.29; nobody counts nodes in thousandths or mebis.
  rule<Readonly<Record<string, string | number>>>(
    {
      field: NODES_LIMIT,
      problem: 'is no whole number of nodes',
      mend: 'write how many there may be, in digits, such as 20',
    },
    `!('${NODES_LIMIT}' in self) || string(self['${NODES_LIMIT}']).matches('^[0-9]+$')`,
    (limits) => /^[0-9]+$/.test(String(limits[NODES_LIMIT] ?? 0)),
  ),
];
