// The demo's timeline: what happens at one instant, gathered and told in a line for each kind of thing.
import type { Colors } from 'picocolors/types.js';
import { formatResources, type Resources } from '../model/resources.ts';
import type { HistoryEntry } from '../simulator/history.ts';

/** What a line is about, in the first column. */
type Topic =
  | 'scaled'
  | 'pod pending'
  | 'packed'
  | 'fleet requested'
  | 'launched'
  | 'node joined'
  | 'node ready'
  | 'pod bound'
  | 'pod running'
  | 'pod gone'
  | 'node empty'
  | 'node going'
  | 'instance gone'
  | 'node gone';

interface Told {
  readonly topic: Topic;
  /** Entries with equal keys at one instant become one line. */
  readonly key: string;
  /** The line's text for so many entries. */
  readonly text: (count: number) => string;
}

interface Gathered extends Told {
  readonly atMs: number;
  count: number;
}

const TOPIC_WIDTH = 16;
const GATHER_MS = 250;

export class DemoTimeline {
  readonly #startMs: number;
  readonly #colors: Colors;
  readonly #write: (line: string) => void;
  readonly #gathered = new Map<string, Gathered>();
  /** By claim. */
  readonly #prices = new Map<string, number>();

  constructor(startMs: number, colors: Colors, write: (line: string) => void) {
    this.#startMs = startMs;
    this.#colors = colors;
    this.#write = write;
  }

  note(entry: HistoryEntry): void {
    const told = this.#tell(entry);
    if (told === null) return;
    const key = `${told.topic} ${told.key}`;
    const held = this.#gathered.get(key);
    if (held === undefined) this.#gathered.set(key, { ...told, atMs: entry.atMs, count: 1 });
    else held.count += 1;
  }

  /**
   * Writes what has gathered, in order. Lines about pods, and all after them, wait a moment for more of the same:
   * containers start some milliseconds apart.
   */
  flush(nowMs: number): void {
    for (const [key, line] of this.#gathered) {
      if (line.topic.startsWith('pod') && nowMs < line.atMs + GATHER_MS) return;
      this.#gathered.delete(key);
      const time = `+${((line.atMs - this.#startMs) / 1000).toFixed(1)}s`.padStart(8);
      const topic = colourOf(this.#colors, line.topic)(line.topic.padEnd(TOPIC_WIDTH));
      this.#write(`${this.#colors.dim(time)}  ${topic}  ${line.text(line.count)}`);
    }
  }

  #tell({ kind, subject, facts }: HistoryEntry): Told | null {
    const node = String(facts.node ?? '');
    const workload = workloadOf(subject);
    switch (kind) {
      case 'PodPending':
        return gathered('pod pending', workload, (count) => {
          return `${pods(count, workload)} fit${count === 1 ? 's' : ''} nowhere: ${amounts(facts as Resources)} each`;
        });
      case 'PodBound':
        return gathered('pod bound', `${workload} ${node}`, (count) => `${pods(count, workload)} to ${node}`);
      case 'PodRunning':
        return gathered(
          'pod running',
          `${workload} ${node}`,
          (count) => `${pods(count, workload)} on ${node}`,
        );
      case 'PodGone':
        return gathered(
          'pod gone',
          `${workload} ${node}`,
          (count) => `${pods(count, workload)} from ${node}`,
        );
      case 'FleetRequested':
        return single(
          'fleet requested',
          `${subject}: CreateFleet may choose among ${facts.types} instance types`,
        );
      case 'FleetAnswered':
        return this.#tellAnswer(subject, facts);
      case 'InstanceBooted':
        return single('node joined', `${node} (${facts.instanceType}) has booted`);
      case 'NodeReady':
        return single('node ready', subject);
      case 'NodeEmpty':
        return single('node empty', `${subject} has no pods left`);
      case 'InstanceTerminated':
        return single('instance gone', `${node}; ${dollars(this.#prices.get(subject) ?? 0)} an hour saved`);
      case 'NodeGone':
        return single('node gone', subject);
      case 'Decision':
        return tellDecision(subject, facts);
      default:
        return null;
    }
  }

  #tellAnswer(claim: string, facts: HistoryEntry['facts']): Told {
    if (facts.outcome !== 'launched') return single('launched', `${claim}: ${facts.outcome}`);
    const usdPerHour = Number(facts.usdPerHour);
    this.#prices.set(claim, usdPerHour);
    return single('launched', `${facts.instanceType} in ${facts.zone} at ${dollars(usdPerHour)} an hour`);
  }
}

function tellDecision(claim: string, facts: HistoryEntry['facts']): Told | null {
  if (facts.kind === 'Provisioned') {
    const count = (facts.pods as readonly string[]).length;
    const node = `${facts.instanceType}, ${facts.capacityType}, ${dollars(Number(facts.usdPerHour))} an hour`;
    return single('packed', `${count} pods into ${claim}: cheapest is ${node}`);
  }
  if (facts.kind === 'Disrupted') return single('node going', `${facts.node}: ${facts.reason}`);
  return null;
}

function single(topic: Topic, text: string): Told {
  return { topic, key: text, text: () => text };
}

function gathered(topic: Topic, key: string, text: (count: number) => string): Told {
  return { topic, key, text };
}

/** `web/nginx` of the pod `web/nginx-7f9c4d-x2x4z`. */
function workloadOf(pod: string): string {
  return pod.replace(/-[a-z0-9]+-[a-z0-9]+$/, '');
}

function pods(count: number, workload: string): string {
  return `${count} × ${workload}`;
}

function amounts(resources: Resources): string {
  const written = formatResources(resources);
  return `${written.cpu ?? '0'} CPU, ${written.memory ?? '0'} memory`;
}

/** `$0.0513`: prices of small nodes need four digits. */
export function dollars(usd: number): string {
  return `$${usd.toFixed(4)}`;
}

function colourOf(colors: Colors, topic: Topic): (text: string) => string {
  switch (topic) {
    case 'pod pending':
      return colors.yellow;
    case 'packed':
    case 'fleet requested':
    case 'launched':
      return colors.cyan;
    case 'pod running':
    case 'node ready':
    case 'node joined':
      return colors.green;
    case 'node empty':
    case 'node going':
    case 'instance gone':
    case 'node gone':
      return colors.magenta;
    default:
      return colors.dim;
  }
}
