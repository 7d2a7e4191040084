// An explanation as lines for people: what it is, what may happen to it, what keeps it, and when that changes.
import type { Colors } from 'picocolors/types.js';
import type {
  NodeExplanation,
  PlaceExplanation,
  PodExplanation,
  Proposal,
  ProposedNode,
  ReasonExplanation,
} from '../disruption/explanation.ts';
import { formatAmount, type Resources } from '../model/resources.ts';
import { columns } from './columns.ts';

const HOURS_PER_MONTH = 730;

/** All there is to say of a node or NodeClaim. */
export function nodeText(one: NodeExplanation, colours: Colors): readonly string[] {
  const sections = [
    headOf(one, colours),
    drainOf(one, colours),
    ordersOf(one, colours),
    reasonsOf(one, colours),
    budgetsOf(one, colours),
    podsOf(one, colours),
    launchOf(one, colours),
    nextOf(one),
  ];
  return sections
    .filter((lines) => lines.length > 0)
    .flatMap((lines, index) => (index > 0 ? ['', ...lines] : lines));
}

function headOf(one: NodeExplanation, colours: Colors): readonly string[] {
  const { node, nodeClaim, provisioner, instanceType, zone, capacityType, usdPerHour } = one;
  const names = [
    node === '' ? '' : `Node ${node}`,
    nodeClaim === '' ? '' : `NodeClaim ${nodeClaim}`,
    provisioner === '' ? '' : `Provisioner ${provisioner}`,
  ].filter((name) => name !== '');
  const price = usdPerHour === null ? '' : `${usd(usdPerHour)} an hour (${monthly(usdPerHour)} a month)`;
  const age = `${durationText(one.takenAtMs - one.bornAtMs)} old`;
  const facts = [instanceType, zone, capacityType, price, age].filter((fact) => fact !== '').join(', ');
  const used = ['cpu', 'memory', 'pods'].flatMap((name) => usedText(name, one.requested, one.allocatable));
  return [
    colours.bold(names.join(', ')),
    `  ${facts}`,
    `  ${one.state}`,
    ...(used.length === 0 ? [] : [`  asked for: ${used.join(', ')}`]),
  ];
}

function usedText(name: string, requested: Resources, allocatable: Resources): readonly string[] {
  const whole = allocatable[name] ?? 0;
  if (whole === 0) return [];
  const asked = requested[name] ?? 0;
  const share = Math.round((100 * asked) / whole);
  return [`${name} ${formatAmount(name, asked)} of ${formatAmount(name, whole)} (${share} %)`];
}

const PAINT = { off: 'dim', no: 'dim', later: 'cyan', blocked: 'yellow', due: 'red' } as const;

function reasonsOf({ reasons, takenAtMs }: NodeExplanation, colours: Colors): readonly string[] {
  if (reasons.length === 0) return [];
  const rows = reasons.flatMap((one): string[] => {
    const state = colours[PAINT[one.standing]](one.standing.padEnd(8));
    const at = one.changesAtMs === null ? '' : `${whenText(one.changesAtMs, takenAtMs)}: `;
    return [`  ${one.reason.padEnd(14)} ${state} ${at}${one.message}`, ...detailsOf(one)];
  });
  return [colours.bold('May it go?'), ...rows];
}

const INDENT = ' '.repeat(26);

function detailsOf({ standing, message, obstacles, proposal }: ReasonExplanation): readonly string[] {
  const others = obstacles
    .filter((obstacle) => !message.includes(obstacle.message))
    .map((obstacle) => `${INDENT}also: ${obstacle.message}`);
  if (proposal === null) return others;
  const lead = standing === 'blocked' ? 'but for that: ' : '';
  const lines = proposalText(proposal, lead).filter((line) => line !== message);
  return [...others, ...lines.map((line) => `${INDENT}${line}`)];
}

function proposalText(
  { message, replacements, moves, nodeClaims }: Proposal,
  lead: string,
): readonly string[] {
  const together = nodeClaims.length > 1 ? [`together: ${nodeClaims.join(', ')}`] : [];
  return [
    `${lead}${message}`,
    ...together,
    ...replacements.map((one) => `launch ${proposedText(one)} for ${one.pods.join(', ')}`),
    ...moves.map(({ pod, to }) => `move ${pod} to ${to}`),
  ];
}

function proposedText({ instanceType, zone, capacityType, usdPerHour, provisioner }: ProposedNode): string {
  return `${instanceType} in ${zone}, ${capacityType}, ${usd(usdPerHour)} an hour, of Provisioner ${provisioner}`;
}

function budgetsOf({ budgets, provisioner, takenAtMs }: NodeExplanation, colours: Colors): readonly string[] {
  if (budgets.length === 0) return [];
  const rows = budgets.map(({ reason, message, changesAtMs }) => {
    const change = changesAtMs === null ? '' : `; changes ${whenText(changesAtMs, takenAtMs)}`;
    return `  ${reason.padEnd(14)} ${message}${change}`;
  });
  return [colours.bold(`Budgets of Provisioner ${provisioner}`), ...rows];
}

const WHAT_BECOMES = { moves: 'moves', ends: 'ends with the node', keeps: 'keeps the node' } as const;

function podsOf({ pods, node }: NodeExplanation, colours: Colors): readonly string[] {
  if (node === '') return [];
  if (pods.length === 0) return [colours.bold('Pods'), '  none'];
  const rows = pods.map(({ pod, owner, requests, standing, message }) => [
    pod,
    owner === '' ? 'no owner' : owner,
    formatAmount('cpu', requests.cpu ?? 0),
    formatAmount('memory', requests.memory ?? 0),
    `${WHAT_BECOMES[standing]}${message === '' ? '' : `: ${message}`}`,
  ]);
  const table = columns([['POD', 'OWNER', 'CPU', 'MEMORY', 'WHEN THE NODE GOES'], ...rows]);
  return [colours.bold('Pods'), ...table.map((line) => `  ${line}`)];
}

function ordersOf({ orders, takenAtMs }: NodeExplanation, colours: Colors): readonly string[] {
  return orders.flatMap(({ reason, orderedAtMs, nodeClaims, replacements, message }) => [
    colours.bold(`Replacement under way for ${durationText(takenAtMs - orderedAtMs)}`),
    `  ${nodeClaims.join(', ')} go as ${reason} once ${replacements.join(', ')} are up: ${message}`,
  ]);
}

function drainOf({ drain, takenAtMs }: NodeExplanation, colours: Colors): readonly string[] {
  if (drain === null) return [];
  const rows = drain.pods.map(({ pod, state, message }) => [pod, state, message]);
  const table = rows.length === 0 ? [] : columns([['POD', 'STATE', ''], ...rows]);
  const end = drain.endsAtMs === null ? '' : `; over ${whenText(drain.endsAtMs, takenAtMs)} at the latest`;
  const since = `Leaving for ${durationText(takenAtMs - drain.sinceMs)}${end}`;
  return [colours.bold(since), `  ${drain.message}`, ...table.map((line) => `  ${line}`)];
}

function launchOf({ launch }: NodeExplanation, colours: Colors): readonly string[] {
  if (launch.length === 0) return [];
  const rows = launch.map(({ step, atMs, tookMs, message }) => {
    const took = tookMs === null ? '' : `+${(tookMs / 1000).toFixed(1)} s`;
    return [step, atMs === null ? 'not yet' : timeText(atMs), took, message];
  });
  return [colours.bold('How it came up'), ...columns(rows).map((line) => `  ${line}`)];
}

function nextOf({ nextChangeAtMs, takenAtMs, reasons }: NodeExplanation): readonly string[] {
  if (nextChangeAtMs !== null) return [`Something changes by itself ${whenText(nextChangeAtMs, takenAtMs)}.`];
  return reasons.length === 0
    ? []
    : ['Nothing changes by itself: only pods, nodes, budgets or prices would.'];
}

/** All there is to say of a pod. */
export function podText(one: PodExplanation, colours: Colors): readonly string[] {
  const asks = Object.entries(one.requests).filter(([name]) => name !== 'pods');
  const requests = asks.map(([name, amount]) => `${name} ${formatAmount(name, amount)}`).join(', ');
  const head = [
    colours.bold(`Pod ${one.pod}`),
    `  ${[one.phase, one.owner === '' ? 'no owner' : one.owner, `asks for ${requests}`].join(', ')}`,
    `  ${one.state}${one.nodeClaim === '' ? '' : ` (NodeClaim ${one.nodeClaim})`}`,
  ];
  const { nominated } = one;
  const claim = nominated === null || nominated.nodeClaim === '' ? '' : ` (NodeClaim ${nominated.nodeClaim})`;
  const sent = nominated === null ? [] : [`  sent to node ${nominated.node}${claim}: ${nominated.message}`];
  const isBound = one.node !== '';
  const eviction = isBound ? ['', ...evictionOf(one, colours)] : [];
  const title = isBound ? 'If its node went now' : 'If it were planned for now';
  return [...head, ...sent, ...eviction, '', colours.bold(title), ...placeText(one.place, colours)];
}

function evictionOf({ obstacles, budgets }: PodExplanation, colours: Colors): readonly string[] {
  const lines = budgets.map(({ name, disruptionsAllowed, currentHealthy, desiredHealthy }) => {
    const health =
      currentHealthy === null || desiredHealthy === null
        ? ''
        : `, ${currentHealthy} healthy of ${desiredHealthy} that there must be`;
    return `  PodDisruptionBudget ${name}: ${disruptionsAllowed} may go now${health}`;
  });
  const verdict = obstacles.length === 0 ? colours.green('yes') : colours.yellow('no');
  return [
    colours.bold('May it be evicted to save money?'),
    `  ${verdict}${obstacles.length === 0 ? '' : `: ${obstacles.map(({ message }) => message).join('; ')}`}`,
    ...lines,
  ];
}

function placeText(place: PlaceExplanation, colours: Colors): readonly string[] {
  switch (place.kind) {
    case 'none':
      return [`  ${place.message}`];
    case 'existing':
      return [`  it fits on ${place.target}`];
    case 'newNode': {
      const { pods } = place.node;
      const beside = pods.length > 1 ? ` for ${pods.length} pods together` : '';
      return [`  launch ${proposedText(place.node)}${beside}`];
    }
    case 'refused':
      return [
        `  ${colours.yellow('no Provisioner can launch a node for it')}`,
        ...place.provisioners.map(({ provisioner, code, reason, nearest }) => {
          const near = nearest === '' || reason.includes(nearest) ? '' : `; ${nearest}`;
          return `  ${provisioner === '' ? '' : `${provisioner}: `}${code}: ${reason}${near}`;
        }),
      ];
  }
}

function usd(amount: number): string {
  return `$${amount.toFixed(4)}`;
}

function monthly(usdPerHour: number): string {
  return `$${(usdPerHour * HOURS_PER_MONTH).toFixed(2)}`;
}

/** `at 2026-11-22 16:00 UTC (in 23 h)`. */
function whenText(atMs: number, nowMs: number): string {
  return `at ${timeText(atMs)} (in ${durationText(atMs - nowMs)})`;
}

function timeText(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** The two largest units: `3 d 4 h`, `12 min 5 s`. */
export function durationText(durationMs: number): string {
  let restSeconds = Math.max(0, Math.round(durationMs / 1000));
  const parts: string[] = [];
  for (const [unit, size] of [
    ['d', 86_400],
    ['h', 3600],
    ['min', 60],
    ['s', 1],
  ] as const) {
    const count = Math.floor(restSeconds / size);
    restSeconds -= count * size;
    if (count > 0) parts.push(`${count} ${unit}`);
  }
  return parts.length === 0 ? '0 s' : parts.slice(0, 2).join(' ');
}
