// `cooper explain`: why a node, NodeClaim or pod is where it is, what would happen to it now, and what keeps it.
import picocolors from 'picocolors';
import { nodeClaimOf } from '../disruption/claimOfNode.ts';
import { type Explainable, explainNode } from '../disruption/explainNode.ts';
import { explainPod } from '../disruption/explainPod.ts';
import type { NodeExplanation, PodExplanation } from '../disruption/explanation.ts';
import type { EventSubject, ToldEvent } from '../kube/listing.ts';
import { podKey } from '../model/pod.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { EXIT } from './exitCodes.ts';
import { explainJson } from './explainJson.ts';
import { type ExplainedCluster, readCluster, type SourceOptions } from './explainSource.ts';
import { durationText, nodeText, podText } from './explainText.ts';
import type { ReadingIo } from './manifestInput.ts';
import { nearNames } from './nearNames.ts';

export interface ExplainOptions extends SourceOptions {
  /** `node`, `nodeclaim` or `pod`, as kubectl takes them: plural and short names too. */
  readonly kind: string;
  /** Of a pod also `namespace/name`. */
  readonly name: string;
  readonly namespace: string;
  readonly output: 'text' | 'json';
}

export interface ExplainIo extends ReadingIo {
  /** True to paint the text. */
  readonly colours?: boolean;
}

type ExplainedKind = 'Node' | 'NodeClaim' | 'Pod';

const KINDS: ReadonlyMap<string, ExplainedKind> = new Map([
  ...['node', 'nodes', 'no'].map((word) => [word, 'Node'] as const),
  ...['nodeclaim', 'nodeclaims'].map((word) => [word, 'NodeClaim'] as const),
  ...['pod', 'pods', 'po'].map((word) => [word, 'Pod'] as const),
]);

/** Events shown of one object. */
const EVENTS_MOST = 10;
/** Whose events say something about nodes and pods. */
const SPEAKERS = /^cooper$|scheduler$/;

/**
 * Explains; reads only, and asks no AWS.
 * @returns 0 when it was explained, 1 when there is no such object or the cluster cannot be read, 2 for a wrong kind
 */
export async function explainCommand(options: ExplainOptions, io: ExplainIo): Promise<number> {
  const kind = KINDS.get(options.kind.toLowerCase());
  if (kind === undefined) {
    io.writeError(`cooper explain: "${options.kind}" cannot be explained; name a node, a nodeclaim or a pod`);
    return EXIT.wrongCall;
  }
  const cluster = await readCluster(options, io);
  if (cluster === null) return EXIT.failed;
  const answer = answerOf(kind, options, cluster);
  if (typeof answer === 'string') {
    io.writeError(`cooper explain: ${answer}`);
    return EXIT.failed;
  }
  const events = await eventsOf(answer, cluster);
  const { notes } = cluster;
  if (options.output === 'json') {
    io.writeLine(explainJson(kind, answer.explanation, { events, notes }));
    return EXIT.done;
  }
  const colours = picocolors.createColors(io.colours ?? false);
  const lines =
    answer.kind === 'pod' ? podText(answer.explanation, colours) : nodeText(answer.explanation, colours);
  for (const line of [...lines, ...eventLines(events, answer.explanation.takenAtMs)]) io.writeLine(line);
  for (const note of notes) io.writeError(`note: ${note}`);
  return EXIT.done;
}

type Answer =
  | { readonly kind: 'node'; readonly explanation: NodeExplanation }
  | { readonly kind: 'pod'; readonly explanation: PodExplanation };

/** The explanation, or a sentence that says what there is instead. */
function answerOf(
  kind: ExplainedKind,
  { name, namespace }: ExplainOptions,
  { snapshot, catalogue, resting }: ExplainedCluster,
): Answer | string {
  if (kind === 'Pod') {
    const key = name.includes('/') ? name : `${namespace}/${name}`;
    const pod = snapshot.pods.find((one) => podKey(one) === key);
    if (pod === undefined) {
      const near = nearNames(key.slice(key.indexOf('/') + 1), snapshot.pods.map(podKey));
      return missing(`pod ${key}`, near, snapshot.pods.length);
    }
    return { kind: 'pod', explanation: explainPod(pod, { snapshot, catalogue, resting }) };
  }
  const found = kind === 'Node' ? explainableNode(name, snapshot) : explainableClaim(name, snapshot);
  if (typeof found === 'string') return found;
  return { kind: 'node', explanation: explainNode(found, snapshot, catalogue) };
}

function explainableNode(name: string, snapshot: ClusterSnapshot): Explainable | string {
  const node = snapshot.nodes.find((one) => one.name === name);
  const owner = nodeClaimOf(name, snapshot);
  if (node !== undefined) return owner === undefined ? { node, claim: owner } : { node, claim: owner };
  const isClaim = snapshot.nodeClaims.some((claim) => claim.name === name);
  if (isClaim) return `there is no node ${name}, but a NodeClaim: cooper explain nodeclaim ${name}`;
  const names = snapshot.nodes.map((one) => one.name);
  return missing(`node ${name}`, nearNames(name, names), names.length);
}

function explainableClaim(name: string, snapshot: ClusterSnapshot): Explainable | string {
  const claim = snapshot.nodeClaims.find((one) => one.name === name);
  if (claim === undefined) {
    const isNode = snapshot.nodes.some((node) => node.name === name);
    if (isNode) return `there is no NodeClaim ${name}, but a node: cooper explain node ${name}`;
    const names = snapshot.nodeClaims.map((one) => one.name);
    return missing(`NodeClaim ${name}`, nearNames(name, names), names.length);
  }
  const { nodeName, providerId } = claim.status;
  const node = snapshot.nodes.find(
    (one) => one.name === nodeName || (providerId !== '' && one.providerId === providerId),
  );
  return { claim, node };
}

function missing(what: string, near: readonly string[], known: number): string {
  if (near.length > 0) return `there is no ${what}; near to it: ${near.join(', ')}`;
  return `there is no ${what}${known === 0 ? ', and no other' : ` among ${known}`}`;
}

/** What was told of the object, the newest first; the same is told of a NodeClaim and its Node, and shown once. */
async function eventsOf(answer: Answer, { events }: ExplainedCluster): Promise<readonly ToldEvent[]> {
  const told = await Promise.all(subjectsOf(answer).map((subject) => events(subject)));
  const seen = new Set<string>();
  return told
    .flat()
    .filter(({ by }) => SPEAKERS.test(by))
    .sort((left, right) => right.atMs - left.atMs)
    .filter(({ reason, message }) => {
      const text = `${reason} ${message}`;
      return !seen.has(text) && seen.add(text);
    })
    .slice(0, EVENTS_MOST);
}

function subjectsOf({ kind, explanation }: Answer): readonly EventSubject[] {
  if (kind === 'pod') {
    const [namespace = '', name = ''] = explanation.pod.split('/');
    return [{ kind: 'Pod', namespace, name }];
  }
  const { node, nodeClaim } = explanation;
  return [
    { kind: 'Node', namespace: '', name: node },
    { kind: 'NodeClaim', namespace: '', name: nodeClaim },
  ].filter(({ name }) => name !== '');
}

function eventLines(events: readonly ToldEvent[], nowMs: number): readonly string[] {
  if (events.length === 0) return [];
  const lines = events.map(({ atMs, reason, message, count, by }) => {
    const times = count > 1 ? ` (${count} times)` : '';
    return `  ${durationText(Math.max(0, nowMs - atMs))} ago  ${reason}  ${message}${times} [${by}]`;
  });
  return ['', 'Told so far', ...lines];
}
