// The commands of `cooper`, their flags and help. Each command's work is loaded only when it is called.
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { parseDurationMs } from '../model/duration.ts';
import { EXIT } from './exitCodes.ts';
import { flagOf, SETTING_KEYS, SETTINGS, type SettingKey } from './settingsTable.ts';
import { STANDARD_IO } from './standardIo.ts';
import { VERSION } from './version.ts';

/**
 * Runs one call of the command line.
 * @param args what follows `cooper`
 * @returns the exit code
 */
export async function callCooper(args: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.done;
  const program = new Command('cooper')
    .description('Buys the cheapest EC2 capacity that holds your pending pods, and gives it back.')
    .version(VERSION)
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(cooper --help lists the commands)');
  const finish = (code: number): void => {
    exitCode = code;
  };
  addRun(program);
  addDoctor(program, finish);
  addUninstall(program, finish);
  addDemo(program, finish);
  addSimulate(program, finish);
  addExplain(program, finish);
  addReplay(program, finish);
  addImportTrace(program, finish);
  addRecord(program, finish);
  addValidate(program, finish);
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (failure) {
    if (failure instanceof CommanderError) return failure.exitCode === 0 ? EXIT.done : EXIT.wrongCall;
    process.stderr.write(`cooper: ${failure instanceof Error ? failure.message : String(failure)}\n`);
    return EXIT.failed;
  }
  return exitCode;
}

type Finish = (code: number) => void;

function addRun(program: Command): void {
  const command = program
    .command('run')
    .description('run the controllers against a cluster')
    .option('--config <file>', 'YAML or JSON file of settings; its keys are the flags in camel case');
  for (const key of SETTING_KEYS) command.addOption(settingOption(key));
  command.action(async (options: Record<string, unknown>) => {
    const { runCommand } = await import('./run.ts');
    // All work is done: what still waits for a server that does not answer must not keep the process.
    process.exit(await runCommand(options));
  });
}

function addDoctor(program: Command, finish: Finish): void {
  const command = program
    .command('doctor')
    .description('say what in cluster, account and settings would keep nodes from being launched')
    .option('--config <file>', 'the file that "run" is given');
  for (const key of SETTING_KEYS) command.addOption(settingOption(key));
  command.action(async (options: Record<string, unknown>) => {
    const { doctorCommand } = await import('./doctor.ts');
    finish(await doctorCommand(options, STANDARD_IO.writeLine));
  });
}

const UNINSTALL_SETTINGS = [
  'clusterName',
  'region',
  'kubeconfig',
  'leaderElectionName',
  'leaderElectionNamespace',
] as const;

function addUninstall(program: Command, finish: Finish): void {
  const command = program
    .command('uninstall')
    .description(
      'find what was left behind without a controller: stuck finalizers, orphans, launch templates',
    )
    .option('--all', 'also what is in good order: every node that Cooper has made; pods are not drained')
    .option('--yes', 'carry it out; otherwise it is only told');
  for (const key of UNINSTALL_SETTINGS) command.addOption(settingOption(key));
  command.action(async (options: Record<string, string>) => {
    const { uninstallCommand } = await import('./uninstall.ts');
    finish(await uninstallCommand(options, STANDARD_IO.writeLine));
  });
}

function settingOption(key: SettingKey): Option {
  const row = SETTINGS[key];
  const fallback = 'default' in row ? `; default: ${row.default}` : '';
  return new Option(`${flagOf(key)} <${row.type}>`, `${row.help} [${row.env}${fallback}]`);
}

function addDemo(program: Command, finish: Finish): void {
  program
    .command('demo')
    .description(
      'run the controllers against a simulated cluster and EC2 account, with nothing else installed',
    )
    .option('--fast', 'on a virtual clock: done in seconds')
    .action(async (options: { readonly fast?: boolean }) => {
      const { demoCommand } = await import('./demo.ts');
      finish(await demoCommand({ fast: options.fast === true }, STANDARD_IO));
    });
}

function addSimulate(program: Command, finish: Finish): void {
  program
    .command('simulate')
    .description('say what would be launched for these manifests, and what it would cost')
    .requiredOption('-f, --filename <path...>', 'manifests: files, folders, or - for standard input')
    .option('--catalogue <file>', 'JSON array of instance types; default: the shipped ones of us-east-1')
    .option('--region <region>', 'region that zones are named after', 'us-east-1')
    .option('--budget-ms <ms>', 'time for improving the plan; 0: the first complete one', wholeNumber, 200)
    .option('--at <time>', 'plan for this time; default: that of the recording, or now', instantMs)
    .addOption(
      new Option('-o, --output <format>', 'table, json or yaml')
        .choices(['table', 'json', 'yaml'])
        .default('table'),
    )
    .action(async (options: SimulateFlags) => {
      const { simulateCommand } = await import('./simulate.ts');
      const { filename: files, catalogue = null, region, budgetMs, at: atMs = null, output } = options;
      finish(await simulateCommand({ files, catalogue, region, budgetMs, atMs, output }, SIMULATE_IO));
    });
}

interface SimulateFlags {
  readonly filename: readonly string[];
  readonly catalogue?: string;
  readonly region: string;
  readonly budgetMs: number;
  readonly at?: number;
  readonly output: 'table' | 'json' | 'yaml';
}

const SIMULATE_IO = {
  ...STANDARD_IO,
  writeError: (line: string): void => {
    process.stderr.write(`${line}\n`);
  },
  elapsedMs: (): number => performance.now(),
  nowMs: (): number => Date.now(),
};

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('write a whole number from 0 up');
  return Number(text);
}

/** A time without a zone would mean another on each machine. */
function instantMs(text: string): number {
  const atMs = Date.parse(text);
  if (!/T.*(Z|[+-]\d\d:\d\d)$/.test(text) || Number.isNaN(atMs))
    throw new InvalidArgumentError('write a time with its zone, such as 2026-11-23T22:00:00+01:00');
  return atMs;
}

function addExplain(program: Command, finish: Finish): void {
  program
    .command('explain')
    .description(
      'say why a node, nodeclaim or pod is where it is, what would happen to it, and what keeps it',
    )
    .argument('<kind>', 'node, nodeclaim or pod')
    .argument('<name>', 'its name; of a pod also namespace/name')
    .option('-n, --namespace <namespace>', 'namespace of the pod', 'default')
    .option('--snapshot <file...>', 'a saved cluster ("record", or lists of kubectl) in place of a live one')
    .option('--kubeconfig <path>', 'kubeconfig; default: KUBECONFIG, the service account, ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig; default: its current one')
    .option('--catalogue <file>', 'JSON array of instance types; default: the shipped ones')
    .option('--region <region>', 'region that zones are named after; default: that of the nodes')
    .addOption(new Option('-o, --output <format>', 'text or json').choices(['text', 'json']).default('text'))
    .action(async (kind: string, name: string, { snapshot = [], ...options }: ExplainFlags) => {
      const { explainCommand } = await import('./explain.ts');
      const io = { ...SIMULATE_IO, colours: process.stdout.isTTY === true };
      finish(await explainCommand({ kind, name, snapshot, ...options }, io));
    });
}

interface ExplainFlags {
  readonly namespace: string;
  readonly snapshot?: readonly string[];
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly catalogue?: string;
  readonly region?: string;
  readonly output: 'text' | 'json';
}

function addReplay(program: Command, finish: Finish): void {
  program
    .command('replay')
    .description('run a scenario over its simulated time: cost, waits, evictions, nodes')
    .argument('<scenario>', 'name of a shipped scenario, or a file')
    .option('--seed <text>', 'seed of all chance', '1')
    .option('--chart <file>', 'write the chart of nodes over time to an SVG file')
    .option(
      '--compare <file...>',
      'run once with the Provisioners of each file, and hold the runs side by side',
    )
    .addOption(new Option('-o, --output <format>', 'text or json').choices(['text', 'json']).default('text'))
    .action(async (scenario: string, options: ReplayFlags) => {
      const { replayCommand } = await import('./replay.ts');
      finish(await replayCommand(scenario, options, REPLAY_IO));
    });
}

interface ReplayFlags {
  readonly seed: string;
  readonly chart?: string;
  readonly compare?: readonly string[];
  readonly output: 'text' | 'json';
}

/** Progress goes to a terminal only. */
const PROGRESS_IO =
  process.stderr.isTTY === true
    ? { showProgress: (text: string) => void process.stderr.write(`\r\u001b[2K${text}`) }
    : {};

const REPLAY_IO = {
  writeLine: STANDARD_IO.writeLine,
  writeError: SIMULATE_IO.writeError,
  ...PROGRESS_IO,
};

function addImportTrace(program: Command, finish: Finish): void {
  program
    .command('import-trace')
    .description('turn a CSV of pods, as cluster traces have them, into a scenario for replay')
    .argument('<file>', 'CSV with the columns cpu_milli, memory_mib, num_gpu, creation_time, deletion_time')
    .option('--out <file>', 'scenario file to write; default: standard output')
    .option('--provisioners <file>', 'Provisioners and AWSNodeTemplates that serve the pods')
    .action(async (file: string, { out, provisioners }: ImportTraceFlags) => {
      const { importTraceCommand } = await import('./importTrace.ts');
      const options = {
        ...(out === undefined ? {} : { output: out }),
        ...(provisioners === undefined ? {} : { provisioners }),
      };
      finish(importTraceCommand(file, options, SIMULATE_IO));
    });
}

function addRecord(program: Command, finish: Finish): void {
  program
    .command('record')
    .description('save a live cluster for simulate and replay; reads no Secrets and keeps no environment')
    .requiredOption('--out <folder>', 'folder for snapshot.yaml and scenario.yaml')
    .option('--duration <duration>', 'go on for so long, and record how workloads change', duration, 0)
    .option('--kubeconfig <path>', 'kubeconfig; default: KUBECONFIG, the service account, ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig; default: its current one')
    .option('--name <name>', 'name of the scenario', 'recorded')
    .action(async ({ duration: durationMs, ...options }: RecordFlags) => {
      const { recordCommand } = await import('./record.ts');
      const stopping = new AbortController();
      process.once('SIGINT', () => stopping.abort());
      const io = { ...SIMULATE_IO, ...PROGRESS_IO, stop: stopping.signal };
      finish(await recordCommand({ durationMs, ...options }, io));
    });
}

interface RecordFlags {
  readonly out: string;
  readonly duration: number;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly name: string;
}

function duration(text: string): number {
  const durationMs = parseDurationMs(text);
  if (durationMs === null) throw new InvalidArgumentError('write a duration such as 90s, 10m or 7d');
  return durationMs;
}

interface ImportTraceFlags {
  readonly out?: string;
  readonly provisioners?: string;
}

function addValidate(program: Command, finish: Finish): void {
  program
    .command('validate')
    .description('check Provisioners and AWSNodeTemplates in files, folders or standard input (-)')
    .argument('<file...>')
    .action(async (files: readonly string[]) => {
      const { validateFiles } = await import('./validate.ts');
      finish(await validateFiles(files, STANDARD_IO));
    });
}
