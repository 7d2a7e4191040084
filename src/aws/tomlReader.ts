// Reads TOML: tables, arrays of tables, dotted and quoted keys, strings, numbers, booleans, arrays, inline tables.
import { emptyTable, isTable, type ParsedToml, type TomlTable, type TomlValue } from './toml.ts';

class TomlProblem extends Error {}

/** Parses a document. Dates are kept as text; what it cannot read is refused with the line it stands on. */
export function readToml(text: string): ParsedToml {
  const reader = new Reader(text.replaceAll('\r\n', '\n'));
  try {
    return { kind: 'valid', value: reader.document() };
  } catch (problem) {
    if (!(problem instanceof TomlProblem)) throw problem;
    return { kind: 'invalid', problem: `line ${reader.line()}: ${problem.message}` };
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  b: '\b',
  t: '\t',
  n: '\n',
  f: '\f',
  r: '\r',
  '"': '"',
  '\\': '\\',
};

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  line(): number {
    return this.#text.slice(0, this.#at).split('\n').length;
  }

  document(): TomlTable {
    const root = emptyTable();
    let table = root;
    for (;;) {
      this.#skip(/[\s]*(#[^\n]*)?/y, true);
      if (this.#at >= this.#text.length) return root;
      if (this.#take('[')) table = this.#header(root);
      else this.#pair(table);
      this.#skip(/[ \t]*(#[^\n]*)?/y, false);
      if (this.#at < this.#text.length && !this.#take('\n')) this.#fail('one key a line');
    }
  }

  #header(root: TomlTable): TomlTable {
    const isArray = this.#take('[');
    const path = this.#keyPath();
    if (!this.#take(isArray ? ']]' : ']')) this.#fail('a table header ends with ]');
    const last = path.pop() ?? '';
    const parent = this.#descend(root, path);
    if (!isArray) return this.#descend(parent, [last]);
    const held = parent[last];
    const table = emptyTable();
    parent[last] = Array.isArray(held) ? [...held, table] : [table];
    return table;
  }

  #descend(from: TomlTable, path: readonly string[]): TomlTable {
    let table = from;
    for (const key of path) {
      const held = table[key];
      const latest: TomlValue | undefined = Array.isArray(held)
        ? (held.at(-1) as TomlValue | undefined)
        : held;
      if (latest === undefined) {
        const added = emptyTable();
        table[key] = added;
        table = added;
      } else if (isTable(latest)) table = latest;
      else this.#fail(`${key} is no table`);
    }
    return table;
  }

  #pair(table: TomlTable): void {
    const path = this.#keyPath();
    if (!this.#take('=')) this.#fail('a key is followed by =');
    this.#skip(/[ \t]*/y, false);
    const last = path.pop() ?? '';
    const target = this.#descend(table, path);
    if (Object.hasOwn(target, last)) this.#fail(`${last} is there already`);
    target[last] = this.#value();
  }

  #keyPath(): string[] {
    const path: string[] = [];
    do {
      this.#skip(/[ \t]*/y, false);
      path.push(this.#key());
      this.#skip(/[ \t]*/y, false);
    } while (this.#take('.'));
    return path;
  }

  #key(): string {
    const quote = this.#text[this.#at];
    if (quote === '"' || quote === "'") return this.#string();
    return this.#match(/[A-Za-z0-9_-]+/y) ?? this.#fail('a key is missing');
  }

  #value(): TomlValue {
    const first = this.#text[this.#at];
    if (first === '"' || first === "'") return this.#string();
    if (this.#take('[')) return this.#array();
    if (this.#take('{')) return this.#inlineTable();
    const word = this.#match(/[^\s,\]}#]+/y) ?? this.#fail('a value is missing');
    if (word === 'true' || word === 'false') return word === 'true';
    const number = Number(word.replaceAll('_', ''));
    if (/^[+-]?[\d.]/.test(word) && !Number.isNaN(number)) return number;
    return /^\d{4}-\d{2}-\d{2}/.test(word) ? word : this.#fail(`${word} is no value; put text in quotes`);
  }

  #array(): TomlValue {
    const values: TomlValue[] = [];
    for (;;) {
      this.#skip(/[\s,]*(#[^\n]*)?/y, true);
      if (this.#take(']')) return values;
      if (this.#at >= this.#text.length) this.#fail('a list ends with ]');
      values.push(this.#value());
    }
  }

  #inlineTable(): TomlTable {
    const table = emptyTable();
    for (;;) {
      this.#skip(/[\s,]*/y, false);
      if (this.#take('}')) return table;
      if (this.#at >= this.#text.length) this.#fail('a table ends with }');
      this.#pair(table);
    }
  }

  #string(): string {
    const triple = this.#text.slice(this.#at, this.#at + 3);
    if (triple === '"""' || triple === "'''") return this.#longString(triple);
    const quote = this.#text[this.#at] ?? '';
    this.#at += 1;
    const body = this.#match(quote === '"' ? /(?:[^"\\\n]|\\.)*/y : /[^'\n]*/y) ?? '';
    if (!this.#take(quote)) this.#fail(`text ends with ${quote}`);
    return quote === '"' ? this.#unescaped(body) : body;
  }

  #longString(triple: string): string {
    this.#at += 3;
    this.#take('\n');
    const end = this.#text.indexOf(triple, this.#at);
    if (end === -1) this.#fail(`text ends with ${triple}`);
    const body = this.#text.slice(this.#at, end);
    this.#at = end + 3;
    return triple === '"""' ? this.#unescaped(body.replace(/\\\s*\n\s*/g, '')) : body;
  }

  #unescaped(body: string): string {
    return body.replace(/\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)/g, (_all, code: string) => {
      if (/^[uU]./.test(code)) return String.fromCodePoint(Number.parseInt(code.slice(1), 16));
      return ESCAPES[code] ?? this.#fail(`\\${code} is no escape`);
    });
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const matched = pattern.exec(this.#text)?.[0];
    if (matched === undefined || matched === '') return matched ?? null;
    this.#at += matched.length;
    return matched;
  }

  /** Skips blanks; with `repeat` until nothing more is skipped, so that comment lines go too. */
  #skip(pattern: RegExp, repeat: boolean): void {
    let before = -1;
    while (before !== this.#at) {
      before = this.#at;
      this.#match(pattern);
      if (!repeat) return;
    }
  }

  #fail(problem: string): never {
    throw new TomlProblem(problem);
  }
}
