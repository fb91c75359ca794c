/** Reads an object from S3 as one stream, and continues one that breaks. */
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3';

/** Times in a row that a body may break without a byte of progress. */
const MAX_BREAKS = 3;
const PAUSE_MS = 200;
const BLOCK_BYTES = 64 * 1024;

/** One GET of an object. @param range in HTTP's form; @param etag of the object that a range continues. */
export type GetObject = (range?: string, etag?: string) => Promise<GetObjectCommandOutput>;

/**
 * Reads an object, or a range of it, as one stream. A body that breaks, as it does when a slow client keeps
 * the store waiting, is continued where it broke.
 * @throws what the first GET fails with. Later failures destroy the stream.
 */
export async function download(
  get: GetObject,
  range?: { start: number; end: number },
): Promise<Readable> {
  const start = range?.start ?? 0;
  const first = range ? await getRange(get, start, range.end) : await get();
  const end = start + (first.ContentLength ?? 0);
  const breaking = new AbortController();
  let body = first.Body as Readable;

  async function* read(): AsyncGenerator<Buffer> {
    let at = start;
    for (let breaks = 0; ;) {
      let fault: unknown = new Error('the store ended the body early');
      try {
        for await (const chunk of body as AsyncIterable<Buffer>) {
          at += chunk.length;
          breaks = 0;
          yield chunk;
        }
      } catch (error) {
        fault = error;
      }
      if (at >= end) return;
      if (++breaks > MAX_BREAKS) throw fault;
      await delay(breaks * PAUSE_MS, undefined, { signal: breaking.signal });
      body = (await getRange(get, at, end - 1, first.ETag)).Body as Readable;
      if (breaking.signal.aborted) body.destroy();
    }
  }

  const stream = Readable.from(read(), { objectMode: false, highWaterMark: BLOCK_BYTES });
  // A reader that goes away does not wait for a store that has stalled.
  return stream.once('close', () => {
    breaking.abort();
    body.destroy();
  });
}

/** @throws Error when the store answers other bytes than it was asked for: they would be sent on as these. */
async function getRange(
  get: GetObject,
  start: number,
  end: number,
  etag?: string,
): Promise<GetObjectCommandOutput> {
  const answer = await get(`bytes=${start}-${end}`, etag);
  if (answer.ContentRange?.startsWith(`bytes ${start}-${end}/`)) return answer;
  (answer.Body as Readable).destroy();
  throw new Error(
    `the store answered "${answer.ContentRange ?? 'the whole object'}" to "bytes=${start}-${end}"`,
  );
}
