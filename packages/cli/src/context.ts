import { errorText, oneLine } from './errors.ts';

/** What a command may use of the process. Tests give their own. */
export interface Context {
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  /** Aborted by Ctrl-C, SIGTERM, or a reader of stdout that went away. */
  readonly signal: AbortSignal;
  /** How the process will end when nothing is thrown. */
  exitCode: number;
  /** Said after an interruption: what became of the work. */
  whenInterrupted: string;
  /** One line on stderr. */
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
    note(text) {
      let shown = oneLine(text);
      for (const secret of secrets) shown = shown.replaceAll(secret, '[token]');
      streams.stderr.write(`tillroll: ${shown}\n`);
    },
    hide(secret) {
      // A shorter one is no real token, and is part of many words.
      if (secret.length >= SHORTEST_SECRET) secrets.add(secret);
    },
  };
}

/** Says what went wrong; with TILLROLL_DEBUG=1 also where. */
export function reportError(context: Context, error: unknown): void {
  context.note(errorText(error));
  if (context.env['TILLROLL_DEBUG'] !== '1') return;
  for (let at = error; at instanceof Error; at = at.cause) {
    for (const line of (at.stack ?? '').split('\n')) context.note(line);
  }
}
