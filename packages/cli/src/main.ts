import { CommanderError } from 'commander';
import { createContext, reportError, type Context } from './context.ts';
import { exitCodeOf } from './errors.ts';
import { EXIT } from './exit.ts';
import { createProgram } from './program.ts';

/** Whoever reads our stdout has gone, as `| head` does. */
class ClosedPipe extends Error {
  override name = 'ClosedPipe';
}

/** Ctrl-C, a closed terminal and a closed pipe end a command in order; a second Ctrl-C at once. */
function listen(stopping: AbortController, context: Context): void {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (stopping.signal.aborted) process.exit(EXIT.interrupted);
      stopping.abort(new Error(name));
    });
  }
  context.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return stopping.abort(new ClosedPipe());
    // What was asked for did not arrive, even if all else went well.
    context.note(`cannot write to standard output: ${error.message}`);
    process.exit(EXIT.failed);
  });
  // Nobody is left to be told.
  context.stderr.on('error', () => undefined);
  // A fault of ours must be one line as well, and must not pass as a success.
  process.on('uncaughtException', (error) => {
    reportError(context, error);
    process.exit(EXIT.failed);
  });
}

function endedBy(error: unknown, context: Context): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.complete : EXIT.usage;
  const { signal } = context;
  if (signal.aborted && signal.reason instanceof ClosedPipe) return EXIT.closedPipe;
  if (signal.aborted) {
    context.note(context.whenInterrupted);
    return EXIT.interrupted;
  }
  reportError(context, error);
  return exitCodeOf(error);
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
    return endedBy(error, context);
  }
}

process.exitCode = await main(process.argv);
