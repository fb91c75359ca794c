/** Reads a token without showing it: piped in, from the environment, or typed. */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import type { Context } from '../context.ts';
import { UsageError } from '../exit.ts';

/** A token is short; a longer input is another file. */
const MAX_BYTES = 64 * 1024;
/** Time to wait for standard input before saying so. */
const SILENCE_MS = 1000;

export interface Secret {
  token: string;
  /** Its source in words, for the message. */
  from: string;
}

/**
 * Reads a token without showing it: from standard input when something is piped in, else from
 * TILLROLL_TOKEN, else from a prompt without echo.
 * @throws UsageError
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
      'missing: the token. Pipe it to standard input, set TILLROLL_TOKEN, or run this on a terminal',
    );
  const token = await ask(context, 'Token (not shown): ');
  if (token === '') throw new UsageError('missing: the token. Nothing was typed');
  return { token, from: 'the terminal' };
}

/** Reads standard input to its end, without the last line break. */
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
    // In readline's raw mode Ctrl-C is a key and not a signal. As a signal it aborts the question.
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
