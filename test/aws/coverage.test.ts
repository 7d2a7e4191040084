// docs/aws.md promises tests by name: each of them exists, each behaviour has one, and every finding is explained.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

const ROOT = new URL('../../', import.meta.url);

function textOf(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8');
}

const PAGE = textOf('docs/aws.md');
const ROWS = PAGE.slice(PAGE.indexOf('## Coverage'))
  .split('\n')
  .filter((line) => /^\| [A-Z]+\d* \|/.test(line))
  .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '')));

interface Promised {
  readonly file: string;
  readonly name: string;
}

function promisedIn(cell: string): readonly Promised[] {
  return cell.split(' · ').map((text) => {
    const match = /^`([\w./]+\.ts)`: (.+)$/.exec(text) ?? assert.fail(`not a test: ${text}`);
    return { file: match[1] ?? '', name: match[2] ?? '' };
  });
}

describe('the coverage table of docs/aws.md', () => {
  for (const [number = '', behaviour = '', cell = ''] of ROWS) {
    it(`${number}: ${behaviour}`, () => {
      for (const { file, name } of promisedIn(cell)) {
        const path = new URL(`test/aws/${file}`, ROOT);
        assert.ok(existsSync(path), `${file} does not exist`);
        assert.ok(readFileSync(path, 'utf8').includes(name), `${file} has no test "${name}"`);
      }
    });
  }

  it('has a row for each subject', () => {
    const numbers = new Set(ROWS.map(([number]) => number));
    const subjects = Array.from({ length: 17 }, (_, index) => `C${index + 1}`);
    const missing = [...subjects, 'IMG', 'CAP', 'IAM', 'INT'].filter((one) => !numbers.has(one));
    assert.deepEqual(missing, []);
  });
});

describe('the findings table of docs/aws.md', () => {
  const sources = readdirSync(new URL('src/', ROOT), { recursive: true, encoding: 'utf8' })
    .filter((path) => /^(aws|cli)\/.*\.ts$/.test(path))
    .map((path) => textOf(`src/${path}`));
  const used = new Set(
    sources.flatMap((text) =>
      [...text.matchAll(/(?:\bcode: |notReady\(\s*)'([A-Z]\w+)'/g)].map((match) => match[1] ?? ''),
    ),
  );
  // Said of user data, which only a launch writes.
  for (const atLaunch of ['UserDataTooLong', 'UserDataInvalid']) used.delete(atLaunch);
  const explained = new Set([...PAGE.matchAll(/`([A-Z][A-Za-z]+)`/g)].map((match) => match[1] ?? ''));

  it('explains every code that doctor may print', () => {
    assert.ok(used.size > 20, `${used.size} codes found`);
    assert.deepEqual(
      [...used].filter((code) => !explained.has(code)),
      [],
    );
  });
});
