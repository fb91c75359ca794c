/** The normal client's rounds: load, export, download. */
import { setTimeout as delay } from 'node:timers/promises';
import { FROM, TO, type Target } from '../target.ts';
import { ask, describeError, type Ask } from './request.ts';

const PAUSE_MS = 500;
const PACE_MS = 250;
const ROUND_MS = 10_000;
/** Loaded orders lie behind the span that is exported: the export stays the same. */
const LOADED_TIME = TO + 1;

export interface Rounds {
  /** Durations of the rounds that succeeded, ms. */
  readonly latencies: number[];
  /** The step that failed, and how. */
  readonly failures: string[];
}

let loaded = 0;

/** Rounds, one after the other, until the signal aborts; the one under way is awaited, for 10 s at most. */
export async function runRounds(target: Target, signal: AbortSignal): Promise<Rounds> {
  const rounds: Rounds = { latencies: [], failures: [] };
  while (!signal.aborted) {
    await countRound(target, rounds);
    await delay(PAUSE_MS, undefined, { signal }).catch(() => undefined);
  }
  return rounds;
}

/** One round, counted. */
export async function countRound(target: Target, rounds: Rounds): Promise<void> {
  const started = performance.now();
  try {
    await round(target);
    rounds.latencies.push(performance.now() - started);
  } catch (error) {
    rounds.failures.push(describeError(error));
  }
}

/**
 * The work of a normal app besides polling: load an order, create an export, wait for it, download its
 * first file. Each request is on a connection of its own.
 * @throws at the first step that is not answered as it should be.
 */
async function round(target: Target): Promise<void> {
  const { merchant, token } = target.normal;
  const base = `/v3/merchants/${merchant}`;
  const end = performance.now() + ROUND_MS;
  const step = async (name: string, wanted: Omit<Ask, 'timeoutMs'>): Promise<Buffer> => {
    const timeoutMs = Math.max(1, Math.ceil(end - performance.now()));
    const answer = await ask(target, { token, ...wanted, timeoutMs }).catch((error: unknown) => {
      throw new Error(`${name} ${describeError(error)}`, { cause: error });
    });
    if (answer.status !== 200) throw new Error(`${name} ${answer.status}`);
    return answer.body;
  };

  const order = { id: `NORMAL${loaded++ % 100}`, createdTime: LOADED_TIME };
  const body = `${JSON.stringify(order)}\n`;
  await step('load', { method: 'POST', path: `${base}/orders/bulk`, body });

  const wanted = { type: 'ORDERS', startTime: FROM, endTime: TO };
  const created = await step('create', {
    method: 'POST',
    path: `${base}/exports`,
    body: JSON.stringify(wanted),
  });
  const { id } = JSON.parse(created.toString()) as { id: string };
  for (;;) {
    const polled = await step('poll', { path: `${base}/exports/${id}` });
    const { status, exportUrls } = JSON.parse(polled.toString()) as {
      status: string;
      exportUrls?: { elements: { url: string }[] };
    };
    if (status === 'DONE') {
      const { pathname, search } = new URL(exportUrls?.elements[0]?.url ?? 'http://none/');
      const file = await step('download', { path: pathname + search });
      if (file.at(-1) !== 0x7d) throw new Error('download cut');
      return;
    }
    if (status !== 'PENDING' && status !== 'IN_PROGRESS') throw new Error(`export ${status}`);
    if (performance.now() > end) throw new Error('export not done');
    await delay(PACE_MS);
  }
}
