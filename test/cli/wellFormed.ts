// Is a text well-formed XML, as far as charts use it? Tags balanced, attributes quoted, one root, text escaped.

const TAG = /<(\/?)([A-Za-z][\w:-]*)((?:\s+[\w:-]+="[^"<&]*")*)\s*(\/?)>/y;
const TEXT = /(?:[^<&]|&(?:amp|lt|gt|quot|apos|#\d+);)+/y;

/** What is wrong with it, first fault first; empty when nothing is. */
export function wellFormed(xml: string): readonly string[] {
  const open: string[] = [];
  let roots = 0;
  let at = 0;
  while (at < xml.length) {
    const text = match(TEXT, xml, at);
    if (text !== null) {
      if (open.length === 0 && text[0].trim() !== '') return [`text outside the root at ${at}`];
      at += text[0].length;
      continue;
    }
    const tag = match(TAG, xml, at);
    if (tag === null) return [`no tag and no text at ${at}: ${xml.slice(at, at + 40)}`];
    const [whole, closing, name = '', , empty] = tag;
    if (closing === '/') {
      if (open.pop() !== name) return [`</${name}> closes nothing at ${at}`];
    } else {
      if (open.length === 0) roots += 1;
      if (empty !== '/') open.push(name);
    }
    at += whole.length;
  }
  return [...open.map((name) => `<${name}> is not closed`), ...(roots === 1 ? [] : [`${roots} roots`])];
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
