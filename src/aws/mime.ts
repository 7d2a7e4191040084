// MIME multipart user data, as cloud-init and nodeadm read it: written, and read from users.

/** One part as it stands: headers, a blank line, body. */
export interface MimePart {
  readonly contentType: string;
  /** How the body is written, `base64`; absent: as it is. */
  readonly transferEncoding?: string;
  readonly body: string;
}

const PLAIN_BOUNDARY = '//';

/** A multipart/mixed document of the parts in order, its boundary being in none of them. */
export function writeMime(parts: readonly MimePart[]): string {
  let boundary = PLAIN_BOUNDARY;
  for (let count = 1; parts.some(({ body }) => body.includes(`--${boundary}`)); count += 1) {
    boundary = `COOPER-${count}`;
  }
  const sections = parts.map(({ contentType, transferEncoding, body }) => {
    const encoding = transferEncoding === undefined ? '' : `Content-Transfer-Encoding: ${transferEncoding}\n`;
    const headers = `Content-Type: ${contentType}\n${encoding}`;
    return `--${boundary}\n${headers}\n${body.replace(/\n*$/, '')}\n\n`;
  });
  const header = `MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="${boundary}"\n\n`;
  return `${header}${sections.join('')}--${boundary}--\n`;
}

/** True when text begins with MIME headers. */
export function isMime(text: string): boolean {
  return /^\s*(MIME-Version|Content-Type):/i.test(text);
}

/** The parts of a MIME document, null when it has no boundary. Of their headers, type and encoding are kept. */
export function readMime(text: string): readonly MimePart[] | null {
  const normal = text.replaceAll('\r\n', '\n').trimStart();
  const split = normal.indexOf('\n\n');
  const header = split === -1 ? normal : normal.slice(0, split);
  const boundary = /boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(header);
  const name = boundary?.[1] ?? boundary?.[2];
  if (name === undefined) return null;
  // Nothing else stands on the line of a boundary: a script may have lines that begin like one.
  const line = new RegExp(`\\n--${escaped(name)}(?=(?:--)?[ \\t]*(?:\\n|$))`);
  const sections = `\n${normal.slice(split + 1)}`.split(line).slice(1);
  const parts: MimePart[] = [];
  for (const section of sections) {
    if (section.startsWith('--')) break;
    parts.push(readPart(section.replace(/^[ \t]*\n/, '')));
  }
  return parts;
}

function readPart(section: string): MimePart {
  const bodyless = section.startsWith('\n') ? 0 : section.indexOf('\n\n');
  const headers = bodyless <= 0 ? '' : section.slice(0, bodyless);
  const body = bodyless === -1 ? '' : section.slice(bodyless).replace(/^\n+/, '');
  const contentType = /^content-type:\s*(.+)$/im.exec(headers)?.[1]?.trim() ?? 'text/plain';
  const transferEncoding = /^content-transfer-encoding:\s*(.+)$/im.exec(headers)?.[1]?.trim();
  return { contentType, body, ...(transferEncoding === undefined ? {} : { transferEncoding }) };
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
