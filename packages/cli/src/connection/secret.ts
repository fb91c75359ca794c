import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import type { Context } from '../context.ts';
import { UsageError } from '../exit.ts';

/** A token is short; more than this is some other file. */
const MAX_BYTES = 64 * 1024;
/** After which silence we say what we wait for. */
const SILENCE_MS = 1000;

export interface Secret {
  token: string;
  /** In words, for the message. */
  from: string;
}

/**
 * A token that no other user sees: from standard input when something is piped in, else from
 * TILLROLL_TOKEN, else asked for on the terminal without echo.
 */
export async function readSecret(context: Context): Promise<Secret> {
  const { env, stdin } = context;
  const named = env['TILLROLL_TOKEN'];
  if (!stdin.isTTY) {
    const piped = await readAll(context);
    if (piped !== '') return { token: piped, from: 'standard input' };
  }
  if (named) return { token: named, from: 'TILLROLL_TOKEN' };
  if (!stdin.isTTY)
    throw new UsageError(
      'missing: the token; pipe it to standard input, set TILLROLL_TOKEN, or run this on a terminal to be asked',
    );
  const token = await ask(context, 'Token (not shown): ');
  if (token === '') throw new UsageError('missing: the token; nothing was typed');
  return { token, from: 'the terminal' };
}

/** Standard input to its end, without the line break that ends it. */
async function readAll(context: Context): Promise<string> {
  const notice = setTimeout(
    () => context.note('reading the token from standard input'),
    SILENCE_MS,
  );
  const stop = () => context.stdin.destroy(new Error('interrupted'));
  context.signal.addEventListener('abort', stop);
  try {
    let text = '';
    for await (const chunk of context.stdin.setEncoding('utf8')) {
      text += chunk as string;
      if (text.length > MAX_BYTES) throw new UsageError('standard input is too long for a token');
    }
    return text.replace(/\r?\n$/, '');
  } finally {
    clearTimeout(notice);
    context.signal.removeEventListener('abort', stop);
  }
}

async function ask(context: Context, question: string): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: context.stdin, output: silent, terminal: true });
  context.stderr.write(question);
  try {
    // Readline has the terminal in raw mode, in which Ctrl-C is a key and no signal. As a signal it
    // aborts the question, as everything else.
    lines.once('SIGINT', () => process.kill(process.pid, 'SIGINT'));
    const closed = new Promise<string>((resolve) => {
      lines.once('close', () => resolve(''));
    });
    const typed = lines.question('', { signal: context.signal });
    return (await Promise.race([typed, closed])).trim();
  } finally {
    lines.close();
    context.stderr.write('\n');
  }
}
