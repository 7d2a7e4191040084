// Kubernetes events: what users see in `kubectl describe`. Best effort, counted up, and bounded.
import type { EventDraft } from '../ports/kubeApi.ts';
import { RESOURCE } from './apiTarget.ts';
import { kubernetesTime } from './statuses.ts';
import type { Timing } from './timing.ts';
import type { KubeTransport } from './transport.ts';

export interface EventSettings {
  readonly timing: Timing;
  /** Told of events that could not be published: nobody waits for them. */
  readonly onProblem: (error: Error) => void;
}

interface Published {
  readonly name: string;
  readonly namespace: string;
  readonly firstMs: number;
  count: number;
  lastMs: number;
  /** When the server was last told the count. */
  writtenMs: number;
}

interface Allowance {
  tokens: number;
  filledMs: number;
}

/** The same event again within this time is counted up, not published anew. */
const REPEAT_WITHIN_MS = 120_000;
/** A count is written this often at most; repeats in between ride along with the next write. */
const COUNT_EVERY_MS = 10_000;
/** New events about one object: this many at once, then one per interval. */
const BURST = 20;
const REFILL_EVERY_MS = 15_000;
const REMEMBERED_MOST = 4_096;
const MESSAGE_LONGEST = 1_024;

const API_VERSIONS: Readonly<Record<EventDraft['about']['kind'], string>> = {
  Pod: 'v1',
  Node: 'v1',
  NodeClaim: 'karpenter.sh/v1',
  Provisioner: 'karpenter.sh/v1alpha5',
  AWSNodeTemplate: 'karpenter.k8s.aws/v1alpha1',
};

export class EventPublisher {
  readonly #transport: KubeTransport;
  readonly #settings: EventSettings;
  readonly #published = new Map<string, Published>();
  readonly #allowances = new Map<string, Allowance>();
  #sequence = 0;

  constructor(transport: KubeTransport, settings: EventSettings) {
    this.#transport = transport;
    this.#settings = settings;
  }

  /** Never throws, never rejects. */
  async publish(event: EventDraft): Promise<void> {
    try {
      await this.#publish(event);
    } catch (error) {
      this.#settings.onProblem(error instanceof Error ? error : new Error(String(error)));
    }
  }

  async #publish(event: EventDraft): Promise<void> {
    const nowMs = this.#settings.timing.nowMs();
    const { about, type, reason, message } = event;
    const key = JSON.stringify([about.kind, about.namespace, about.name, about.uid, type, reason, message]);
    const held = this.#published.get(key);
    if (held !== undefined && nowMs - held.lastMs < REPEAT_WITHIN_MS) return this.#countUp(key, held, event);
    if (!this.#allow(about.uid || `${about.kind}/${about.namespace}/${about.name}`, nowMs)) return;
    const published = this.#newEvent(event, nowMs);
    remember(this.#published, key, published);
    await this.#create(event, published);
  }

  #newEvent({ about }: EventDraft, nowMs: number): Published {
    this.#sequence += 1;
    const suffix = Math.floor(this.#settings.timing.random() * 2 ** 32).toString(16);
    return {
      name: `${about.name.slice(0, 220)}.${nowMs.toString(16)}.${suffix}${this.#sequence.toString(16)}`,
      namespace: about.namespace === '' ? 'default' : about.namespace,
      firstMs: nowMs,
      count: 1,
      lastMs: nowMs,
      writtenMs: nowMs,
    };
  }

  async #countUp(key: string, held: Published, event: EventDraft): Promise<void> {
    const nowMs = this.#settings.timing.nowMs();
    held.count += 1;
    held.lastMs = nowMs;
    remember(this.#published, key, held);
    if (nowMs - held.writtenMs < COUNT_EVERY_MS) return;
    held.writtenMs = nowMs;
    const { status } = await this.#transport.call({
      verb: 'patch',
      target: { ...RESOURCE.events, namespace: held.namespace, name: held.name },
      body: { count: held.count, lastTimestamp: kubernetesTime(nowMs) },
      expected: [404],
    });
    // Events live for an hour on the server; one that is gone is published again.
    if (status === 404) await this.#create(event, held);
  }

  async #create({ about, type, reason, message }: EventDraft, event: Published): Promise<void> {
    const { kind, namespace, name, uid } = about;
    const scope = namespace === '' ? {} : { namespace };
    await this.#transport.call({
      verb: 'create',
      target: { ...RESOURCE.events, namespace: event.namespace },
      body: {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: event.name, namespace: event.namespace },
        involvedObject: { apiVersion: API_VERSIONS[kind], kind, name, uid, ...scope },
        type,
        reason,
        message: message.length <= MESSAGE_LONGEST ? message : `${message.slice(0, MESSAGE_LONGEST - 3)}...`,
        source: { component: 'cooper' },
        reportingComponent: 'cooper',
        firstTimestamp: kubernetesTime(event.firstMs),
        lastTimestamp: kubernetesTime(event.lastMs),
        count: event.count,
      },
      // A repeat after a lost answer finds its own first try.
      expected: [409],
    });
  }

  /** Takes one from the object's allowance; false when it has used it up. */
  #allow(object: string, nowMs: number): boolean {
    const held = this.#allowances.get(object) ?? { tokens: BURST, filledMs: nowMs };
    const refills = Math.floor((nowMs - held.filledMs) / REFILL_EVERY_MS);
    held.tokens = Math.min(BURST, held.tokens + refills);
    held.filledMs += refills * REFILL_EVERY_MS;
    remember(this.#allowances, object, held);
    if (held.tokens < 1) return false;
    held.tokens -= 1;
    return true;
  }
}

/** Keeps the entries used last; the one unused longest makes room. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= REMEMBERED_MOST) return;
  const oldest = map.keys().next().value;
  if (oldest !== undefined) map.delete(oldest);
}
