// What a benchmark reports: one figure a line, with the peer's and the goal beside it.

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The peer's value for the same, null where there is no peer. */
  readonly peer: number | null;
  /** How the two compare: above 1 is more than the peer's; or value over goal's base where there is no peer. */
  readonly ratio: number | null;
  /** What was promised, in words; '' when nothing was. */
  readonly goal: string;
  /** Whether the goal was reached in this run; null without a goal, or when it could not be measured. */
  readonly holds: boolean | null;
}

export interface Report {
  figure(figure: Figure): void;
  /** A remark for people, such as why a peer is left out. */
  note(line: string): void;
}

/** One benchmark: measures, and reports figures as they come. */
export type Bench = (report: Report) => Promise<void>;

/** A figure without peer or goal. */
export function plainFigure(name: string, value: number, unit: string): Figure {
  return { name, value, unit, peer: null, ratio: null, goal: '', holds: null };
}

/** A figure with a bound on its value. */
export function boundedFigure(
  { name, value, unit }: { readonly name: string; readonly value: number; readonly unit: string },
  bound: { readonly atMost: number },
): Figure {
  return { ...plainFigure(name, value, unit), goal: `at most ${bound.atMost}`, holds: value <= bound.atMost };
}

/** A figure held against the peer's; the goal is on the ratio of the two. */
export function peerFigure(
  { name, value, unit }: { readonly name: string; readonly value: number; readonly unit: string },
  peer: number | null,
  goal: { readonly atLeast: number } | { readonly atMost: number } | null,
): Figure {
  const ratio = peer === null || peer === 0 ? null : value / peer;
  const figure = { name, value, unit, peer, ratio };
  if (goal === null) return { ...figure, goal: '', holds: null };
  const [words, bound] = 'atLeast' in goal ? ['at least', goal.atLeast] : ['at most', goal.atMost];
  const holds = ratio === null ? null : 'atLeast' in goal ? ratio >= goal.atLeast : ratio <= goal.atMost;
  return { ...figure, goal: `${words} ${Number(bound.toPrecision(3))} times the peer's`, holds };
}

/** `packer/diverse/1000 first plan   123.4 pods/s   peer 1.2   ratio 103   goal …: holds`. */
export function formatFigure({ name, value, unit, peer, ratio, goal, holds }: Figure): string {
  const parts = [name.padEnd(58), `${short(value)} ${unit}`.padEnd(18)];
  if (peer !== null) parts.push(`peer ${short(peer)}`.padEnd(14));
  if (ratio !== null) parts.push(`ratio ${short(ratio)}`.padEnd(14));
  if (goal !== '')
    parts.push(`goal ${goal}: ${holds === null ? 'not measured' : holds ? 'holds' : 'MISSED'}`);
  return parts.join(' ').trimEnd();
}

function short(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(4).replace(/\.?0+$/, '');
}
