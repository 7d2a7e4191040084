// Cuts the byte stream of a watch into lines, and reads each one.
import type { Readable } from 'node:stream';
import { asRaw, type Raw, textIn } from '../api/objects/raw.ts';

export type WatchEventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';

export interface WatchEvent {
  readonly type: WatchEventType;
  readonly object: Raw;
}

const TYPES: ReadonlySet<string> = new Set(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR']);
const NEWLINE = 10;

/**
 * Calls `onLine` for each whole line, in the turn of the event loop that brought its last byte.
 * Resolves when the stream ends, rejects when it breaks; a line that the end cuts short is not delivered.
 */
export function readLines(stream: Readable, onLine: (line: string) => void): Promise<void> {
  let pending: Buffer[] = [];
  const onData = (chunk: Buffer): void => {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const tail = chunk.subarray(start, end);
      const line = pending.length === 0 ? tail : Buffer.concat([...pending, tail]);
      pending = [];
      start = end + 1;
      if (line.length > 0) onLine(line.toString('utf8'));
    }
    if (start < chunk.length) pending.push(chunk.subarray(start));
  };
  return new Promise((resolve, reject) => {
    stream.on('data', onData);
    stream.on('end', resolve);
    stream.on('error', reject);
    stream.on('close', resolve);
  });
}

/** One line of a watch; null when it is not a watch event. */
export function parseWatchEvent(line: string): WatchEvent | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return null;
  }
  const raw = asRaw(parsed);
  const type = textIn(raw, 'type');
  const object = asRaw(raw?.object);
  return object !== null && TYPES.has(type) ? { type: type as WatchEventType, object } : null;
}
