// Windows of time: open from start to end, longer and shorter where clocks change, and when that is next.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseCron } from '../../src/model/cronSchedule.ts';
import { isOpen, nextChangeMs, type TimeWindow } from '../../src/model/timeWindow.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

function aWindow(cron: string, durationMs: number, timeZone = 'UTC'): TimeWindow {
  const schedule = parseCron(cron);
  assert.ok(schedule);
  return { schedule, durationMs, timeZone };
}

const NIGHT = aWindow('0 19 * * mon-fri', 12 * HOUR_MS, 'Europe/Berlin');
const WEEKEND = aWindow('0 7 * * sat', 48 * HOUR_MS, 'Europe/Berlin');

const changes: readonly {
  readonly what: string;
  readonly windows: readonly TimeWindow[];
  readonly at: string;
  readonly open: boolean;
  readonly next: string | null;
}[] = [
  {
    what: 'a working day',
    windows: [NIGHT],
    at: '2026-11-20T12:00:00Z',
    open: false,
    next: '2026-11-20T18:00Z',
  },
  {
    what: 'the first instant',
    windows: [NIGHT],
    at: '2026-11-20T18:00:00Z',
    open: true,
    next: '2026-11-21T06:00Z',
  },
  {
    what: 'the end is outside',
    windows: [NIGHT],
    at: '2026-11-21T06:00:00Z',
    open: false,
    next: '2026-11-23T18:00Z',
  },
  {
    what: 'windows that follow one another are one',
    windows: [NIGHT, WEEKEND],
    at: '2026-11-20T18:00:00Z',
    open: true,
    next: '2026-11-23T06:00Z',
  },
  {
    what: 'one inside another changes nothing',
    windows: [WEEKEND, aWindow('0 9 * * sun', HOUR_MS, 'Europe/Berlin')],
    at: '2026-11-22T08:30:00Z',
    open: true,
    next: '2026-11-23T06:00Z',
  },
  {
    what: 'in summer an hour earlier',
    windows: [NIGHT],
    at: '2026-07-01T12:00:00Z',
    open: false,
    next: '2026-07-01T17:00Z',
  },
  {
    what: 'clocks go forward in the night: it ends twelve hours after its start, an hour later by the clock',
    windows: [aWindow('0 19 * * *', 12 * HOUR_MS, 'Europe/Berlin')],
    at: '2026-03-28T20:00:00Z',
    open: true,
    next: '2026-03-29T06:00Z',
  },
  {
    what: 'a start that clocks leave out begins at what they show then',
    windows: [aWindow('30 2 * * *', HOUR_MS, 'Europe/Berlin')],
    at: '2026-03-29T00:00:00Z',
    open: false,
    next: '2026-03-29T01:30Z',
  },
  {
    what: 'of a start that comes twice the first counts',
    windows: [aWindow('30 2 * * *', HOUR_MS, 'Europe/Berlin')],
    at: '2026-10-25T00:00:00Z',
    open: false,
    next: '2026-10-25T00:30Z',
  },
  {
    what: 'and the second does not',
    windows: [aWindow('30 2 * * *', 30 * MINUTE_MS, 'Europe/Berlin')],
    at: '2026-10-25T01:15:00Z',
    open: false,
    next: '2026-10-26T01:30Z',
  },
  {
    what: 'the 29th of February',
    windows: [aWindow('0 0 29 2 *', HOUR_MS)],
    at: '2096-03-01T00:00:00Z',
    open: false,
    next: '2104-02-29T00:00Z',
  },
  {
    what: 'the 30th of February never comes',
    windows: [aWindow('0 0 30 2 *', HOUR_MS)],
    at: '2026-01-01T00:00:00Z',
    open: false,
    next: null,
  },
  {
    what: 'always open',
    windows: [aWindow('* * * * *', 5 * MINUTE_MS)],
    at: '2026-01-01T00:00:00Z',
    open: true,
    next: null,
  },
];
for (const { what, windows, at, open, next } of changes) {
  test(`${what}: at ${at} ${open ? 'open' : 'closed'}, which changes ${next ?? 'never'}`, () => {
    const atMs = Date.parse(at);
    assert.equal(
      windows.some((window) => isOpen(window, atMs)),
      open,
    );
    const found = nextChangeMs(windows, atMs);
    assert.equal(
      Number.isFinite(found) ? new Date(found).toISOString() : null,
      next === null ? null : new Date(next).toISOString(),
    );
  });
}

test('the next change is the first minute at which the windows say otherwise, whatever the zone', () => {
  const aCron = fc
    .record({
      minute: fc.integer({ min: 0, max: 59 }),
      hour: fc.integer({ min: 0, max: 23 }),
      days: fc.constantFrom('*', 'mon-fri', 'sat,sun'),
    })
    .map(({ minute, hour, days }) => `${minute} ${hour} * * ${days}`);
  const zone = fc.constantFrom(
    'UTC',
    'Europe/Berlin',
    'America/New_York',
    'Australia/Lord_Howe',
    'Asia/Kolkata',
  );
  const one = fc
    .record({ cron: aCron, minutes: fc.integer({ min: 1, max: 3000 }), zone })
    .map(({ cron, minutes, zone: timeZone }) => aWindow(cron, minutes * MINUTE_MS, timeZone));
  // The weeks around the clock changes of 2026.
  const at = fc
    .tuple(
      fc.constantFrom('2026-03-05', '2026-03-27', '2026-04-03', '2026-10-02', '2026-10-23', '2026-10-30'),
    )
    .chain(([day]) =>
      fc.integer({ min: 0, max: 4 * 24 * 60 }).map((minutes) => Date.parse(day) + minutes * MINUTE_MS),
    );
  fc.assert(
    fc.property(fc.array(one, { minLength: 1, maxLength: 3 }), at, (windows, atMs) => {
      const isOneOpen = (ms: number): boolean => windows.some((window) => isOpen(window, ms));
      const found = nextChangeMs(windows, atMs);
      const before = isOneOpen(atMs);
      if (Number.isFinite(found)) assert.notEqual(isOneOpen(found), before);
      const lastMs = Math.min(found, atMs + 6 * HOUR_MS);
      for (let ms = atMs; ms < lastMs; ms += MINUTE_MS) assert.equal(isOneOpen(ms), before);
    }),
    { numRuns: 150 },
  );
});
