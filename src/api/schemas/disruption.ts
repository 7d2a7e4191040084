// The part of a Provisioner that says how its nodes may be disrupted.
import { BUDGETED_REASONS } from '../../model/disruptionPolicy.ts';
import { DURATION_PATTERN } from '../../model/duration.ts';
import type { NumberSchema, ObjectSchema, Rule } from './schema.ts';
import { rule } from './schema.ts';
import { cronField, durationField, LASTS, timeZoneField } from './timeWindow.ts';

interface WrittenBudget {
  readonly nodes?: string;
  readonly action?: string;
  readonly schedule?: string;
  readonly duration?: string;
  readonly timeZone?: string;
}

const amount = (description: string, maximum: number): NumberSchema => ({
  type: 'number',
  description,
  minimum: 0,
  maximum,
});

const BUDGET_RULES: readonly Rule[] = [
  rule<WrittenBudget>(
    {
      field: 'schedule',
      problem: 'goes with duration, and only one of them is there',
      mend: 'set both or neither',
    },
    'has(self.schedule) == has(self.duration)',
    ({ schedule, duration }) => (schedule === undefined) === (duration === undefined),
  ),
  rule<WrittenBudget>(
    { field: 'timeZone', problem: 'says nothing without schedule', mend: 'set schedule and duration too' },
    '!has(self.timeZone) || has(self.schedule) || has(self.duration)',
    ({ schedule, duration, timeZone }) =>
      timeZone === undefined || schedule !== undefined || duration !== undefined,
  ),
  rule<WrittenBudget>(
    {
      field: 'nodes',
      problem: 'is missing',
      mend: 'write how many may be going at once, or action Deny for none',
    },
    'has(self.nodes) || has(self.action)',
    ({ nodes, action }) => nodes !== undefined || action !== undefined,
  ),
  rule<WrittenBudget>(
    { field: 'nodes', problem: 'says nothing beside action Deny, which lets none go', mend: 'remove it' },
    "!has(self.nodes) || !has(self.action) || self.action != 'Deny'",
    ({ nodes, action }) => nodes === undefined || action !== 'Deny',
  ),
  rule<WrittenBudget>(
    {
      field: 'action',
      problem: 'is Allow, which is about a window, and there is none',
      mend: 'set schedule and duration',
    },
    "!has(self.action) || self.action != 'Allow' || has(self.schedule) || has(self.duration)",
    ({ action, schedule, duration }) =>
      action !== 'Allow' || schedule !== undefined || duration !== undefined,
  ),
  LASTS,
];

const budget: ObjectSchema = {
  type: 'object',
  description: 'How many nodes may be going at the same time; of several that apply, the least counts.',
  rules: BUDGET_RULES,
  properties: {
    nodes: {
      type: 'text',
      description:
        'A number, or a percentage of the nodes of this Provisioner, rounded up. With action Allow: all when absent.',
      pattern: '^([0-9]{1,6}|(100|[0-9]{1,2})%)$',
      meaning: 'a number of nodes such as 5, or a percentage such as 10%, in quotes',
      maxLength: 6,
    },
    action: {
      type: 'text',
      description:
        'Allow: a maintenance window, outside of which no node goes for these reasons, unless another Allow window ' +
        'for them is open. Deny: no node goes within the window. When absent: the number holds within the window.',
      enum: ['Allow', 'Deny'],
      maxLength: 16,
    },
    reasons: {
      type: 'list',
      description: 'What the budget is for; every reason when absent.',
      items: { type: 'text', description: 'Why a node goes.', enum: BUDGETED_REASONS, maxLength: 32 },
      minItems: 1,
      maxItems: BUDGETED_REASONS.length,
    },
    schedule: cronField(
      'When the budget begins to hold: five cron fields, or a macro such as @daily; always when absent.',
    ),
    duration: durationField('How long it holds from then on.'),
    timeZone: timeZoneField('IANA time zone of the schedule, such as Europe/Berlin; UTC when absent.'),
  },
};

interface WrittenDrift {
  readonly policy?: string;
  readonly canary?: object;
}

const drift: ObjectSchema = {
  type: 'object',
  description:
    'What is done about nodes that are not as this Provisioner and its node template say any more.',
  rules: [
    rule<WrittenDrift>(
      {
        field: 'canary',
        problem: 'says nothing without policy Replace, since nothing is replaced',
        mend: 'set policy to Replace, or remove it',
      },
      "!has(self.canary) || (has(self.policy) && self.policy == 'Replace')",
      ({ policy, canary }) => canary === undefined || policy === 'Replace',
    ),
  ],
  properties: {
    policy: {
      type: 'text',
      description:
        'Never: drift is not looked for. Observe: it is told on the NodeClaim, and nothing is replaced. Replace: ' +
        'drifted nodes are replaced, replacements first. Observe when absent.',
      enum: ['Never', 'Observe', 'Replace'],
      maxLength: 16,
    },
    canary: {
      type: 'object',
      description:
        'The first nodes of each rollout: the others follow once the replacements of these have been Ready for the ' +
        'soak time, and stay when they do not get there.',
      properties: {
        nodes: {
          type: 'int32',
          description: 'How many; 0 for none, 1 when absent.',
          minimum: 0,
          maximum: 1000,
        },
        soak: durationField('How long their replacements must have been Ready; 10m when absent.'),
      },
    },
  },
};

export const disruption: ObjectSchema = {
  type: 'object',
  description: 'How nodes may be removed and replaced to save money, and how many may be going at once.',
  properties: {
    consolidationPolicy: {
      type: 'text',
      description: 'Which nodes are removed or replaced to save money; Never when absent.',
      enum: ['Never', 'WhenEmpty', 'WhenEmptyOrUnderutilized'],
      maxLength: 32,
    },
    consolidateAfter: {
      type: 'text',
      description:
        'How long the pods of a node must not have changed before it is consolidated; 0s when absent.',
      pattern: `${DURATION_PATTERN}|^(0|Never)$`,
      meaning: 'a duration such as 90s, 1h30m or 7d, or Never',
      maxLength: 64,
    },
    budgets: {
      type: 'list',
      description:
        'How many nodes may be going at once. When absent: a tenth of them to save money or for drift, no bound on ' +
        'empty and expired ones. Nodes that are being deleted or are not ready count.',
      items: budget,
      maxItems: 50,
    },
    minimumSavings: {
      type: 'object',
      description: 'A node is removed or replaced only when it saves at least each of these.',
      properties: {
        percent: amount(
          'Percentage of the price of the nodes that go. 25 for those that others are bought for, when absent or 0.',
          100,
        ),
        usdPerHour: amount('US dollars an hour.', 1_000_000),
        usdPerHourPerEvictedPod: amount('US dollars an hour for each pod that is evicted.', 1_000_000),
      },
    },
    repair: {
      type: 'object',
      description: 'What becomes of nodes that are unhealthy for long.',
      properties: {
        policy: {
          type: 'text',
          description:
            'Replace: they go, and their pods are planned for at once; Observe, when absent: an event tells of them.',
          enum: ['Observe', 'Replace'],
          maxLength: 16,
        },
        after: durationField(
          'How long a node must have been unhealthy; when absent 30m, and 10m for accelerated hardware.',
        ),
      },
    },
    drift,
    minimumNodeAge: durationField('Younger nodes are not consolidated; 5m when absent.'),
    expireJitter: durationField(
      'Nodes expire by up to this much before ttlSecondsUntilExpired, each by a share of its own, but not before ' +
        'half of it; 0s when absent.',
    ),
  },
};
