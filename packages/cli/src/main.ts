/** The program `tillroll`: runs one command, with its signals and its exit code. */
import { CommanderError } from 'commander';
import { createContext, reportError, type Context } from './context.ts';
import { findExitCode } from './errors.ts';
import { EXIT } from './exit.ts';
import { createProgram } from './program.ts';

/** The reader of stdout closed the pipe, as `| head` does. */
class ClosedPipe extends Error {
  override name = 'ClosedPipe';
}

/** Ends the process without waiting for work in progress. */
function exitNow(context: Context, code: number, report?: () => void): never {
  context.restoreTerminal();
  report?.();
  process.exit(code);
}

/** Ctrl-C, a closed terminal and a closed pipe end a command in order; a second Ctrl-C ends it at once. */
function listen(stopping: AbortController, context: Context): void {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (stopping.signal.aborted) exitNow(context, EXIT.interrupted);
      stopping.abort(new Error(name));
    });
  }
  context.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return stopping.abort(new ClosedPipe());
    // The output did not arrive, even if everything else succeeded.
    exitNow(context, EXIT.failed, () =>
      context.note(`cannot write to standard output: ${error.message}`),
    );
  });
  // Without stderr there is nowhere to report to.
  context.stderr.on('error', () => undefined);
  // A bug must be reported in one line as well, and must not pass as a success.
  process.on('uncaughtException', (error) =>
    exitNow(context, EXIT.failed, () => reportError(context, error)),
  );
}

function reportEnd(error: unknown, context: Context): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.complete : EXIT.usage;
  const { signal } = context;
  if (signal.aborted && signal.reason instanceof ClosedPipe) return EXIT.closedPipe;
  if (signal.aborted) {
    context.note(context.whenInterrupted);
    return EXIT.interrupted;
  }
  reportError(context, error);
  return findExitCode(error);
}

async function main(argv: readonly string[]): Promise<number> {
  const stopping = new AbortController();
  const { env, stdin, stdout, stderr } = process;
  const context = createContext({ env, stdin, stdout, stderr }, stopping.signal);
  listen(stopping, context);
  const root = createProgram(context);
  try {
    if (argv.length <= 2) {
      root.outputHelp({ error: true });
      return EXIT.usage;
    }
    await root.parseAsync([...argv]);
    return context.exitCode;
  } catch (error) {
    return reportEnd(error, context);
  }
}

process.exitCode = await main(process.argv);
