// Traces: CSV by the standard, rows by column, one clear error for each that is wrong.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { csvRecords } from '../../src/simulator/csv.ts';
import { readTrace } from '../../src/simulator/trace.ts';

const HEADER = 'cpu_milli,memory_mib,num_gpu,creation_time,deletion_time';

test('CSV written with quotes where needed reads back, and each field knows its place', () => {
  const field = fc.string({ unit: fc.constantFrom('a', ' ', ',', '"', '\n', '\r\n', 'é') });
  const written = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  fc.assert(
    fc.property(fc.array(fc.array(field, { minLength: 2, maxLength: 4 })), (rows) => {
      const text = rows.map((row) => row.map(written).join(',')).join('\r\n');
      const records = [...csvRecords(text)];
      assert.deepEqual(
        records.map((record) => record.map((one) => one.text)),
        rows,
      );
      for (const { line, column } of records.flat()) {
        assert.equal(text.split('\n')[line - 1]?.[column - 1], '"');
      }
    }),
  );
});

test('CSV: a byte order mark, empty lines and a quote that is never closed', () => {
  const texts = [...csvRecords('\uFEFFa,b\n\n1,"2\n3')].map((record) => record.map(({ text }) => text));
  assert.deepEqual(texts, [
    ['a', 'b'],
    ['1', '2\n3'],
  ]);
});

test('rows become pods, whatever the order of the columns and whatever else there is', () => {
  const { pods, problems, timesAreRelative } = readTrace(
    'name,deletion_time,creation_time,num_gpu,memory_mib,cpu_milli,qos\r\n' +
      'pod-1,120.5,60,2,4096,6000,LS\r\n' +
      'pod-2,,61,0,1.0,250,BE\r\n',
  );
  assert.deepEqual(problems, []);
  assert.equal(timesAreRelative, true);
  assert.deepEqual(pods, [
    { cpuMillis: 6000, memoryMib: 4096, gpus: 2, createdAtMs: 60_000, deletedAtMs: 120_500 },
    { cpuMillis: 250, memoryMib: 1, gpus: 0, createdAtMs: 61_000, deletedAtMs: null },
  ]);
});

test('times may be dates, and num_gpu and deletion_time may be missing', () => {
  const { pods, problems, timesAreRelative } = readTrace(
    'cpu_milli,memory_mib,creation_time\n1,2,2026-01-05T00:00:01Z\n1,2,2026-01-05 01:00:01\n',
  );
  assert.deepEqual(problems, []);
  assert.equal(timesAreRelative, false);
  const startMs = Date.UTC(2026, 0, 5);
  assert.deepEqual(
    pods.map(({ createdAtMs, gpus, deletedAtMs }) => ({ at: createdAtMs - startMs, gpus, deletedAtMs })),
    [
      { at: 1000, gpus: 0, deletedAtMs: null },
      { at: 3_601_000, gpus: 0, deletedAtMs: null },
    ],
  );
});

const BAD = [
  { row: 'x,2,0,1,2', at: [3, 1], says: /^cpu_milli is "x"; write a whole number of thousandths of a CPU/ },
  { row: '1,-2,0,1,2', at: [3, 3], says: /^memory_mib is "-2"; write a whole number of MiB/ },
  { row: '1,2,0.5,1,2', at: [3, 5], says: /^num_gpu is "0\.5"/ },
  { row: '1,2,,1,2', at: [3, 5], says: /^num_gpu is ""/ },
  { row: '1,2,0,,2', at: [3, 7], says: /^creation_time is missing; write when/ },
  { row: '1,2,0,soon,2', at: [3, 7], says: /^creation_time is "soon"; write seconds/ },
  { row: '1,2,0,5,4', at: [3, 9], says: /^deletion_time is before creation_time/ },
  { row: '1,2', at: [3, 1], says: /^num_gpu is ""/ },
  { row: 'x,y,z,1,2', at: [3, 1], says: /^cpu_milli/ },
];

for (const { row, at, says } of BAD) {
  test(`a bad row is named once, with its place, and the others go on: ${row}`, () => {
    const { pods, problems } = readTrace(`${HEADER}\n1,2,0,3,4\n${row}\n5,6,0,7,8\n`);
    assert.deepEqual(
      pods.map(({ cpuMillis }) => cpuMillis),
      [1, 5],
    );
    const [problem] = problems;
    assert.ok(problem !== undefined && problems.length === 1);
    assert.deepEqual([problem.line, problem.column], at);
    assert.match(problem.message, says);
  });
}

test('missing columns are named, and any text at all is read without throwing', () => {
  assert.match(
    readTrace('a,b\n1,2').problems[0]?.message ?? '',
    /^the column cpu_milli is missing; the first/,
  );
  assert.equal(readTrace('').problems.length, 3);
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('1', '.', '-', ',', '"', '\n', 'e') }), (text) => {
      const { pods, problems } = readTrace(`${HEADER}\n${text}`);
      for (const pod of pods) assert.ok(pod.cpuMillis >= 0 && pod.memoryMib >= 0 && pod.createdAtMs >= 0);
      assert.ok(pods.length + problems.length <= text.split('\n').length);
    }),
  );
});
