// The TOML subset: read back as written, merged without touching prototypes, refused with the line.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { mergeTables, type TomlTable, type TomlValue, tableOf, writeToml } from '../../src/aws/toml.ts';
import { readToml } from '../../src/aws/tomlReader.ts';

function read(text: string): TomlTable {
  const outcome = readToml(text);
  return outcome.kind === 'valid' ? outcome.value : assert.fail(outcome.problem);
}

/** Plain objects, for comparison. */
function plain(value: TomlValue): unknown {
  return JSON.parse(JSON.stringify(value));
}

describe('TOML', () => {
  it('reads tables, dotted and quoted keys, arrays, inline tables and strings of all kinds', () => {
    const text = `# settings
motd = "say \\"hi\\" \\u00e9" # greeting
a.b."c.d" = 1_000
'literal key' = 'C:\\path'
list = [ 1, 2.5,
  # between
  true, "x", ]
inline = { one = 1, "two" = [ "a" ] }

[settings."my.key"]
long = """
first
second"""
raw = '''a\\b'''

[[settings.pods]]
name = "a"
[[settings.pods]]
name = "b"
`;
    assert.deepEqual(plain(read(text)), {
      motd: 'say "hi" é',
      a: { b: { 'c.d': 1000 } },
      'literal key': 'C:\\path',
      list: [1, 2.5, true, 'x'],
      inline: { one: 1, two: ['a'] },
      settings: { 'my.key': { long: 'first\nsecond', raw: 'a\\b' }, pods: [{ name: 'a' }, { name: 'b' }] },
    });
  });

  const BAD = [
    { text: 'a = 1\nb = hello', problem: /line 2: hello is no value/ },
    { text: 'a = "open', problem: /line 1: text ends with "/ },
    { text: 'a = 1\na = 2', problem: /line 2: a is there already/ },
    { text: 'a = 1 b = 2', problem: /line 1: one key a line/ },
    { text: '[a\nb = 1', problem: /line 1: a table header ends with \]/ },
    { text: 'a = 1\n[a]', problem: /a is no table/ },
    { text: '= 1', problem: /a key is missing/ },
    { text: 'a = [1', problem: /a list ends with \]/ },
  ];
  for (const { text, problem } of BAD) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      const outcome = readToml(text);
      assert.match(outcome.kind === 'invalid' ? outcome.problem : 'read', problem);
    });
  }

  it('merges with ours over theirs and leaves prototypes alone', () => {
    const theirs = read(
      '[settings]\na = 1\n[settings.k]\nx = "theirs"\ny = 2\n[__proto__]\npolluted = true\n[constructor]\nz = 1',
    );
    const merged = mergeTables(theirs, tableOf({ settings: tableOf({ k: tableOf({ x: 'ours' }) }) }));
    assert.deepEqual(plain(merged.settings ?? ''), { a: 1, k: { x: 'ours', y: 2 } });
    assert.equal(({} as { readonly polluted?: boolean }).polluted, undefined);
    assert.match(writeToml(merged), /\[__proto__\]\npolluted = true/);
  });

  it('never reaches a prototype, whatever the keys of a merge', () => {
    const key = fc.constantFrom('__proto__', 'constructor', 'prototype', 'settings', 'toString');
    const line = fc.record({
      path: fc.array(key, { minLength: 1, maxLength: 4 }),
      leaf: fc.constantFrom('a', 'b'),
    });
    const text = fc
      .uniqueArray(line, { maxLength: 6, selector: ({ path }) => path.join('.') })
      .map((lines) => lines.map(({ path, leaf }) => `[${path.join('.')}]\n${leaf} = "polluted"\n`).join(''));
    const before = Object.getOwnPropertyNames(Object.prototype).sort();
    fc.assert(
      fc.property(text, text, (under, over) => {
        const [left, right] = [readToml(under), readToml(over)];
        if (left.kind === 'invalid' || right.kind === 'invalid') return;
        writeToml(mergeTables(left.value, right.value));
        assert.deepEqual(Object.getOwnPropertyNames(Object.prototype).sort(), before);
        assert.equal(({} as { readonly a?: string }).a, undefined);
        assert.equal(({} as { readonly b?: string }).b, undefined);
      }),
    );
  });

  it('reads back whatever it writes', () => {
    const scalar = fc.oneof(fc.string(), fc.integer(), fc.boolean());
    const { table } = fc.letrec<{ table: Record<string, unknown>; value: unknown }>((tie) => ({
      value: fc.oneof({ depthSize: 'small' }, scalar, fc.array(scalar), tie('table')),
      table: fc.dictionary(fc.string({ minLength: 1 }), tie('value')) as fc.Arbitrary<
        Record<string, unknown>
      >,
    }));
    fc.assert(
      fc.property(table, (made) => {
        const text = writeToml(made as TomlTable);
        assert.deepEqual(plain(read(text)), JSON.parse(JSON.stringify(made)));
      }),
    );
  });
});
