// Cron schedules in time zones: parsed from text, and when they last began before an instant.

/** The five fields, each as the sorted values that it allows. */
export interface CronSchedule {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly daysOfMonth: readonly number[];
  readonly months: readonly number[];
  /** 0 is Sunday. */
  readonly daysOfWeek: readonly number[];
  /** True when both day fields are restricted: then a day that fits either will do (POSIX, "crontab"). */
  readonly eitherDay: boolean;
}

const MACROS: ReadonlyMap<string, string> = new Map([
  ['@yearly', '0 0 1 1 *'],
  ['@annually', '0 0 1 1 *'],
  ['@monthly', '0 0 1 * *'],
  ['@weekly', '0 0 * * 0'],
  ['@daily', '0 0 * * *'],
  ['@midnight', '0 0 * * *'],
  ['@hourly', '0 * * * *'],
]);

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

interface FieldRange {
  readonly from: number;
  readonly to: number;
  /** Names of the values, the first one for `from`. */
  readonly names: readonly string[];
}

const MINUTE: FieldRange = { from: 0, to: 59, names: [] };
const HOUR: FieldRange = { from: 0, to: 23, names: [] };
const DAY_OF_MONTH: FieldRange = { from: 1, to: 31, names: [] };
const MONTH: FieldRange = { from: 1, to: 12, names: MONTHS };
const DAY_OF_WEEK: FieldRange = { from: 0, to: 7, names: WEEKDAYS };

/** Parses five cron fields (lists, ranges, steps, names) or a macro such as `@daily`; null for other text. */
export function parseCron(text: string): CronSchedule | null {
  const fields = (MACROS.get(text) ?? text).trim().split(/\s+/);
  if (fields.length !== 5) return null;
  const [minute = '', hour = '', dayOfMonth = '', month = '', dayOfWeek = ''] = fields;
  const minutes = parseField(minute, MINUTE);
  const hours = parseField(hour, HOUR);
  const daysOfMonth = parseField(dayOfMonth, DAY_OF_MONTH);
  const months = parseField(month, MONTH);
  const weekdays = parseField(dayOfWeek, DAY_OF_WEEK);
  if (!minutes || !hours || !daysOfMonth || !months || !weekdays) return null;
  // Both 0 and 7 are Sunday.
  const daysOfWeek = sorted(weekdays.map((day) => day % 7));
  const eitherDay = !dayOfMonth.startsWith('*') && !dayOfWeek.startsWith('*');
  return { minutes, hours, daysOfMonth, months, daysOfWeek, eitherDay };
}

function parseField(text: string, range: FieldRange): readonly number[] | null {
  const values: number[] = [];
  for (const part of text.toLowerCase().split(',')) {
    const [span = '', step, ...rest] = part.split('/');
    const every = step === undefined ? 1 : wholeNumber(step);
    const [from, to] = spanOf(span, range, step !== undefined);
    if (rest.length > 0 || every === null || every < 1 || from === null || to === null || from > to)
      return null;
    for (let value = from; value <= to; value += every) values.push(value);
  }
  return sorted(values);
}

function spanOf(
  text: string,
  range: FieldRange,
  isStepped: boolean,
): readonly [from: number | null, to: number | null] {
  if (text === '*' || text === '?') return [range.from, range.to];
  const [first = '', last, ...rest] = text.split('-');
  if (rest.length > 0) return [null, null];
  const from = fieldValue(first, range);
  if (last !== undefined) return [from, fieldValue(last, range)];
  return [from, isStepped ? range.to : from];
}

function fieldValue(text: string, { from, to, names }: FieldRange): number | null {
  const named = names.indexOf(text);
  const value = named >= 0 ? named + from : wholeNumber(text);
  return value === null || value < from || value > to ? null : value;
}

function wholeNumber(text: string): number | null {
  return /^[0-9]{1,4}$/.test(text) ? Number(text) : null;
}

function sorted(values: readonly number[]): readonly number[] {
  return [...new Set(values)].sort((left, right) => left - right);
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Clocks are put forward and back by less: starts that are further off by the wall clock need not be worked out. */
const CLOCK_CHANGE_MS = 3 * 3_600_000;

/**
 * When the schedule last began at or before `atMs` and after `sinceMs`, in milliseconds since the epoch; null when it
 * did not. Local times that a clock change leaves out begin at the time that the clock shows in their place.
 * @param timeZone IANA name; must be one that the runtime knows
 */
export function lastStartMs(
  schedule: CronSchedule,
  timeZone: string,
  { sinceMs, atMs }: { readonly sinceMs: number; readonly atMs: number },
): number | null {
  const nowLocalMs = toLocalMs(atMs, timeZone);
  const today = Math.floor(nowLocalMs / DAY_MS);
  const firstDay = Math.floor(toLocalMs(sinceMs, timeZone) / DAY_MS) - 1;
  for (let day = today; day >= firstDay; day--) {
    if (!isOnDay(schedule, day)) continue;
    for (const hour of schedule.hours.toReversed()) {
      for (const minute of schedule.minutes.toReversed()) {
        const localMs = day * DAY_MS + (hour * 60 + minute) * MINUTE_MS;
        if (localMs > nowLocalMs + CLOCK_CHANGE_MS) continue;
        const startMs = fromLocalMs(localMs, timeZone);
        if (startMs > atMs) continue;
        return startMs > sinceMs ? startMs : null;
      }
    }
  }
  return null;
}

/**
 * When the schedule next begins after `afterMs`, in milliseconds since the epoch; null when that is not before
 * `untilMs`. Clock changes count as in `lastStartMs`.
 * @param timeZone IANA name; must be one that the runtime knows
 */
export function nextStartMs(
  schedule: CronSchedule,
  timeZone: string,
  { afterMs, untilMs }: { readonly afterMs: number; readonly untilMs: number },
): number | null {
  const nowLocalMs = toLocalMs(afterMs, timeZone);
  const today = Math.floor(nowLocalMs / DAY_MS);
  const lastDay = Math.floor(untilMs / DAY_MS) + 1;
  // Yesterday's last hours come after a clock that is put back over midnight.
  for (let day = today - 1; day <= lastDay; day++) {
    if (!isOnDay(schedule, day)) continue;
    for (const hour of schedule.hours) {
      for (const minute of schedule.minutes) {
        const localMs = day * DAY_MS + (hour * 60 + minute) * MINUTE_MS;
        if (localMs < nowLocalMs - CLOCK_CHANGE_MS) continue;
        const startMs = fromLocalMs(localMs, timeZone);
        if (startMs <= afterMs) continue;
        return startMs < untilMs ? startMs : null;
      }
    }
  }
  return null;
}

function isOnDay({ daysOfMonth, months, daysOfWeek, eitherDay }: CronSchedule, day: number): boolean {
  const date = new Date(day * DAY_MS);
  if (!months.includes(date.getUTCMonth() + 1)) return false;
  const byMonth = daysOfMonth.includes(date.getUTCDate());
  const byWeek = daysOfWeek.includes(date.getUTCDay());
  return eitherDay ? byMonth || byWeek : byMonth && byWeek;
}

/** Making a formatter costs more than all else here; there are as many as time zones in use. */
const FORMATTERS = new Map<string, Intl.DateTimeFormat>();

function formatterOf(timeZone: string): Intl.DateTimeFormat {
  const held = FORMATTERS.get(timeZone);
  if (held !== undefined) return held;
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  });
  FORMATTERS.set(timeZone, made);
  return made;
}

/** What the wall clock shows at that instant, to the minute, as if it were UTC. */
function toLocalMs(atMs: number, timeZone: string): number {
  const parts = new Map(
    formatterOf(timeZone)
      .formatToParts(atMs)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
  return Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'));
}

function fromLocalMs(localMs: number, timeZone: string): number {
  const offsetAt = (atMs: number): number =>
    toLocalMs(atMs, timeZone) - Math.floor(atMs / MINUTE_MS) * MINUTE_MS;
  // The offset of the day before decides what a clock shows until it is put forward or back.
  const before = localMs - offsetAt(localMs - DAY_MS);
  if (toLocalMs(before, timeZone) === localMs) return before;
  const after = localMs - offsetAt(before);
  return toLocalMs(after, timeZone) === localMs ? after : before;
}

/** True for an IANA time zone that the runtime knows. */
export function isTimeZone(name: string): boolean {
  try {
    formatterOf(name);
    return true;
  } catch {
    return false;
  }
}
