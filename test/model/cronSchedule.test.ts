// Cron schedules: what is parsed, and when windows began, in time zones with and without clock changes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTimeZone, lastStartMs, parseCron } from '../../src/model/cronSchedule.ts';

const WEEK_MS = 7 * 86_400_000;

for (const text of [
  '',
  '* * * *',
  '60 * * * *',
  '* 24 * * *',
  '* * 0 * *',
  '* * * 13 *',
  '* * * * 8',
  '5-1 * * * *',
]) {
  test(`${JSON.stringify(text)} is no schedule`, () => assert.equal(parseCron(text), null));
}
for (const text of ['*/0 * * * *', '1/2/3 * * * *', '1-2-3 * * * *', 'x * * * *', '@never', '1, * * * *']) {
  test(`${JSON.stringify(text)} is no schedule`, () => assert.equal(parseCron(text), null));
}

test('lists, ranges, steps and names', () => {
  const schedule = parseCron('*/20,5 9-11 1/10 jan,Mar sun-tue,7');
  assert.ok(schedule);
  assert.deepEqual(schedule.minutes, [0, 5, 20, 40]);
  assert.deepEqual(schedule.hours, [9, 10, 11]);
  assert.deepEqual(schedule.daysOfMonth, [1, 11, 21, 31]);
  assert.deepEqual(schedule.months, [1, 3]);
  assert.deepEqual(schedule.daysOfWeek, [0, 1, 2]);
  assert.equal(schedule.eitherDay, true);
});

const starts: readonly { cron: string; zone?: string; at: string; start: string | null }[] = [
  { cron: '@daily', at: '2026-11-21T14:00:00Z', start: '2026-11-21T00:00:00.000Z' },
  { cron: '0 9 * * mon-fri', at: '2026-11-21T14:00:00Z', start: '2026-11-20T09:00:00.000Z' }, // a Saturday
  { cron: '0 9 * * 6', at: '2026-11-21T09:00:00Z', start: '2026-11-21T09:00:00.000Z' },
  { cron: '0 9 * * 6', at: '2026-11-21T08:59:59Z', start: null }, // a week ago to the second, which is too long
  {
    cron: '30 22 * * *',
    zone: 'America/New_York',
    at: '2026-11-21T14:00:00Z',
    start: '2026-11-21T03:30:00.000Z',
  },
  { cron: '0 9 * * *', zone: 'Asia/Kolkata', at: '2026-11-21T14:00:00Z', start: '2026-11-21T03:30:00.000Z' },
  { cron: '0 9 * * *', zone: 'Europe/Berlin', at: '2026-07-01T14:00:00Z', start: '2026-07-01T07:00:00.000Z' },
  { cron: '0 9 * * *', zone: 'Europe/Berlin', at: '2026-12-01T14:00:00Z', start: '2026-12-01T08:00:00.000Z' },
  // 02:30 does not exist on this day: clocks go from 02:00 to 03:00.
  {
    cron: '30 2 * * *',
    zone: 'Europe/Berlin',
    at: '2026-03-29T12:00:00Z',
    start: '2026-03-29T01:30:00.000Z',
  },
  // 02:30 is there twice: the first one counts.
  {
    cron: '30 2 * * *',
    zone: 'Europe/Berlin',
    at: '2026-10-25T12:00:00Z',
    start: '2026-10-25T00:30:00.000Z',
  },
  { cron: '0 0 21 * 1', at: '2026-11-21T14:00:00Z', start: '2026-11-21T00:00:00.000Z' }, // either day
  { cron: '0 0 1 1 *', at: '2026-11-21T14:00:00Z', start: null },
];
for (const { cron, zone = 'UTC', at, start } of starts) {
  test(`"${cron}" in ${zone} at ${at} began ${start ?? 'more than a week ago'}`, () => {
    const schedule = parseCron(cron);
    assert.ok(schedule);
    const atMs = Date.parse(at);
    const sinceMs = cron === '0 9 * * 6' && start === null ? atMs - WEEK_MS + 2000 : atMs - WEEK_MS;
    const found = lastStartMs(schedule, zone, { sinceMs, atMs });
    assert.equal(found === null ? null : new Date(found).toISOString(), start);
  });
}

test('time zones are those of the runtime', () => {
  assert.equal(isTimeZone('Europe/Berlin'), true);
  assert.equal(isTimeZone('Mars/Phobos'), false);
});
