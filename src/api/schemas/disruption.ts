// The part of a Provisioner that says how its nodes may be disrupted.
import { DURATION_PATTERN } from '../../model/duration.ts';
import type { NumberSchema, ObjectSchema, TextSchema } from './schema.ts';
import { rule } from './schema.ts';

interface WrittenBudget {
  readonly schedule?: string;
  readonly duration?: string;
  readonly timeZone?: string;
}

const duration = (description: string): TextSchema => ({
  type: 'text',
  description,
  pattern: `${DURATION_PATTERN}|^0$`,
  meaning: 'a duration such as 90s, 1h30m or 7d',
  maxLength: 64,
});

const amount = (description: string, maximum: number): NumberSchema => ({
  type: 'number',
  description,
  minimum: 0,
  maximum,
});

const budget: ObjectSchema = {
  type: 'object',
  description: 'How many nodes may be going at the same time; of several that apply, the least counts.',
  required: ['nodes'],
  rules: [
    rule<WrittenBudget>(
      {
        field: 'schedule',
        problem: 'goes with duration, and only one of them is there',
        mend: 'set both or neither',
      },
      'has(self.schedule) == has(self.duration)',
      ({ schedule, duration: length }) => (schedule === undefined) === (length === undefined),
    ),
    rule<WrittenBudget>(
      { field: 'timeZone', problem: 'says nothing without schedule', mend: 'set schedule and duration too' },
      '!has(self.timeZone) || has(self.schedule) || has(self.duration)',
      ({ schedule, duration: length, timeZone }) =>
        timeZone === undefined || schedule !== undefined || length !== undefined,
    ),
  ],
  properties: {
    nodes: {
      type: 'text',
      description: 'A number, or a percentage of the nodes of this Provisioner, rounded up.',
      pattern: '^([0-9]{1,6}|(100|[0-9]{1,2})%)$',
      meaning: 'a number of nodes such as 5, or a percentage such as 10%, in quotes',
      maxLength: 6,
    },
    reasons: {
      type: 'list',
      description: 'What the budget is for; every reason when absent.',
      items: {
        type: 'text',
        description: 'Why a node goes.',
        enum: ['Empty', 'Underutilized', 'Expired', 'Drifted'],
        maxLength: 32,
      },
      minItems: 1,
      maxItems: 4,
    },
    schedule: {
      type: 'text',
      description:
        'When the budget begins to hold: five cron fields, or a macro such as @daily; always when absent.',
      pattern:
        '^(@(annually|yearly|monthly|weekly|daily|midnight|hourly)|[0-9A-Za-z*?/,-]+( [0-9A-Za-z*?/,-]+){4})$',
      meaning: 'five cron fields such as "0 9 * * mon-fri", or @daily',
      maxLength: 256,
    },
    duration: duration('How long it holds from then on.'),
    timeZone: {
      type: 'text',
      description: 'IANA time zone of the schedule, such as Europe/Berlin; UTC when absent.',
      minLength: 1,
      maxLength: 64,
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
        'How many nodes may be going at once. When absent: a tenth of them to save money, no bound on empty and ' +
        'expired ones. Nodes that are being deleted or are not ready count.',
      items: budget,
      maxItems: 50,
    },
    minimumSavings: {
      type: 'object',
      description: 'A node is removed or replaced only when it saves at least each of these.',
      properties: {
        percent: amount('Percentage of the price of the nodes that go.', 100),
        usdPerHour: amount('US dollars an hour.', 1_000_000),
        usdPerHourPerEvictedPod: amount('US dollars an hour for each pod that is evicted.', 1_000_000),
      },
    },
    minimumNodeAge: duration('Younger nodes are not consolidated; 5m when absent.'),
    expireJitter: duration(
      'Nodes expire by up to this much before ttlSecondsUntilExpired, each by a share of its own, but not before ' +
        'half of it; 0s when absent.',
    ),
  },
};
