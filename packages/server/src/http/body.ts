/** Streams the body of an upload, with a least rate. */
import type { IncomingMessage } from 'node:http';
import {
  bodyBroken,
  bodyTooShredded,
  bodyTooSlow,
  HttpError,
  unsupportedEncoding,
} from './errors.ts';
import { whenShredded } from './incoming.ts';

/**
 * The least rate of an upload, as of a download: over each window in which the sender was waited for.
 * One that falls silent is given up after one window.
 */
const LEAST_BYTES_PER_S = 16_000;
const WINDOW_MS = 30_000;

/** Reads how the body is compressed. @throws 415 */
export function parseEncoding(request: IncomingMessage): 'identity' | 'gzip' {
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (!['identity', 'gzip', 'x-gzip'].includes(encoding)) throw unsupportedEncoding(encoding);
  return encoding === 'identity' ? 'identity' : 'gzip';
}

/**
 * A request's body as it comes. A reader that stops early leaves the connection open, so that the
 * sender can still read why.
 * @throws HttpError: 408 when it comes too slowly, 413 in too many small parts, 400 when the connection breaks
 */
export async function* streamBody(
  request: IncomingMessage,
  least = { bytesPerSecond: LEAST_BYTES_PER_S, windowMs: WINDOW_MS },
): AsyncGenerator<Buffer> {
  const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer, undefined>;
  const tooSlow = bodyTooSlow(
    `less than ${least.bytesPerSecond} bytes a second were received for ${least.windowMs / 1000} s`,
  );
  // Ends the wait under way; one promise for all of them would hold every chunk that was read.
  const waiting: { giveUp: (error: Error) => void } = { giveUp: () => undefined };
  let isShredded = false;
  whenShredded(request, () => {
    isShredded = true;
    waiting.giveUp(bodyTooShredded());
  });
  // The time of the window that was spent on waiting for the sender, and what came in it.
  let waitedMs = 0;
  let received = 0;
  try {
    for (;;) {
      if (isShredded) throw bodyTooShredded();
      const started = performance.now();
      const { done, value } = await within(
        chunks.next(),
        Math.max(1, least.windowMs - waitedMs),
        tooSlow,
        waiting,
      );
      if (done) return;
      waitedMs += performance.now() - started;
      received += value.length;
      if (received >= (least.bytesPerSecond * least.windowMs) / 1000) {
        // The bytes of a whole window have been received.
        waitedMs = 0;
        received = 0;
      } else if (waitedMs >= least.windowMs) throw tooSlow;
      yield value;
    }
  } catch (error) {
    if (error instanceof HttpError) throw error;
    throw bodyBroken(error);
  } finally {
    // Not awaited: it would wait for the chunk that never came.
    void chunks.return?.().catch(() => undefined);
  }
}

async function within<T>(
  next: Promise<T>,
  ms: number,
  otherwise: Error,
  waiting: { giveUp: (error: Error) => void },
): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  waiting.giveUp = reject;
  const timer = setTimeout(() => reject(otherwise), ms);
  try {
    return await Promise.race([next, late]);
  } finally {
    clearTimeout(timer);
    waiting.giveUp = () => undefined;
    // A failure of the connection after that has no reader.
    next.catch(() => undefined);
  }
}
