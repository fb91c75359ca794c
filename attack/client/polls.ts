/** The normal client's polls, and their times. */
import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Target } from '../target.ts';
import { ask, describeError } from './request.ts';

/** Clover's published clients poll at this pace, without backing off. */
const PACE_MS = 250;
/** Many, so that there is a 99th percentile to speak of within seconds. */
const POLLERS = 12;
const TIMEOUT_MS = 10_000;

export interface Polls {
  /** From request to the last byte of the answer, ms; of a failed poll, until it failed. */
  readonly latencies: number[];
  readonly failures: string[];
}

/** Pollers, each on a connection of its own that it keeps. */
export class Pollers {
  readonly #agents = Array.from(
    { length: POLLERS },
    () => new Agent({ keepAlive: true, maxSockets: 1 }),
  );

  /** Polls until the signal aborts; polls under way are awaited, for 10 s at most. */
  async run(target: Target, signal: AbortSignal): Promise<Polls> {
    const polls: Polls = { latencies: [], failures: [] };
    await Promise.all(
      this.#agents.map(async (agent, n) => {
        await delay((PACE_MS * n) / POLLERS, undefined, { signal }).catch(() => undefined);
        while (!signal.aborted) {
          await poll(target, agent, polls);
          await delay(PACE_MS, undefined, { signal }).catch(() => undefined);
        }
      }),
    );
    return polls;
  }
}

async function poll(target: Target, agent: Agent, polls: Polls): Promise<void> {
  const { merchant, exportId, token } = target.normal;
  const started = performance.now();
  try {
    const path = `/v3/merchants/${merchant}/exports/${exportId}`;
    const { status } = await ask(target, { path, token, agent, timeoutMs: TIMEOUT_MS });
    if (status !== 200) polls.failures.push(String(status));
  } catch (error) {
    polls.failures.push(describeError(error));
  }
  polls.latencies.push(performance.now() - started);
}
