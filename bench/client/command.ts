/** Runs the `tillroll` command and measures its time and memory. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { clientEnvironment } from '../../scripts/client-process.ts';
import { peakMemoryMb } from '../measure.ts';

/** The command to run, and what it is to connect to. */
export interface Connection {
  bin: string;
  url: string;
  merchant: string;
  token: string;
}

export interface RunResult {
  seconds: number;
  /** Null where /proc does not tell. */
  peakMb: number | null;
  code: number | null;
  signal: NodeJS.Signals | null;
}

const WATCH_MS = 20;

/** One run of the command as a whole process. @param killAfterMs SIGKILL then, if it still runs. */
export async function tillroll(
  args: readonly string[],
  connection: Connection,
  killAfterMs?: number,
): Promise<RunResult> {
  const started = performance.now();
  const child = spawn(process.execPath, [connection.bin, ...args], {
    env: clientEnvironment({
      TILLROLL_URL: connection.url,
      TILLROLL_MERCHANT: connection.merchant,
      TILLROLL_TOKEN: connection.token,
    }),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaint = '';
  child.stderr
    .setEncoding('utf8')
    .on('data', (text: string) => (complaint = (complaint + text).slice(-2000)));
  const timer =
    killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  let peakMb: number | null = null;
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  const watching = (async () => {
    // The most that it ever held only grows: the last reading before its end counts.
    while (child.exitCode === null && child.signalCode === null) {
      peakMb = (await peakMemoryMb(child.pid ?? 0)) ?? peakMb;
      await delay(WATCH_MS);
    }
  })();
  const [code, signal] = await closed;
  clearTimeout(timer);
  const seconds = (performance.now() - started) / 1000;
  await watching;
  if (code !== 0 && killAfterMs === undefined)
    throw new Error(`tillroll ${args.join(' ')} ended with ${code ?? signal}: ${complaint}`);
  return { seconds, peakMb, code, signal };
}
