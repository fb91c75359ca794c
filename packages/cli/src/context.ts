/** The process as commands see it: streams, environment, signal and exit code. */
import { errorText, oneLine } from './errors.ts';

/** The parts of the process that a command may use. Tests give their own. */
export interface Context {
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  /** Aborted by Ctrl-C, SIGTERM, or when the reader of stdout closes the pipe. */
  readonly signal: AbortSignal;
  /** The exit code when nothing is thrown. */
  exitCode: number;
  /** Printed after an interruption: what became of the work. */
  whenInterrupted: string;
  /** Erases progress that is drawn over in place, so that a last message stays. */
  restoreTerminal: () => void;
  /** Writes one line on stderr. */
  note(text: string): void;
  /** Takes a token out of everything that is written to stderr from now on. */
  hide(secret: string): void;
}

const SHORTEST_SECRET = 6;

export interface Streams {
  env: NodeJS.ProcessEnv;
  stdin: NodeJS.ReadStream;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
}

export function createContext(streams: Streams, signal: AbortSignal): Context {
  const secrets = new Set<string>();
  return {
    ...streams,
    signal,
    exitCode: 0,
    whenInterrupted: 'interrupted',
    restoreTerminal: () => undefined,
    note(text) {
      let shown = oneLine(text);
      for (const secret of secrets) shown = shown.replaceAll(secret, '[token]');
      streams.stderr.write(`tillroll: ${shown}\n`);
    },
    hide(secret) {
      // A shorter text is not a real token, and is part of many words.
      if (secret.length >= SHORTEST_SECRET) secrets.add(secret);
    },
  };
}

/** Prints what went wrong; with TILLROLL_DEBUG=1 also where. */
export function reportError(context: Context, error: unknown): void {
  context.note(errorText(error));
  if (context.env['TILLROLL_DEBUG'] !== '1') return;
  for (let at = error; at instanceof Error; at = at.cause) {
    for (const line of (at.stack ?? '').split('\n')) context.note(line);
  }
}
