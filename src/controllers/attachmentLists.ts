// Lists of all volume attachments, shared by the drains that wait for one, and never read more often than is cheap.
import type { VolumeAttachment } from '../model/volumes.ts';
import type { Ports } from '../ports/ports.ts';

/** The shortest time between the starts of two lists. */
const LEAST_APART_MS = 1_000;
/** At most this share of the time is spent on reading lists: those of a large cluster take their time. */
const BUSY_SHARE = 0.1;

export type AttachmentAnswer =
  | { readonly kind: 'read'; readonly byNode: ReadonlyMap<string, readonly VolumeAttachment[]> }
  | { readonly kind: 'later'; readonly afterMs: number };

const NONE_READ: ReadonlyMap<string, readonly VolumeAttachment[]> = new Map();

export class AttachmentLists {
  #beganAtMs = Number.NEGATIVE_INFINITY;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #byNode = NONE_READ;
  #reading: Promise<void> | null = null;

  /** The attachments by node as they were at `sinceMs` or later; or when to ask again. */
  async asOf(ports: Ports, sinceMs: number): Promise<AttachmentAnswer> {
    if (this.#reading !== null) await this.#reading;
    if (this.#beganAtMs >= sinceMs) return { kind: 'read', byNode: this.#byNode };
    const waitMs = this.#notBeforeMs - ports.clock.nowMs();
    if (waitMs > 0) return { kind: 'later', afterMs: waitMs };
    this.#reading ??= this.#read(ports).finally(() => {
      this.#reading = null;
    });
    await this.#reading;
    return { kind: 'read', byNode: this.#byNode };
  }

  /** What was read is of no use to later drains. */
  forget(): void {
    this.#byNode = NONE_READ;
    this.#beganAtMs = Number.NEGATIVE_INFINITY;
  }

  async #read(ports: Ports): Promise<void> {
    const beganAtMs = ports.clock.nowMs();
    const attachments = await ports.kube.readVolumeAttachments();
    const tookMs = ports.clock.nowMs() - beganAtMs;
    this.#beganAtMs = beganAtMs;
    this.#byNode = Map.groupBy(attachments, ({ nodeName }) => nodeName);
    this.#notBeforeMs = beganAtMs + Math.max(LEAST_APART_MS, tookMs / BUSY_SHARE);
  }
}
