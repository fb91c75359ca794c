/** Runs the service and its commands as real processes, for the demo, the bench and the examples. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../packages/server/bin/tillroll-server.js', import.meta.url));

type Environment = Readonly<Record<string, string>>;

/** No setting of the caller's shell may reach a throw-away service. */
function environment(own: Environment): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('TILLROLL_') && !['DATABASE_URL', 'HOST', 'PORT'].includes(name),
  );
  return { ...Object.fromEntries(inherited), PORT: '0', ...own };
}

export interface ServerProcess {
  readonly url: string;
  readonly pid: number;
  /** SIGTERM, and SIGKILL when that does not end it in 30 s. */
  stop(): Promise<void>;
}

/** Starts a role and waits for its ready line. @param logFile takes its log. */
export async function startServer(
  role: 'all' | 'serve',
  own: Environment,
  logFile: string,
  signal: AbortSignal = new AbortController().signal,
): Promise<ServerProcess> {
  const child = await start(role, own, logFile);
  try {
    return { url: await readyLine(child, signal), pid: child.pid ?? 0, stop: () => stop(child) };
  } catch (error) {
    await stop(child);
    if (signal.aborted) throw signal.reason;
    const log = (await readFile(logFile, 'utf8')).trim();
    throw new Error(`the service did not start: ${log.split('\n').at(-1) ?? ''}`, { cause: error });
  }
}

async function readyLine(
  child: ChildProcess & { stdout: NodeJS.ReadableStream },
  signal: AbortSignal,
): Promise<string> {
  const lines = createInterface({ input: child.stdout });
  const done = new AbortController();
  const options = { signal: AbortSignal.any([signal, done.signal, AbortSignal.timeout(60_000)]) };
  const ready = once(lines, 'line', options) as Promise<[string]>;
  const ended = once(child, 'exit', options).then(() => Promise.reject(new Error('it ended')));
  try {
    const [line] = await Promise.race([ready, ended]);
    return line.replace(/^ready /, '');
  } finally {
    // Whichever lost the race ends here, unheard.
    for (const waiting of [ready, ended]) waiting.catch(() => undefined);
    done.abort();
  }
}

/** Starts a worker alone. */
export async function startWorker(
  own: Environment,
  logFile: string,
): Promise<Omit<ServerProcess, 'url'>> {
  const child = await start('work', own, logFile);
  return { pid: child.pid ?? 0, stop: () => stop(child) };
}

async function start(
  role: string,
  own: Environment,
  logFile: string,
): Promise<ChildProcess & { stdout: NodeJS.ReadableStream }> {
  const log = await open(logFile, 'a');
  // Detached: a terminal's Ctrl-C reaches us alone, and we stop it in order.
  const child = spawn(process.execPath, [BIN, role], {
    env: environment(own),
    stdio: ['ignore', 'pipe', log.fd],
    detached: true,
  });
  await log.close();
  return child as ChildProcess & { stdout: NodeJS.ReadableStream };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
  child.kill('SIGTERM');
  await exited;
  clearTimeout(timer);
}

/** Runs an operator's command to its end. @returns what it printed. */
export async function runCommand(
  args: readonly string[],
  own: Environment,
  signal?: AbortSignal,
): Promise<string> {
  const child = spawn(process.execPath, [BIN, ...args], {
    env: environment(own),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const onAbort = (): void => {
    child.kill('SIGTERM');
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  let output = '';
  let complaint = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  const [code] = (await once(child, 'close')) as [number | null];
  signal?.removeEventListener('abort', onAbort);
  signal?.throwIfAborted();
  if (code !== 0) throw new Error(`tillroll-server ${args[0]} failed: ${complaint.trim()}`);
  return output.trim();
}
