// Fields that say when something holds: cron schedules, durations and time zones.
import { DURATION_PATTERN } from '../../model/duration.ts';
import type { Rule, TextSchema } from './schema.ts';
import { rule } from './schema.ts';

/** A duration such as 90s, 1h30m or 7d; `0` needs no unit. */
export function durationField(description: string): TextSchema {
  return {
    type: 'text',
    description,
    pattern: `${DURATION_PATTERN}|^0$`,
    meaning: 'a duration such as 90s, 1h30m or 7d',
    maxLength: 64,
  };
}

/** Five cron fields or a macro; whether numbers are in range is checked by the code that reads them. */
export function cronField(description: string): TextSchema {
  return {
    type: 'text',
    description,
    pattern:
      '^(@(annually|yearly|monthly|weekly|daily|midnight|hourly)|[0-9A-Za-z*?/,-]+( [0-9A-Za-z*?/,-]+){4})$',
    meaning: 'five cron fields such as "0 9 * * mon-fri", or @daily',
    maxLength: 256,
  };
}

export function timeZoneField(description: string): TextSchema {
  return {
    type: 'text',
    description,
    pattern: '^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$',
    meaning: 'the IANA name of a time zone such as Europe/Berlin',
    minLength: 1,
    maxLength: 64,
  };
}

/** All amounts of a duration are zero. */
const NO_TIME = '^0$|^(0+(\\.0+)?(ms|s|m|h|d))+$';

/** A window needs some length. */
export const LASTS: Rule = rule<{ readonly duration?: string }>(
  { field: 'duration', problem: 'is no time at all', mend: 'write how long it lasts, such as 8h' },
  `!has(self.duration) || !self.duration.matches('${NO_TIME.replaceAll('\\', '\\\\')}')`,
  ({ duration }) => duration === undefined || !new RegExp(NO_TIME).test(duration),
);
