// Durations as people write them in settings, manifests and scenarios: `500ms`, `1h30m`, `1.5s`, `7d`.

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** What `parseDurationMs` takes, for schemas. */
export const DURATION_PATTERN = '^([0-9]+(\\.[0-9]+)?(ms|s|m|h|d))+$';

/** Milliseconds of a duration in Go's notation, days added; `0` needs no unit. Null for any other text. */
export function parseDurationMs(text: string): number | null {
  if (text === '0') return 0;
  if (!new RegExp(DURATION_PATTERN).test(text)) return null;
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)/g)) {
    totalMs += Number(amount) * (UNIT_MS[unit ?? ''] ?? 0);
  }
  return Math.round(totalMs);
}

/** Shortest text of one unit that `parseDurationMs` reads back as the same milliseconds: `90s`, `1h`, `1500ms`. */
export function formatDuration(durationMs: number): string {
  const unit = ['h', 'm', 's'].find((one) => durationMs % (UNIT_MS[one] ?? 1) === 0) ?? 'ms';
  return `${durationMs / (UNIT_MS[unit] ?? 1)}${unit}`;
}
