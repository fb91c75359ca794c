/** The program `tillroll-server`: its commands, its signals and its exit code. */
import { Command, CommanderError, Option } from 'commander';
import { backupCommand, restoreCommand } from './commands/backup.ts';
import {
  cancelExportCommand,
  listExportsCommand,
  retryExportCommand,
  showExportCommand,
  type ListOptions,
} from './commands/exports.ts';
import { healthCommand } from './commands/health.ts';
import { listReceiptKeysCommand, rotateReceiptKeysCommand } from './commands/receipt-keys.ts';
import { installCommand, installsCommand, uninstallCommand } from './commands/installs.ts';
import { loadCommand, purgeCommand, seedCommand } from './commands/objects.ts';
import { PrintError } from './commands/print.ts';
import {
  migrateCommand,
  ReportedError,
  runService,
  runWorkerOfAll,
  UsageError,
} from './commands/run.ts';
import { statusCommand } from './commands/status.ts';
import { ConfigError } from './config/config.ts';
import { settingsHelp } from './config/describe.ts';
import { oneLine } from './errors.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;
/** Longest time that open handles may keep the process once everything was told to close. */
const EXIT_WAIT_MS = 1_000;

function program(stopping: AbortController): Command {
  const { signal } = stopping;
  const root = new Command('tillroll-server')
    .description(
      "Bulk export of merchants' orders and payments: the service and its operator's commands",
    )
    .exitOverride()
    .configureOutput({
      // A suggestion comes on a line of its own; an error is one line.
      outputError: (text, write) =>
        write(`tillroll-server: ${oneLine(text.trim().replace(/^error: /, ''))}\n`),
    })
    .addHelpText('after', settingsHelp());
  const merchant = ['--merchant <id>', "the merchant's id"] as const;

  root
    .command('all')
    .description('API and worker, and an embedded PostgreSQL when DATABASE_URL is unset')
    .action(() => runService({ serve: true, work: 'child' }, signal));
  root
    .command('serve')
    .description('the API alone')
    .action(() => runService({ serve: true, work: false }, signal));
  root
    .command('work')
    .description('a worker alone')
    .addOption(new Option('--child', 'started by `all`').hideHelp())
    .action(({ child }: { child?: boolean }) =>
      child ? runWorkerOfAll(stopping) : runService({ serve: false, work: true }, signal),
    );
  root
    .command('migrate')
    .description('bring the schema up to date, then exit')
    .option(
      '--new-store',
      'the storage directory is lost: give up its files, and let the next start begin an empty one',
    )
    .action((options: { newStore?: boolean }) => migrateCommand(options, signal));
  root
    .command('health')
    .description('ask the service at HOST and PORT whether it is alive; exit code 1 when it is not')
    .option('--ready', 'ask whether it is ready for requests')
    .option('--metrics', 'ask on TILLROLL_METRICS_PORT, where a worker answers')
    .action((options: { ready?: boolean; metrics?: boolean }) => healthCommand(options, signal));
  root
    .command('install')
    .description("record a merchant's consent to an app and print its token, once, alone on stdout")
    .requiredOption(...merchant)
    .requiredOption('--app <id>', "the app's id")
    .requiredOption(
      '--permissions <list>',
      'of ORDERS_R, PAYMENTS_R; for loaders ORDERS_W, PAYMENTS_W',
    )
    .action((options: { merchant: string; app: string; permissions: string }) =>
      installCommand(options, signal),
    );
  root
    .command('installs')
    .description('list installs')
    .option(...merchant)
    .action((options: { merchant?: string }) => installsCommand(options, signal));
  root
    .command('uninstall')
    .description("revoke a merchant's tokens, of one app or of all")
    .requiredOption(...merchant)
    .option('--app <id>', 'only this app')
    .action((options: { merchant: string; app?: string }) => uninstallCommand(options, signal));
  const receiptKeys = root
    .command('receipt-keys')
    .description('the keys of the database that sign receipts: list, rotate');
  receiptKeys
    .command('list')
    .description('list them, the one that signs first')
    .action(() => listReceiptKeysCommand(signal));
  receiptKeys
    .command('rotate')
    .description('make a new one; the public part of the old one stays published')
    .action(() => rotateReceiptKeysCommand(signal));
  root
    .command('load')
    .description('load NDJSON, plain or gzip')
    .argument('<file>', 'a file, or - for stdin')
    .requiredOption(...merchant)
    .requiredOption('--type <type>', 'ORDERS or PAYMENTS')
    .action((file: string, options: { merchant: string; type: string }) =>
      loadCommand(file, options, signal),
    );
  root
    .command('seed')
    .description('load generated orders, and their payments, all with createdTime in [from, to)')
    .requiredOption(...merchant)
    .requiredOption('--orders <n>', 'how many orders')
    .requiredOption('--from <iso>', 'first instant, inclusive')
    .requiredOption('--to <iso>', 'end, exclusive')
    .option('--seed <seed>', 'another seed gives other trade', '1')
    .action(
      (options: { merchant: string; orders: string; from: string; to: string; seed: string }) =>
        seedCommand(options, signal),
    );
  root
    .command('purge')
    .description("delete a merchant's orders, payments and exports with their files")
    .requiredOption(...merchant)
    .action((options: { merchant: string }) => purgeCommand(options, signal));
  root
    .command('status')
    .description('show the state of the service on one screen; exit code 1 when something is wrong')
    .option('--json', 'for programs')
    .action((options: { json?: boolean }) => statusCommand(options, signal));
  root
    .command('backup')
    .description(
      'save all of our tables, as they are at one moment; the files of exports are not in it',
    )
    .argument('<file>', 'a file, or - for stdout')
    .action((file: string) => backupCommand(file, signal));
  root
    .command('restore')
    .description('load a backup into an empty database')
    .argument('<file>', 'a file, or - for stdin')
    .action((file: string) => restoreCommand(file, signal));
  defineExports(
    root.command('exports').description('list, look at, retry and cancel exports'),
    signal,
  );
  return root;
}

function defineExports(group: Command, signal: AbortSignal): void {
  const exportId = ['<export>', "the export's id"] as const;
  const json = ['--json', 'for programs'] as const;
  group
    .command('list')
    .description('list the exports of all merchants, newest first')
    .option('--merchant <id>', 'only of this merchant')
    .option('--app <id>', 'only of this app')
    .option('--status <status>', 'only in this state, such as FAILED')
    .option('--limit <n>', 'at most so many, by default 50')
    .option(...json)
    .action((options: ListOptions) => listExportsCommand(options, signal));
  group
    .command('show')
    .description('show one export: its progress, its files, its errors and what to do about them')
    .argument(...exportId)
    .option(...json)
    .action((id: string, options: { json?: boolean }) => showExportCommand(id, options, signal));
  group
    .command('retry')
    .description('run an export again that is FAILED or CANCELED')
    .argument(...exportId)
    .action((id: string) => retryExportCommand(id, signal));
  group
    .command('cancel')
    .description('cancel an export that is PENDING or IN_PROGRESS')
    .argument(...exportId)
    .action((id: string) => cancelExportCommand(id, signal));
}

function chooseExitCode(error: unknown, signal: AbortSignal): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  if (error instanceof ReportedError) return EXIT_FAILED;
  if (error instanceof ConfigError) {
    for (const fault of error.faults) process.stderr.write(`tillroll-server: ${oneLine(fault)}\n`);
    return EXIT_USAGE;
  }
  // The reader, such as `head`, closed the pipe: not an error.
  if (error instanceof PrintError && error.isClosedPipe) return 0;
  if (signal.aborted) {
    process.stderr.write('tillroll-server: interrupted; nothing was left half-done\n');
    return EXIT_INTERRUPTED;
  }
  process.stderr.write(`tillroll-server: ${oneLine(error)}\n`);
  return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
}

/** The exit code of a command that did its work, by what became of its output. */
function printedCode(error: NodeJS.ErrnoException | null): number {
  if (error === null || error.code === 'EPIPE') return 0;
  process.stderr.write(
    `tillroll-server: the output could not be written to stdout: ${oneLine(error)}\n`,
  );
  return EXIT_FAILED;
}

async function main(argv: readonly string[]): Promise<number> {
  const stopping = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      // Asked twice, it goes at once: whatever runs is taken up again elsewhere.
      if (stopping.signal.aborted) process.exit(EXIT_INTERRUPTED);
      stopping.abort(new Error(name));
    });
  }
  const root = program(stopping);
  try {
    if (argv.length <= 2) {
      root.outputHelp({ error: true });
      return EXIT_USAGE;
    }
    await root.parseAsync([...argv]);
    return 0;
  } catch (error) {
    return chooseExitCode(error, stopping.signal);
  }
}

// Code that prints awaits it and reports a failure. This is for help texts, and for a stdout that breaks
// between two writes.
let stdoutError: NodeJS.ErrnoException | null = null;
process.stdout.on('error', (error: NodeJS.ErrnoException) => (stdoutError ??= error));
// There is nowhere left to say so; what the command does is not affected.
process.stderr.on('error', () => undefined);

const exitCode = await main(process.argv);
// An error of the last write is emitted after the write.
await new Promise((resolve) => {
  setImmediate(resolve);
});
process.exitCode = exitCode === 0 ? printedCode(stdoutError) : exitCode;
// A connection that could not be closed in time, to a database that hangs, must not keep the process.
setTimeout(() => process.exit(), EXIT_WAIT_MS).unref();
