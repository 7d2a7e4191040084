// `cooper demo --fast`: the story is told in order and holds, and a story that does not hold says so.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { demoCommand } from '../../src/cli/demo.ts';
import { DemoVerdict, type Verdict } from '../../src/cli/demoVerdict.ts';
import { instanceTypesFor, loadScenario } from '../../src/cli/scenarioFiles.ts';
import { setupOf } from '../../src/simulator/scenario.ts';
import { Simulation } from '../../src/simulator/simulation.ts';

const TOPICS = [
  'pod pending',
  'packed',
  'fleet requested',
  'launched',
  'node ready',
  'pod running',
  'node empty',
  'node going',
  'node gone',
];

for (const seed of ['1', '2', '3']) {
  test(`seed ${seed}: the story is told in order, and holds`, async () => {
    const lines: string[] = [];
    const io = { writeLine: (line: string) => lines.push(line), colours: false };
    assert.equal(await demoCommand({ fast: true, seed }, io), 0, lines.join('\n'));
    const told = lines.map((line) => TOPICS.find((topic) => line.includes(`s  ${topic} `)) ?? '');
    const places = TOPICS.map((topic) => told.lastIndexOf(topic));
    assert.deepEqual(
      places,
      places.toSorted((left, right) => left - right),
      lines.join('\n'),
    );
    assert.ok(places.every((place) => place > 0));
    assert.match(lines.at(-1) ?? '', /^The story held: all 8 nginx pods ran, .* nothing is left\.$/);
    assert.ok(lines.some((line) => /packed +7 pods into .*\$0\.\d{4} an hour/.test(line)));
  });
}

test('lines are the same on every run', async () => {
  const tell = async (): Promise<readonly string[]> => {
    const lines: string[] = [];
    await demoCommand({ fast: true }, { writeLine: (line) => lines.push(line), colours: false });
    return lines;
  };
  assert.deepEqual(await tell(), await tell());
});

async function verdictOf(sabotage: (simulation: Simulation) => void): Promise<Verdict> {
  const loaded = loadScenario('elastic-nginx');
  assert.ok(loaded.kind === 'loaded');
  const { scenario } = loaded;
  const simulation = new Simulation(setupOf(scenario, '1', instanceTypesFor(scenario)));
  const verdict = new DemoVerdict();
  simulation.history.listen((entry) => verdict.note(entry));
  sabotage(simulation);
  await simulation.run(scenario.endMs);
  return verdict.conclude(simulation);
}

test('a node that stays is no good story', async () => {
  const { holds, sentence } = await verdictOf(({ kube }) => {
    kube.writeEmptySince = async (claim) => ({ kind: 'written', object: claim });
  });
  assert.equal(holds, false);
  assert.match(sentence, /is left/);
});

test('pods that never run are no good story', async () => {
  const { holds, sentence } = await verdictOf(({ cloud }) => {
    cloud.launch = async () => ({ kind: 'retryable', message: 'never' });
  });
  assert.equal(holds, false);
  assert.match(sentence, /only 1 of 8 nginx pods ran/);
});
