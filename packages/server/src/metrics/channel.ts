/** Metrics between a process and the one that forked it, over their channel. */
import type { ChildProcess } from 'node:child_process';
import { waitAtMost } from './bounded-answer.ts';
import type { Family } from './registry.ts';

/** Longest wait for the metrics of a child process. */
const WAIT_MS = 1_000;

interface Request {
  readonly kind: 'metrics';
  readonly id: number;
}

/** Numbers that JSON does not know (NaN, Infinity) travel as text. */
type Sent = readonly (Omit<Family, 'values'> & {
  readonly values: readonly (Omit<Family['values'][number], 'value'> & {
    readonly value: number | string;
  })[];
})[];

interface Answer extends Request {
  /** Null: they could not be read. */
  readonly families: Sent | null;
}

function isOfMetrics(message: unknown): message is Request {
  return (
    typeof message === 'object' && message !== null && Reflect.get(message, 'kind') === 'metrics'
  );
}

/**
 * Answers the process that forked this one when it asks for metrics. Messages of other kinds are left to others.
 * @param own the process itself: its end of the channel.
 * @returns what ends it.
 */
export function answerMetricsRequests(
  own: Pick<NodeJS.Process, 'on' | 'off' | 'send' | 'connected'>,
  read: () => Promise<readonly Family[]>,
): () => void {
  const answer = async (message: unknown): Promise<void> => {
    if (!isOfMetrics(message)) return;
    let families: Sent | null = null;
    try {
      families = encode(await read());
    } catch {
      // The parent shows that there are none.
    }
    // A parent that has gone meanwhile needs no answer.
    if (own.connected)
      own.send?.({ kind: 'metrics', id: message.id, families } satisfies Answer, () => undefined);
  };
  const onMessage = (message: unknown): void => void answer(message);
  own.on('message', onMessage);
  return () => void own.off('message', onMessage);
}

let lastId = 0;

/** Asks a child process for its metrics. @returns null when it does not answer within 1 s, or has none. */
export async function collectFrom(child: ChildProcess): Promise<Family[] | null> {
  if (!child.connected) return null;
  const id = ++lastId;
  const { promise, resolve } = Promise.withResolvers<Sent | null>();
  const onMessage = (message: unknown): void => {
    if (isOfMetrics(message) && message.id === id) resolve((message as Answer).families);
  };
  const onGone = (): void => resolve(null);
  child.on('message', onMessage);
  child.once('disconnect', onGone);
  try {
    child.send({ kind: 'metrics', id } satisfies Request, (error) => error && resolve(null));
    const sent = await waitAtMost(promise, WAIT_MS);
    return sent && decode(sent);
  } finally {
    child.off('message', onMessage);
    child.off('disconnect', onGone);
  }
}

function encode(families: readonly Family[]): Sent {
  return families.map((family) => ({
    ...family,
    values: family.values.map((sample) => ({
      ...sample,
      value: Number.isFinite(sample.value) ? sample.value : String(sample.value),
    })),
  }));
}

function decode(sent: Sent): Family[] {
  return sent.map((family) => ({
    ...family,
    values: family.values.map((sample) => ({ ...sample, value: Number(sample.value) })),
  }));
}
