// What is remembered of nodes that never came up: here, and in the Provisioner's status for after a restart.
import type { NodeClaim } from '../model/nodeClaim.ts';
import { type NodeClass, nodeClassKey } from '../model/nodeClass.ts';
import type { LaunchFailures, Provisioner } from '../model/provisioner.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import type { Ports } from '../ports/ports.ts';
import { afterFailure, configurationOf, hasOldImage, type Launched, othersCameUp } from './launchBreaker.ts';
import type { LiveState } from './liveState.ts';

/** More than this of a console would push the rest out of a pod's event. */
const HINT_LONGEST = 300;

/** The API server states creation in whole seconds, cut off. */
const STORED_WITHIN_MS = 1_000;

interface Held {
  readonly uid: string;
  failures: LaunchFailures | null;
  /** As the Provisioner's status has it. */
  stored: LaunchFailures | null;
  /** The write under way: they follow each other, so that the last one stands. */
  writing: Promise<void>;
}

interface Current {
  readonly configuration: string;
  readonly nodeClass: string;
  /** Claims stored before were launched from another; 0 for one that was there when we started. */
  readonly sinceMs: number;
}

export class LaunchFailuresMemory {
  readonly #held = new Map<string, Held>();
  readonly #current = new Map<string, Current>();
  /** Uids of claims that have been counted: giving one back may take several tries. */
  readonly #counted = new Set<string>();
  /** By key of node classes: the images that a launch would boot, where that could be told. */
  readonly #images = new Map<string, readonly string[]>();

  /** How much is remembered. */
  get size(): number {
    return this.#held.size + this.#current.size + this.#counted.size + this.#images.size;
  }

  /** What is known of the Provisioner: our own word first, since its status may not have come back to us yet. */
  of(provisioner: Provisioner): LaunchFailures | null {
    return this.#heldFor(provisioner).failures;
  }

  /** Notes which configuration each Provisioner has, and forgets what is gone. */
  look({ provisioners, nodeClasses, nodeClaims, takenAtMs }: ClusterSnapshot): void {
    const classes = new Map(nodeClasses.map((one) => [one.key, one]));
    const names = new Set(provisioners.map(({ name }) => name));
    for (const name of this.#held.keys()) if (!names.has(name)) this.#held.delete(name);
    for (const name of this.#current.keys()) if (!names.has(name)) this.#current.delete(name);
    for (const key of this.#images.keys()) if (!classes.has(key)) this.#images.delete(key);
    if (this.#counted.size > 0) {
      const uids = new Set(nodeClaims.map(({ uid }) => uid));
      for (const uid of this.#counted) if (!uids.has(uid)) this.#counted.delete(uid);
    }
    for (const provisioner of provisioners) {
      const nodeClass = classes.get(nodeClassKey(provisioner.nodeClassRef));
      if (nodeClass !== undefined) this.#noteCurrent(provisioner, nodeClass, takenAtMs);
    }
  }

  /** Asks which images the node classes of Provisioners with failures stand for now: they change by themselves. */
  async learnImages(
    { cloud }: Pick<Ports, 'cloud'>,
    { provisioners, nodeClasses }: Pick<ClusterSnapshot, 'provisioners' | 'nodeClasses'>,
  ): Promise<void> {
    const failing = provisioners.filter((one) => this.of(one) !== null);
    if (failing.length === 0) return;
    const keys = new Set(failing.map(({ nodeClassRef }) => nodeClassKey(nodeClassRef)));
    for (const one of nodeClasses) if (keys.has(one.key)) await this.learnImagesOf({ cloud }, one);
  }

  async learnImagesOf({ cloud }: Pick<Ports, 'cloud'>, nodeClass: NodeClass): Promise<void> {
    const targets = await cloud.nodeClassTargets?.(nodeClass).catch(() => null);
    const imageIds = targets?.imageIds ?? null;
    if (imageIds === null) this.#images.delete(nodeClass.key);
    else this.#images.set(nodeClass.key, imageIds);
  }

  /** What the Provisioner launches now. */
  launchedBy(provisioner: Provisioner, nodeClass: NodeClass): Launched {
    const configuration = configurationOf(provisioner, nodeClass);
    return { configuration, imageIds: this.#images.get(nodeClass.key) ?? null };
  }

  /** What the claim's Provisioner launches, while that is what the claim was made from; null when it is not. */
  launchedFor(claim: NodeClaim): Launched | null {
    const current = this.#current.get(claim.spec.provisioner);
    if (current === undefined || claim.createdAtMs + STORED_WITHIN_MS < current.sinceMs) return null;
    const { configuration, nodeClass } = current;
    const launched = { configuration, imageIds: this.#images.get(nodeClass) ?? null };
    return hasOldImage(claim, launched) ? null : launched;
  }

  /** Counts the claim; false when that has been done before. */
  count({ uid }: NodeClaim): boolean {
    const isNew = !this.#counted.has(uid);
    this.#counted.add(uid);
    return isNew;
  }

  set(provisioner: Provisioner, failures: LaunchFailures | null): void {
    this.#heldFor(provisioner).failures = failures;
  }

  /** Resolves once the Provisioner's status has what is known now, or cannot be written: it is tried again later. */
  store(ports: Ports, provisioner: Provisioner): Promise<void> {
    const held = this.#heldFor(provisioner);
    const write = async (): Promise<void> => {
      const { failures } = held;
      if (held.stored === failures) return;
      await ports.kube.writeLaunchFailures(provisioner.name, failures);
      held.stored = failures;
    };
    const failed = (failure: unknown): void => {
      const facts = { provisioner: provisioner.name, error: String(failure) };
      ports.telemetry.log.error(facts, 'launch failures not written: a restart would not know of them');
    };
    held.writing = held.writing.then(write).catch(failed);
    return held.writing;
  }

  #noteCurrent(provisioner: Provisioner, nodeClass: NodeClass, nowMs: number): void {
    const configuration = configurationOf(provisioner, nodeClass);
    const known = this.#current.get(provisioner.name);
    if (known?.configuration === configuration) return;
    const sinceMs = known === undefined ? 0 : nowMs;
    this.#current.set(provisioner.name, { configuration, nodeClass: nodeClass.key, sinceMs });
  }

  #heldFor({ name, uid, ...rest }: Provisioner): Held {
    const launchFailures = rest.launchFailures ?? null;
    const held = this.#held.get(name);
    if (held?.uid === uid) return held;
    const made: Held = { uid, failures: launchFailures, stored: launchFailures, writing: Promise.resolve() };
    this.#held.set(name, made);
    for (const claim of launchFailures?.claims ?? []) this.#counted.add(claim);
    return made;
  }
}

/** Notes that the claim's node did not come up, and resolves once a restart would know of it. */
export async function noteNotUp(
  ports: Ports,
  { live, failures }: { readonly live: LiveState; readonly failures: LaunchFailuresMemory },
  claim: NodeClaim,
  hint: string,
): Promise<void> {
  const nodeClass = live.get('nodeClass', nodeClassKey(claim.spec.nodeClassRef));
  if (nodeClass !== undefined) await failures.learnImagesOf(ports, nodeClass);
  const provisioner = live.get('provisioner', claim.spec.provisioner);
  const launched = failures.launchedFor(claim);
  if (provisioner === undefined || launched === null) return;
  const before = failures.of(provisioner);
  const { nodeClaims } = live.snapshot();
  if (!othersCameUp(claim, nodeClaims) && failures.count(claim)) {
    const atMs = ports.clock.nowMs();
    const failure = { launched, claim, atMs, hint: hint.slice(0, HINT_LONGEST) };
    const after = afterFailure(withoutLeaving(before, nodeClaims), failure);
    failures.set(provisioner, after);
    if (after.retryAtMs !== (before?.retryAtMs ?? 0)) {
      const facts = { provisioner: provisioner.name, nodes: after.nodes, hint: after.hint };
      const until = new Date(after.retryAtMs).toISOString();
      ports.telemetry.log.warn(
        { ...facts, until },
        'launches paused: nodes of this configuration never come up',
      );
    }
  }
  await failures.store(ports, provisioner);
}

/** Claims whose deletion is under way are not given back again: nobody needs to know that they were counted. */
function withoutLeaving(
  failures: LaunchFailures | null,
  nodeClaims: readonly NodeClaim[],
): LaunchFailures | null {
  if (failures === null || failures.claims.length === 0) return failures;
  const staying = new Set(
    nodeClaims.flatMap(({ uid, deletionRequestedAtMs }) => (deletionRequestedAtMs === null ? [uid] : [])),
  );
  return { ...failures, claims: failures.claims.filter((uid) => staying.has(uid)) };
}

/** Notes that the claim's node has come up: its configuration is sound. */
export async function noteUp(
  ports: Ports,
  { live, failures }: { readonly live: LiveState; readonly failures: LaunchFailuresMemory },
  claim: NodeClaim,
): Promise<void> {
  const provisioner = live.get('provisioner', claim.spec.provisioner);
  if (provisioner === undefined) return;
  if (failures.of(provisioner) === null) return;
  await failures.learnImages(ports, live.snapshot());
  const known = failures.of(provisioner);
  if (known === null || failures.launchedFor(claim) === null) return;
  failures.set(provisioner, null);
  if (known.pauses > 0)
    ports.telemetry.log.info({ provisioner: provisioner.name }, 'launches go on: a node has come up');
  await failures.store(ports, provisioner);
}
