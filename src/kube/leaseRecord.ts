// Who may act: the rules of a Lease among several replicas, without clock or I/O.
import { asRaw, numberIn, objectIn, textIn } from '../api/objects/raw.ts';

/** A moment on two clocks of this machine: the wall clock can jump, the monotonic one stops while it sleeps. */
export interface Instant {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

/** For how long at least it has been since: what must pass before another's Lease may be taken. */
export function atLeastSinceMs(then: Instant, now: Instant): number {
  return Math.min(now.wallMs - then.wallMs, now.monotonicMs - then.monotonicMs);
}

/** For how long at most it has been since: what our own Lease is judged by. */
export function atMostSinceMs(then: Instant, now: Instant): number {
  return Math.max(now.wallMs - then.wallMs, now.monotonicMs - then.monotonicMs);
}

/** The spec of a Lease. Times are as the API writes them, and are never compared with our clock. */
export interface LeaseRecord {
  /** '' when it has been given up. */
  readonly holder: string;
  readonly durationSeconds: number;
  readonly acquireTime: string;
  readonly renewTime: string;
  readonly transitions: number;
}

/** What a replica has seen of the Lease, and since when it has looked like this. */
export interface Observation {
  readonly record: LeaseRecord;
  readonly resourceVersion: string;
  readonly since: Instant;
}

export interface Candidate {
  readonly identity: string;
  readonly durationSeconds: number;
}

export type LeaseStep =
  /** Another holds it. */
  | { readonly kind: 'wait' }
  /** Write this; with no version there is no Lease yet. */
  | { readonly kind: 'write'; readonly record: LeaseRecord; readonly resourceVersion: string | null };

/**
 * Takes in what the API server answered. A record that has not changed keeps the moment it was first seen: the holder
 * has not renewed since. Source: client-go, tools/leaderelection, which compares records and never clocks.
 */
export function observe(
  previous: Observation | null,
  found: Pick<Observation, 'record' | 'resourceVersion'>,
  now: Instant,
): Observation {
  const unchanged = previous !== null && isSameRecord(previous.record, found.record);
  return { ...found, since: unchanged ? previous.since : now };
}

function isSameRecord(one: LeaseRecord, other: LeaseRecord): boolean {
  return (
    one.holder === other.holder &&
    one.durationSeconds === other.durationSeconds &&
    one.acquireTime === other.acquireTime &&
    one.renewTime === other.renewTime &&
    one.transitions === other.transitions
  );
}

/** What the candidate does next; `observed` is null when there is no Lease. */
export function nextLeaseStep(
  observed: Observation | null,
  { identity, durationSeconds }: Candidate,
  now: Instant,
): LeaseStep {
  const time = microTime(now.wallMs);
  const fresh = { holder: identity, durationSeconds, acquireTime: time, renewTime: time };
  if (observed === null)
    return { kind: 'write', record: { ...fresh, transitions: 0 }, resourceVersion: null };
  const { record, resourceVersion, since } = observed;
  if (record.holder === identity) {
    const { acquireTime, transitions } = record;
    return { kind: 'write', record: { ...fresh, acquireTime, transitions }, resourceVersion };
  }
  const heldForMs = record.durationSeconds * 1000;
  if (record.holder !== '' && atLeastSinceMs(since, now) < heldForMs) return { kind: 'wait' };
  return { kind: 'write', record: { ...fresh, transitions: record.transitions + 1 }, resourceVersion };
}

/** The record that gives the Lease up: whoever comes next need not wait. */
export function releasedRecord({ transitions }: LeaseRecord, now: Instant): LeaseRecord {
  const time = microTime(now.wallMs);
  return { holder: '', durationSeconds: 1, acquireTime: time, renewTime: time, transitions };
}

/** MicroTime of the Kubernetes API: RFC 3339 with six digits. */
function microTime(wallMs: number): string {
  return new Date(wallMs).toISOString().replace('Z', '000Z');
}

/** Reads a Lease object of the API. Absent fields count as given up and never renewed. */
export function readLease(body: unknown): Pick<Observation, 'record' | 'resourceVersion'> {
  const raw = asRaw(body);
  const spec = objectIn(raw, 'spec');
  return {
    resourceVersion: textIn(objectIn(raw, 'metadata'), 'resourceVersion'),
    record: {
      holder: textIn(spec, 'holderIdentity'),
      durationSeconds: numberIn(spec, 'leaseDurationSeconds') ?? 0,
      acquireTime: textIn(spec, 'acquireTime'),
      renewTime: textIn(spec, 'renewTime'),
      transitions: numberIn(spec, 'leaseTransitions') ?? 0,
    },
  };
}

/** A Lease object of the API. */
export function leaseManifest(
  { namespace, name }: { readonly namespace: string; readonly name: string },
  { record, resourceVersion }: { readonly record: LeaseRecord; readonly resourceVersion: string | null },
): object {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { namespace, name, ...(resourceVersion === null ? {} : { resourceVersion }) },
    spec: {
      holderIdentity: record.holder,
      leaseDurationSeconds: record.durationSeconds,
      acquireTime: record.acquireTime,
      renewTime: record.renewTime,
      leaseTransitions: record.transitions,
    },
  };
}
