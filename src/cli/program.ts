// The commands of `cooper`, their flags and help. Each command's work is loaded only when it is called.
import { Command, CommanderError, Option } from 'commander';
import { flagOf, SETTING_KEYS, SETTINGS, type SettingKey } from './settingsTable.ts';
import { STANDARD_IO } from './standardIo.ts';
import { VERSION } from './version.ts';

/** Exit codes: 0 done, 1 the work failed, 2 the call was wrong. */
export const EXIT = { done: 0, failed: 1, wrongCall: 2 } as const;

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
  addRun(program, finish);
  addDemo(program, finish);
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

function addRun(program: Command, finish: Finish): void {
  const command = program
    .command('run')
    .description('run the controllers against a cluster')
    .option('--config <file>', 'YAML or JSON file of settings; its keys are the flags in camel case');
  for (const key of SETTING_KEYS) command.addOption(settingOption(key));
  command.action(async (options: Record<string, unknown>) => {
    const { runCommand } = await import('./run.ts');
    finish(await runCommand(options));
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
