import type { IncomingMessage } from 'node:http';
import { createGunzip } from 'node:zlib';
import { MAX_BODY_BYTES } from '@tillroll/contract';
import { BadBody, TooLarge, TooSlow } from '../ingest/errors.ts';
import { unsupportedEncoding } from './errors.ts';

/** A sender that is silent for so long is given up. */
const SILENCE_MS = 60_000;
const INFLATE_CHUNK_BYTES = 64 * 1024;

/**
 * A request's body as it comes, inflated when it is gzip. A taker that stops early leaves the
 * connection open, so that the sender can still read why.
 * @throws TooLarge, TooSlow, BadBody, 415
 */
export async function* bodyOf(request: IncomingMessage): AsyncGenerator<Buffer> {
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (!['identity', 'gzip', 'x-gzip'].includes(encoding)) throw unsupportedEncoding(encoding);
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) {
    throw new TooLarge(`the body is larger than ${MAX_BODY_BYTES} bytes`);
  }
  const chunks = received(request);
  yield* encoding === 'identity' ? chunks : inflated(chunks);
}

async function* received(request: IncomingMessage): AsyncGenerator<Buffer> {
  const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer, undefined>;
  try {
    for (;;) {
      const { done, value } = await inTime(chunks.next());
      if (done) return;
      yield value;
    }
  } catch (error) {
    if (error instanceof TooSlow) throw error;
    throw new BadBody(
      'the connection broke before the whole body was there; nothing of it was stored',
      { cause: error },
    );
  } finally {
    // Not awaited: it would wait for the chunk that never came.
    void chunks.return?.().catch(() => undefined);
  }
}

async function inTime<T>(next: Promise<T>): Promise<T> {
  const { promise: silence, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new TooSlow(`nothing was received for ${SILENCE_MS / 1000} s`)),
    SILENCE_MS,
  );
  try {
    return await Promise.race([next, silence]);
  } finally {
    clearTimeout(timer);
    // If the silence won, a later failure of the connection is nobody's concern.
    next.catch(() => undefined);
  }
}

async function* inflated(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const gunzip = createGunzip({ chunkSize: INFLATE_CHUNK_BYTES });
  // Fed by hand: a pipeline would destroy the request, and with it the answer, when the taker stops.
  const fed = (async () => {
    try {
      for await (const chunk of chunks) {
        if (gunzip.destroyed) return;
        if (!gunzip.write(chunk)) await drained(gunzip);
      }
      gunzip.end();
    } catch (error) {
      gunzip.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  })();
  try {
    yield* gunzip as AsyncIterable<Buffer>;
  } catch (error) {
    if (error instanceof BadBody || error instanceof TooSlow) throw error;
    throw new BadBody('the body is not valid gzip, or ends early; nothing of it was stored', {
      cause: error,
    });
  } finally {
    gunzip.destroy();
    // Not awaited: a sender that waits for our answer sends no further chunk. It ends by itself.
    void fed;
  }
}

function drained(gunzip: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      gunzip.off('drain', done);
      gunzip.off('close', done);
      resolve();
    };
    gunzip.once('drain', done);
    gunzip.once('close', done);
  });
}
