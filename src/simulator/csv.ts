// Comma-separated values as RFC 4180 describes them, each field with the place where it starts.

export interface CsvField {
  readonly text: string;
  /** Counted from 1, in characters. */
  readonly line: number;
  readonly column: number;
}

/** One record; empty lines are none. */
export type CsvRecord = readonly CsvField[];

/** Splits text into records. Never throws: a quote that is not closed takes in all that is left. */
export function* csvRecords(text: string): Generator<CsvRecord> {
  const reader = new Reader(text.startsWith('\uFEFF') ? text.slice(1) : text);
  while (!reader.isAtEnd) {
    const record = reader.record();
    if (record.length > 1 || record[0]?.text !== '') yield record;
  }
}

class Reader {
  readonly #text: string;
  #at = 0;
  #line = 1;
  #lineStart = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  record(): CsvRecord {
    const fields = [this.#field()];
    while (this.#text[this.#at] === ',') {
      this.#at += 1;
      fields.push(this.#field());
    }
    this.#endLine();
    return fields;
  }

  #field(): CsvField {
    const place = { line: this.#line, column: this.#at - this.#lineStart + 1 };
    const text = this.#text[this.#at] === '"' ? this.#quoted() : '';
    return { text: text + this.#plain(), ...place };
  }

  #plain(): string {
    const from = this.#at;
    while (!this.isAtEnd && !',\r\n'.includes(this.#text[this.#at] ?? ',')) this.#at += 1;
    return this.#text.slice(from, this.#at);
  }

  /** Two quotes within quotes stand for one. */
  #quoted(): string {
    let value = '';
    for (;;) {
      const from = this.#at + 1;
      const end = this.#text.indexOf('"', from);
      this.#countLines(from, end === -1 ? this.#text.length : end);
      if (end === -1) {
        this.#at = this.#text.length;
        return value + this.#text.slice(from);
      }
      value += this.#text.slice(from, end);
      this.#at = end + 1;
      if (this.#text[this.#at] !== '"') return value;
      value += '"';
    }
  }

  #countLines(from: number, to: number): void {
    for (
      let at = this.#text.indexOf('\n', from);
      at !== -1 && at < to;
      at = this.#text.indexOf('\n', at + 1)
    ) {
      this.#line += 1;
      this.#lineStart = at + 1;
    }
  }

  #endLine(): void {
    if (this.#text[this.#at] === '\r') this.#at += 1;
    if (this.#text[this.#at] === '\n') this.#at += 1;
    this.#line += 1;
    this.#lineStart = this.#at;
  }
}
