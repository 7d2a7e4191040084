// `npm run bench -- [--only NAME] [--peer-minutes N] [--json]`: runs benchmarks, prints each figure on a line.
import { parseArgs } from 'node:util';
import { consolidationBenches } from './consolidation.ts';
import { benchEventLoop } from './eventLoop.ts';
import { type Bench, type Figure, formatFigure } from './figure.ts';
import { benchLatency } from './latency.ts';
import { benchDiverse, benchGrowth, benchRealPrices } from './packer.ts';
import { benchSimulator } from './simulator.ts';

/** Benchmarks by name, but for those of consolidation; a figure's name starts with its benchmark's. */
const BENCHES: Readonly<Record<string, Bench>> = {
  'packer/diverse': benchDiverse,
  'packer/real': benchRealPrices,
  'packer/growth': benchGrowth,
  latency: benchLatency,
  eventloop: benchEventLoop,
  simulator: benchSimulator,
};

/** CPU time that the peer may spend on one cluster that is consolidated to the end. */
const PEER_MINUTES = '20';

/** Whether the benchmark is asked for: by its name, or by some of its first parts. */
function isNamedBy(name: string, only: string): boolean {
  return only === '' || `${name}/`.startsWith(`${only}/`);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: '' },
      'peer-minutes': { type: 'string', default: PEER_MINUTES },
      json: { type: 'boolean' },
    },
  });
  const { only } = values;
  const benches = { ...BENCHES, ...consolidationBenches(only, Number(values['peer-minutes'])) };
  const wanted = Object.entries(benches).filter(([name]) => isNamedBy(name, only));
  if (wanted.length === 0) {
    process.stderr.write(`no benchmark is called ${only}; there are ${Object.keys(benches).join(', ')}\n`);
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
