import type { IncomingMessage } from 'node:http';
import { bodyTooLarge, bodyTooShredded, bodyTooSlow, CallerGone } from './errors.ts';
import { whenShredded } from './incoming.ts';
import { SMALL_BODY_MS } from './limits.ts';

const FIRST_BYTES = 1024;

/**
 * Reads a body into one Buffer, which grows with what has come and not with what was announced.
 * @param limit in bytes.
 * @throws 413 above `limit` or in too many small parts, 408 after `SMALL_BODY_MS`, CallerGone when it never ends.
 */
export function readSmallBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  // It may have been closed while the token was looked up, and closes only once.
  if (request.destroyed) return Promise.reject(new CallerGone());
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  let buffer = Buffer.allocUnsafe(FIRST_BYTES);
  let length = 0;
  const onData = (chunk: Buffer): void => {
    const next = length + chunk.length;
    if (next > limit) {
      end();
      reject(bodyTooLarge(limit));
      return;
    }
    if (next > buffer.length) {
      const larger = Buffer.allocUnsafe(Math.min(limit, Math.max(next, 2 * buffer.length)));
      buffer.copy(larger, 0, 0, length);
      buffer = larger;
    }
    chunk.copy(buffer, length);
    length = next;
  };
  const onEnd = (): void => {
    end();
    resolve(buffer.subarray(0, length));
  };
  const onGone = (): void => {
    end();
    reject(new CallerGone());
  };
  const onShredded = (): void => {
    end();
    reject(bodyTooShredded());
  };
  const timer = setTimeout(() => {
    end();
    reject(bodyTooSlow(`the body was not complete after ${SMALL_BODY_MS / 1000} s`));
  }, SMALL_BODY_MS);
  const end = (): void => {
    clearTimeout(timer);
    request.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone);
    request.off('shredded', onShredded);
    // An error after this is of no interest, and must not end the process.
    request.on('error', () => undefined);
  };
  request.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone);
  whenShredded(request, onShredded);
  return promise;
}
