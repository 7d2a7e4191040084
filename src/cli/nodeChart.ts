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

/** One line of the chart. */
export interface Series {
  readonly name: string;
  readonly samples: readonly Sample[];
}

const WIDTH = 960;
const HEIGHT = 320;
const MARGIN = { left: 56, right: 16, top: 32, bottom: 40 };
/** Told apart by brightness too, for eyes and printers without colours. */
const COLOURS = ['#8b4513', '#1f77b4', '#7a9a01', '#6a3d9a'];
const GRID_LINES = 4;

/**
 * A standalone SVG document: the number of nodes of each series over time, as steps, not smoothed.
 * One series is filled; more are lines with a legend.
 */
export function svgChart(series: readonly Series[], span: ChartSpan, title: string): string {
  const most = niceMost(Math.max(1, ...series.map(({ samples }) => highest(samples))));
  const plot = { span, most };
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    textAt({ left: MARGIN.left, top: 20, anchor: 'start' }, title),
    ...gridLines(plot),
    ...series.map((one, index) => seriesPath(one, plot, { index, filled: series.length === 1 })),
    ...(series.length > 1 ? series.map(({ name }, index) => legend(name, index)) : []),
    `<path d="M${MARGIN.left} ${MARGIN.top}V${yOf(0, plot)}H${WIDTH - MARGIN.right}" fill="none" stroke="#444444"/>`,
    textAt({ left: MARGIN.left, top: HEIGHT - 16, anchor: 'start' }, timeText(span.startMs)),
    textAt({ left: WIDTH - MARGIN.right, top: HEIGHT - 16, anchor: 'end' }, timeText(span.endMs)),
    '</svg>',
    '',
  ].join('\n');
}

interface Plot {
  readonly span: ChartSpan;
  readonly most: number;
}

function highest(samples: readonly Sample[]): number {
  return samples.reduce((most, { count }) => Math.max(most, count), 0);
}

/** The next number up that the grid divides into whole nodes. */
function niceMost(most: number): number {
  return Math.ceil(most / GRID_LINES) * GRID_LINES;
}

function xOf(atMs: number, { span }: Plot): string {
  const share = (atMs - span.startMs) / Math.max(1, span.endMs - span.startMs);
  return (MARGIN.left + share * (WIDTH - MARGIN.left - MARGIN.right)).toFixed(1);
}

function yOf(count: number, { most }: Plot): string {
  return (HEIGHT - MARGIN.bottom - (count / most) * (HEIGHT - MARGIN.top - MARGIN.bottom)).toFixed(1);
}

function gridLines(plot: Plot): readonly string[] {
  return Array.from({ length: GRID_LINES + 1 }, (_, line) => {
    const count = (line / GRID_LINES) * plot.most;
    const y = yOf(count, plot);
    const label = textAt({ left: MARGIN.left - 8, top: Number(y) + 5, anchor: 'end' }, `${count}`);
    return `<path d="M${MARGIN.left} ${y}H${WIDTH - MARGIN.right}" stroke="#dddddd"/>${label}`;
  });
}

function seriesPath(
  { samples }: Series,
  plot: Plot,
  { index, filled }: { readonly index: number; readonly filled: boolean },
): string {
  const colour = colourOf(index);
  const steps = samples.map(({ atMs, count }) => `H${xOf(atMs, plot)}V${yOf(count, plot)}`).join('');
  const line = `M${xOf(plot.span.startMs, plot)} ${yOf(0, plot)}${steps}H${xOf(plot.span.endMs, plot)}`;
  if (!filled) return `<path d="${line}" fill="none" stroke="${colour}" stroke-width="1.5"/>`;
  return `<path d="${line}V${yOf(0, plot)}Z" fill="${colour}" fill-opacity="0.35" stroke="${colour}"/>`;
}

function legend(name: string, index: number): string {
  const top = MARGIN.top + 6 + index * 18;
  const left = MARGIN.left + 16;
  const swatch = `<rect x="${left}" y="${top}" width="12" height="12" fill="${colourOf(index)}"/>`;
  return swatch + textAt({ left: left + 18, top: top + 11, anchor: 'start' }, name);
}

function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length] ?? '#444444';
}

function textAt(
  { left, top, anchor }: { readonly left: number; readonly top: number; readonly anchor: 'start' | 'end' },
  content: string,
): string {
  return `<text x="${left}" y="${top}" text-anchor="${anchor}">${escapeXml(content)}</text>`;
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
