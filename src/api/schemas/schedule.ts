// The part of a Provisioner that says when it is off.
import type { ObjectSchema } from './schema.ts';
import { cronField, durationField, LASTS, timeZoneField } from './timeWindow.ts';

export const schedule: ObjectSchema = {
  type: 'object',
  description:
    'When the Provisioner is off: nothing is launched for it, and its nodes are drained and given back, as far as ' +
    'budgets, PodDisruptionBudgets and annotations let them. Pods wait until it is on again.',
  required: ['offHours'],
  properties: {
    timeZone: timeZoneField('IANA time zone of all windows, such as Europe/Berlin; UTC when absent.'),
    offHours: {
      type: 'list',
      description: 'Windows in which it is off; it is on outside of all of them.',
      items: {
        type: 'object',
        description: 'One window.',
        required: ['start', 'duration'],
        rules: [LASTS],
        properties: {
          start: cronField('When the window begins: five cron fields, or a macro such as @daily.'),
          duration: durationField('How long the Provisioner is off from then on.'),
        },
      },
      minItems: 1,
      maxItems: 50,
    },
  },
};
