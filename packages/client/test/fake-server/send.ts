import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Answer } from './answer.ts';
import type { FaultBook, FaultKinds, Spot, Subject } from './faults.ts';

/** The end of an answer: all of it was sent, or what happened to its connection. */
export type Outcome = 'sent' | 'reset' | 'stalled' | 'closed' | 'left';

/** The bytes so far must reach the client before a reset throws away what is under way. */
const SETTLE_MS = 150;
const PACE_MS = 20;

interface Stop {
  at: Spot;
  how: 'reset' | 'stall' | 'close';
}

interface Delivery {
  stop?: Stop | undefined;
  slow?: FaultKinds['slow'] | undefined;
  /** Content-Length to say; `null`: none. By default that of the body. */
  length?: number | null | undefined;
}

function planned(answer: Answer, faults: FaultBook, subject: Subject): Delivery {
  const slow = faults.strike('slow', subject);
  const reset = faults.strike('reset', subject);
  if (reset) return { slow, stop: { at: reset.at, how: 'reset' } };
  const stall = faults.strike('stall', subject);
  if (stall) return { slow, stop: { at: stall.at, how: 'stall' } };
  const cut = faults.strike('cut', subject);
  if (!cut || !Buffer.isBuffer(answer.body)) return { slow };
  const full = answer.body.length;
  const kept = cut.bytes < 0 ? Math.max(0, full + cut.bytes) : Math.min(full, cut.bytes);
  if (cut.length === 'promised')
    return { slow, length: full, stop: { at: { bytes: kept }, how: 'close' } };
  if (cut.length === 'chunked')
    return { slow, length: null, stop: { at: { bytes: kept }, how: 'close' } };
  answer.body = answer.body.subarray(0, kept);
  return { slow };
}

async function* paced(
  body: Answer['body'],
  bytesPerSecond: number | undefined,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const chunks = Buffer.isBuffer(body) ? [body] : body;
  const step =
    bytesPerSecond === undefined ? Infinity : Math.max(1, (bytesPerSecond * PACE_MS) / 1000);
  let isFirst = true;
  for await (const chunk of chunks) {
    if (step === Infinity) {
      yield chunk;
      continue;
    }
    for (let i = 0; i < chunk.length; i += Math.ceil(step)) {
      // Not behind the last one: who has all bytes does not wait for more.
      if (!isFirst) await delay(PACE_MS, undefined, { signal });
      isFirst = false;
      yield chunk.subarray(i, i + Math.ceil(step));
    }
  }
}

/** The first `bytes` of them, if so many are wanted. */
async function* first(chunks: AsyncIterable<Buffer>, bytes: number): AsyncGenerator<Buffer> {
  let left = bytes;
  for await (const chunk of chunks) {
    if (chunk.length >= left) {
      if (left > 0) yield chunk.subarray(0, left);
      return;
    }
    left -= chunk.length;
    yield chunk;
  }
}

async function breakOff(
  response: ServerResponse,
  how: Stop['how'],
  signal: AbortSignal,
): Promise<Outcome> {
  if (how === 'stall') {
    await once(response, 'close', { signal }).catch(() => undefined);
    return 'stalled';
  }
  await delay(SETTLE_MS, undefined, { signal });
  if (how === 'reset') response.socket?.resetAndDestroy();
  else response.socket?.destroySoon();
  return how === 'reset' ? 'reset' : 'closed';
}

async function deliver(
  response: ServerResponse,
  answer: Answer,
  plan: Delivery,
  onBytes: (count: number) => void,
  signal: AbortSignal,
): Promise<Outcome> {
  const { stop, slow, length } = plan;
  if (slow?.latencyMs !== undefined) await delay(slow.latencyMs, undefined, { signal });
  if (stop?.at === 'before') return breakOff(response, stop.how, signal);
  if (stop?.at === 'headers') {
    response.socket?.write(`HTTP/1.1 ${answer.status} OK\r\nContent-Type: appl`);
    return breakOff(response, stop.how, signal);
  }
  for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value);
  const known = length === undefined && Buffer.isBuffer(answer.body) ? answer.body.length : length;
  if (typeof known === 'number' && answer.status !== 304)
    response.setHeader('content-length', known);
  response.writeHead(answer.status);
  const hasBody = response.req.method !== 'HEAD' && answer.status !== 304;
  if (hasBody) {
    response.flushHeaders();
    const all = paced(answer.body, slow?.bytesPerSecond, signal);
    const limit = typeof stop?.at === 'object' ? stop.at.bytes : Infinity;
    for await (const chunk of first(all, limit)) {
      onBytes(chunk.length);
      if (!response.write(chunk)) await once(response, 'drain', { signal });
    }
  }
  if (stop) return breakOff(response, stop.how, signal);
  const finished = once(response, 'finish', { signal });
  response.end();
  await finished;
  return 'sent';
}

/** Sends an answer as well or as badly as the faults want it. */
export async function send(
  response: ServerResponse,
  answer: Answer,
  faults: FaultBook,
  subject: Subject,
  onBytes: (count: number) => void,
  closing: AbortSignal,
): Promise<Outcome> {
  const left = new AbortController();
  const leave = (): void => left.abort();
  response.once('close', leave);
  closing.addEventListener('abort', leave);
  try {
    const plan = planned(answer, faults, subject);
    const outcome = await deliver(response, answer, plan, onBytes, left.signal);
    if (outcome === 'sent') answer.onSent?.();
    return outcome;
  } catch {
    response.socket?.destroy();
    return 'left';
  } finally {
    closing.removeEventListener('abort', leave);
  }
}
