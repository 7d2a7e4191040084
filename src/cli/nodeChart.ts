// The number of nodes over time as a picture: in the terminal, and as an SVG file.
import type { Sample } from '../simulator/statistics.ts';

export interface ChartSpan {
  readonly startMs: number;
  readonly endMs: number;
}

const BLOCKS = ' ▁▂▃▄▅▆▇█';
const ROWS = 8;

/** The most nodes there were in each of so many equal parts of the span. */
export function peaks(samples: readonly Sample[], { startMs, endMs }: ChartSpan, parts: number): number[] {
  const result = new Array<number>(parts).fill(0);
  const partOf = (atMs: number): number =>
    Math.min(parts - 1, Math.max(0, Math.floor(((atMs - startMs) / Math.max(1, endMs - startMs)) * parts)));
  samples.forEach(({ atMs, count }, index) => {
    const last = partOf(samples[index + 1]?.atMs ?? endMs);
    for (let part = partOf(atMs); part <= last; part += 1) result[part] = Math.max(result[part] ?? 0, count);
  });
  return result;
}

/** Lines of a bar chart, highest first, with the scale at the left. */
export function terminalChart(samples: readonly Sample[], span: ChartSpan, width: number): readonly string[] {
  const counts = peaks(samples, span, width);
  const most = Math.max(1, ...counts);
  const label = String(most).length;
  return Array.from({ length: ROWS }, (_, row) => {
    const floor = ((ROWS - 1 - row) / ROWS) * most;
    const bars = counts.map((count) => {
      const eighths = Math.round(((count - floor) / (most / ROWS)) * 8);
      return BLOCKS[Math.min(8, Math.max(0, eighths))] ?? ' ';
    });
    const scale = row === 0 ? String(most) : row === ROWS - 1 ? '0' : '';
    return `${scale.padStart(label)} ${bars.join('')}`;
  });
}

const WIDTH = 960;
const HEIGHT = 320;
const MARGIN = { left: 56, right: 16, top: 32, bottom: 40 };

/** A standalone SVG document. Steps are drawn as they were, not smoothed. */
export function svgChart(samples: readonly Sample[], span: ChartSpan, title: string): string {
  const most = Math.max(1, ...samples.map(({ count }) => count));
  const x = (atMs: number): string => {
    const share = (atMs - span.startMs) / Math.max(1, span.endMs - span.startMs);
    return (MARGIN.left + share * (WIDTH - MARGIN.left - MARGIN.right)).toFixed(1);
  };
  const y = (count: number): string =>
    (HEIGHT - MARGIN.bottom - (count / most) * (HEIGHT - MARGIN.top - MARGIN.bottom)).toFixed(1);
  const steps = samples.map(({ atMs, count }) => `H${x(atMs)}V${y(count)}`).join('');
  const path = `M${x(span.startMs)} ${y(0)}${steps}H${x(span.endMs)}V${y(0)}Z`;
  const text = (left: string | number, top: string | number, anchor: string, content: string): string =>
    `<text x="${left}" y="${top}" text-anchor="${anchor}">${escapeXml(content)}</text>`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    text(MARGIN.left, 20, 'start', title),
    `<path d="${path}" fill="#b5651d" fill-opacity="0.35" stroke="#8b4513"/>`,
    `<path d="M${MARGIN.left} ${MARGIN.top}V${y(0)}H${WIDTH - MARGIN.right}" fill="none" stroke="#444444"/>`,
    text(MARGIN.left - 8, Number(y(most)) + 5, 'end', `${most}`),
    text(MARGIN.left - 8, Number(y(0)) + 5, 'end', '0'),
    text(MARGIN.left, HEIGHT - 16, 'start', timeText(span.startMs)),
    text(WIDTH - MARGIN.right, HEIGHT - 16, 'end', timeText(span.endMs)),
    '</svg>',
    '',
  ].join('\n');
}

function timeText(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 16).replace('T', ' ');
}

function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
