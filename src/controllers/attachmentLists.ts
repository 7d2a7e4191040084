// Lists of all volume attachments, shared by the drains that wait for one, and never read more often than is cheap.
import type { VolumeAttachment } from '../model/volumes.ts';
import type { Ports } from '../ports/ports.ts';

/** The shortest time between the starts of two lists. */
const LEAST_APART_MS = 1_000;
/** At most this share of the time is spent on reading lists: those of a large cluster take their time. */
const BUSY_SHARE = 0.1;
/** Without the right to it, the list is asked for again after this long: a chart is upgraded meanwhile. */
const FORBIDDEN_AGAIN_MS = 60_000;

/** What charts before that of this version do not grant, and how to mend it. */
export const MISSING_RIGHT = {
  right: 'list volumeattachments.storage.k8s.io',
  mend: "upgrade the chart, or allow it in the ClusterRole of Cooper's service account",
} as const;

export type AttachmentAnswer =
  | { readonly kind: 'read'; readonly byNode: ReadonlyMap<string, readonly VolumeAttachment[]> }
  | { readonly kind: 'later'; readonly afterMs: number }
  | { readonly kind: 'forbidden' };

const NONE_READ: ReadonlyMap<string, readonly VolumeAttachment[]> = new Map();

export class AttachmentLists {
  #beganAtMs = Number.NEGATIVE_INFINITY;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #byNode = NONE_READ;
  #reading: Promise<void> | null = null;
  /** Until when the list is not asked for, since we may not have it; null while we may. */
  #forbiddenUntilMs: number | null = null;

  /** The attachments by node as they were at `sinceMs` or later; or when to ask again; or that we may not know. */
  async asOf(ports: Ports, sinceMs: number): Promise<AttachmentAnswer> {
    if (this.#reading !== null) await this.#reading;
    if (this.#isForbidden(ports)) return { kind: 'forbidden' };
    if (this.#beganAtMs >= sinceMs) return { kind: 'read', byNode: this.#byNode };
    const waitMs = this.#notBeforeMs - ports.clock.nowMs();
    if (waitMs > 0) return { kind: 'later', afterMs: waitMs };
    this.#reading ??= this.#read(ports).finally(() => {
      this.#reading = null;
    });
    await this.#reading;
    return this.#isForbidden(ports) ? { kind: 'forbidden' } : { kind: 'read', byNode: this.#byNode };
  }

  /** What was read is of no use to later drains. */
  forget(): void {
    this.#byNode = NONE_READ;
    this.#beganAtMs = Number.NEGATIVE_INFINITY;
  }

  #isForbidden({ clock }: Ports): boolean {
    return this.#forbiddenUntilMs !== null && clock.nowMs() < this.#forbiddenUntilMs;
  }

  /** Told once, and again only when the right has been there in between. */
  #noteForbidden({ clock, telemetry }: Ports): void {
    if (this.#forbiddenUntilMs === null)
      telemetry.log.warn(
        MISSING_RIGHT,
        'volume attachments may not be listed: drains go by what Nodes report',
      );
    this.#forbiddenUntilMs = clock.nowMs() + FORBIDDEN_AGAIN_MS;
    this.forget();
  }

  async #read(ports: Ports): Promise<void> {
    const beganAtMs = ports.clock.nowMs();
    const attachments = await ports.kube.readVolumeAttachments();
    if (attachments === 'forbidden') return this.#noteForbidden(ports);
    this.#forbiddenUntilMs = null;
    const tookMs = ports.clock.nowMs() - beganAtMs;
    this.#beganAtMs = beganAtMs;
    this.#byNode = Map.groupBy(attachments, ({ nodeName }) => nodeName);
    this.#notBeforeMs = beganAtMs + Math.max(LEAST_APART_MS, tookMs / BUSY_SHARE);
  }
}
