// `npm run bench -- [--only NAME] [--json]`: runs the benchmarks and prints each figure on a line.
import { parseArgs } from 'node:util';
import { benchConsolidation } from './consolidation.ts';
import { benchEventLoop } from './eventLoop.ts';
import { type Bench, type Figure, formatFigure } from './figure.ts';
import { benchLatency } from './latency.ts';
import { benchDiverse, benchGrowth, benchRealPrices } from './packer.ts';
import { benchSimulator } from './simulator.ts';

/** All benchmarks by name; a figure's name starts with its benchmark's. */
const BENCHES: Readonly<Record<string, Bench>> = {
  'packer/diverse': benchDiverse,
  'packer/real': benchRealPrices,
  'packer/growth': benchGrowth,
  latency: benchLatency,
  eventloop: benchEventLoop,
  consolidation: benchConsolidation,
  simulator: benchSimulator,
};

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { only: { type: 'string' }, json: { type: 'boolean' } } });
  const wanted = Object.entries(BENCHES).filter(([name]) => name.startsWith(values.only ?? ''));
  if (wanted.length === 0) {
    process.stderr.write(
      `no benchmark is called ${values.only}; there are ${Object.keys(BENCHES).join(', ')}\n`,
    );
    return 2;
  }
  let missed = 0;
  const figure = (one: Figure): void => {
    if (one.holds === false) missed += 1;
    process.stdout.write(`${values.json === true ? JSON.stringify(one) : formatFigure(one)}\n`);
  };
  const note = (line: string): void => {
    process.stderr.write(`${line}\n`);
  };
  for (const [, bench] of wanted) await bench({ figure, note });
  note(missed === 0 ? 'every goal that was measured holds' : `${missed} goals are missed`);
  return missed === 0 ? 0 : 1;
}

process.exitCode = await main();
