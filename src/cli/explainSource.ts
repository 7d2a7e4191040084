// The cluster that `cooper explain` looks at: a live one, read by lists alone, or one that was saved to files.
import { asRaw, listIn, objectIn, objectsIn, timeMsIn } from '../api/objects/raw.ts';
import { SHIPPED_REGION } from '../aws/shippedCatalogue.ts';
import { LaunchFailuresMemory } from '../controllers/launchFailures.ts';
import { launchLeaves } from '../controllers/launchPauses.ts';
import { type RestingProvisioners, restingProvisioners } from '../disruption/restingProvisioners.ts';
import { connectKube } from '../kube/connect.ts';
import { type EventSubject, listCluster, listEvents, type ToldEvent } from '../kube/listing.ts';
import { REAL_TIMING } from '../kube/timing.ts';
import { KubeTransport } from '../kube/transport.ts';
import { LABEL } from '../model/labels.ts';
import type { Catalogue, ClusterSnapshot } from '../model/snapshot.ts';
import { messageOf, type ReadingIo, readManifests } from './manifestInput.ts';
import { catalogueOf, readTypes, withUsableDefaults } from './offlineCatalogue.ts';
import { REAL_CLOCK } from './realClock.ts';
import { type InvalidObject, readSimulateInput } from './simulateInput.ts';
import { VERSION } from './version.ts';

const CALL_WITHIN_MS = 30_000;

export interface SourceOptions {
  /** Files of a saved cluster; empty for a live one. */
  readonly snapshot: readonly string[];
  readonly kubeconfig?: string;
  readonly context?: string;
  /** File of instance types; the shipped ones when absent. */
  readonly catalogue?: string;
  /** Names the zones of the shipped types; that of the nodes when absent. */
  readonly region?: string;
}

export interface ExplainedCluster {
  readonly snapshot: ClusterSnapshot;
  readonly catalogue: Catalogue;
  /** Provisioners that launch nothing now; left out of the catalogue. */
  readonly resting: RestingProvisioners;
  /** What is to be known of the answer: where prices and the time come from, what could not be read. */
  readonly notes: readonly string[];
  /** Events about an object; none of a saved cluster. */
  readonly events: (about: EventSubject) => Promise<readonly ToldEvent[]>;
}

/** Reads the cluster; null, with the reason written, when it cannot be read. */
export async function readCluster(options: SourceOptions, io: ReadingIo): Promise<ExplainedCluster | null> {
  const { catalogue: file } = options;
  const types = file === undefined ? null : await readTypes(file, io);
  if (file !== undefined && types === null) return null;
  const read =
    options.snapshot.length > 0 ? await readSaved(options.snapshot, io) : await readLive(options, io);
  if (read === null) return null;
  const input = readSimulateInput(read.manifests, types === null ? 'shippedTypes' : 'typesFile');
  const provisioners = input.provisionerMissing ? [] : input.snapshot.provisioners;
  const snapshot = withUsableDefaults({ ...input.snapshot, provisioners, takenAtMs: read.takenAtMs }, types);
  const region = options.region ?? regionOf(snapshot);
  const notes = [...read.notes, ...[...read.faults, ...input.invalid].map(invalidNote)];
  const writeError = (line: string): void => void notes.push(line);
  const resting = restingNow(snapshot);
  const serving = snapshot.provisioners.filter(({ name }) => !resting.has(name));
  const catalogue = catalogueOf({ ...snapshot, provisioners: serving }, { types, region }, { writeError });
  if (types === null)
    notes.push(
      `types and on-demand prices of what would be bought are those shipped with Cooper, for ${region}`,
    );
  return { snapshot, catalogue, resting, notes, events: read.events };
}

interface ReadSource {
  readonly manifests: readonly unknown[];
  readonly faults: readonly InvalidObject[];
  readonly takenAtMs: number;
  readonly notes: readonly string[];
  readonly events: ExplainedCluster['events'];
}

async function readLive({ kubeconfig, context }: SourceOptions, io: ReadingIo): Promise<ReadSource | null> {
  try {
    const connection = await connectKube({ kubeconfig, context, env: process.env });
    const settings = { timeoutMs: CALL_WITHIN_MS, timing: REAL_TIMING, userAgent: `cooper/${VERSION}` };
    const transport = new KubeTransport(connection, settings);
    const { objects, problems } = await listCluster(transport);
    return {
      manifests: objects,
      faults: [],
      takenAtMs: REAL_CLOCK.nowMs(),
      notes: problems,
      events: (about) => listEvents(transport, about),
    };
  } catch (failure) {
    io.writeError(`cooper explain: ${messageOf(failure)}`);
    return null;
  }
}

async function readSaved(files: readonly string[], io: ReadingIo): Promise<ReadSource | null> {
  const read = await readManifests(files, io);
  if (read === null) return null;
  const { manifests, faults } = read;
  const events: ExplainedCluster['events'] = async () => [];
  if (read.takenAtMs !== null) return { manifests, faults, takenAtMs: read.takenAtMs, notes: [], events };
  const note = 'the files do not say when they were taken; the latest time in them stands in';
  return { manifests, faults, takenAtMs: latestTimeMs(manifests), notes: [note], events };
}

/** The latest creation or change of a condition: nothing is known to be later. */
function latestTimeMs(manifests: readonly unknown[]): number {
  let latestMs = 0;
  const note = (timeMs: number | null): void => {
    latestMs = Math.max(latestMs, timeMs ?? 0);
  };
  for (const manifest of manifests) {
    const raw = asRaw(manifest);
    note(timeMsIn(objectIn(raw, 'metadata'), 'creationTimestamp'));
    for (const condition of objectsIn(objectIn(raw, 'status'), 'conditions')) {
      note(timeMsIn(condition, 'lastTransitionTime'));
      note(timeMsIn(condition, 'lastHeartbeatTime'));
    }
    for (const status of listIn(objectIn(raw, 'status'), 'containerStatuses'))
      note(timeMsIn(objectIn(objectIn(asRaw(status), 'state'), 'running'), 'startedAt'));
  }
  return latestMs;
}

/** Those that rest by what they say, and those whose launches are paused because their nodes never came up. */
function restingNow(snapshot: ClusterSnapshot): RestingProvisioners {
  const paused = [...launchLeaves(snapshot, new LaunchFailuresMemory())].flatMap(
    ([name, { leave, problem }]) =>
      leave === 'none' ? [[name, { reason: problem.message, nearest: '' }] as const] : [],
  );
  return new Map([...paused, ...restingProvisioners(snapshot)]);
}

function invalidNote({ object, field, problem }: InvalidObject): string {
  return `left out: ${[object, field, problem].filter((part) => part !== '').join(' ')}`;
}

/** Zones of the shipped types are named after it. */
function regionOf({ nodes }: ClusterSnapshot): string {
  for (const { labels } of nodes) {
    const region = labels[LABEL.region] ?? labels[LABEL.zone]?.replace(/[a-z]$/, '');
    if (region !== undefined && region !== '') return region;
  }
  return SHIPPED_REGION;
}
