// What a reflector has delivered: enough to tell news from repeats, and what went while nobody watched.
import { objectIn, type Raw, textIn } from '../api/objects/raw.ts';

/** Identity and version of one object as the server sent it. */
export interface ObjectVersion {
  readonly key: string;
  readonly uid: string;
  /** The resource version as a number, 0 when it is none (they are ordered integers, KEP-5504). */
  readonly version: number;
}

interface Held {
  readonly uid: string;
  version: number;
  /** The list in which it was last seen. */
  generation: number;
}

export type Verdict = 'new' | 'changed' | 'replaced' | 'repeated';

/** Deletions remembered, so that an older event that comes late does not revive the object. */
const DELETED_MOST = 4_096;

/** Reads identity and version; null when the object has no name. */
export function objectVersion(object: Raw): ObjectVersion | null {
  const metadata = objectIn(object, 'metadata');
  const name = textIn(metadata, 'name');
  if (name === '') return null;
  const namespace = textIn(metadata, 'namespace');
  const version = Number(textIn(metadata, 'resourceVersion'));
  return {
    key: namespace === '' ? name : `${namespace}/${name}`,
    uid: textIn(metadata, 'uid'),
    version: Number.isSafeInteger(version) ? version : 0,
  };
}

export class KnownObjects {
  readonly #held = new Map<string, Held>();
  readonly #deleted = new Map<string, number>();
  #generation = 0;

  get size(): number {
    return this.#held.size;
  }

  /** Takes in an object that was added or changed, and says whether that is news. */
  put({ key, uid, version }: ObjectVersion): Verdict {
    const held = this.#held.get(key);
    if (isOlder(version, this.#deleted.get(key))) return 'repeated';
    if (held !== undefined && held.uid === uid) {
      held.generation = this.#generation;
      if (version !== 0 && version <= held.version) return 'repeated';
      held.version = version;
      return 'changed';
    }
    if (held !== undefined && isOlder(version, held.version)) return 'repeated';
    this.#held.set(key, { uid, version, generation: this.#generation });
    return held === undefined ? 'new' : 'replaced';
  }

  /** Takes in a deletion; false when the object is not held, or the one held is newer. */
  remove({ key, uid, version }: ObjectVersion): boolean {
    const held = this.#held.get(key);
    this.#bury(key, version);
    if (held === undefined) return false;
    // A deletion carries its own version; one of the same object may repeat the last version on old servers.
    const outlived = held.uid === uid ? version < held.version : version <= held.version;
    if (outlived && version !== 0) return false;
    this.#held.delete(key);
    return true;
  }

  /** A list begins: what it does not name is gone when it ends. It is the truth, so old deletions are forgotten. */
  beginList(): void {
    this.#generation += 1;
    this.#deleted.clear();
  }

  /** The list is complete: forgets and returns the keys that it did not name. */
  endList(): string[] {
    const gone: string[] = [];
    for (const [key, held] of this.#held) {
      if (held.generation !== this.#generation) gone.push(key);
    }
    for (const key of gone) this.#held.delete(key);
    return gone;
  }

  #bury(key: string, version: number): void {
    if (version === 0) return;
    this.#deleted.delete(key);
    this.#deleted.set(key, version);
    if (this.#deleted.size <= DELETED_MOST) return;
    const oldest = this.#deleted.keys().next().value;
    if (oldest !== undefined) this.#deleted.delete(oldest);
  }
}

function isOlder(version: number, held: number | undefined): boolean {
  return held !== undefined && version !== 0 && version <= held;
}
