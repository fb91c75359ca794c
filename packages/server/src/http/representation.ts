/** Chooses what of a file is sent: gzip or identity, whole or a range. */
import { createGunzip } from 'node:zlib';
import { pipeline, type Readable, Transform } from 'node:stream';
import type { IncomingHttpHeaders } from 'node:http';
import Negotiator from 'negotiator';
import type { ManifestFile } from '../exports/record.ts';
import { MAX_ACCEPT_ENCODING_BYTES, MAX_ETAGS_BYTES, MAX_RANGE_BYTES } from './limits.ts';

/** One of the two forms in which a file can be had (RFC 9110, 8.8.3.3: each has its own ETag). */
export interface Representation {
  encoding: 'gzip' | 'identity';
  /** Length in bytes of the whole representation. */
  size: number;
  /** Strong: stored bytes never change. */
  etag: string;
}

/** Both inclusive, as in `Content-Range`. */
export interface ByteRange {
  start: number;
  end: number;
}

/**
 * gzip only for a client that says it accepts it; a client that says nothing, or more than a client ever
 * says, gets identity.
 */
export function chooseRepresentation(
  headers: IncomingHttpHeaders,
  file: ManifestFile,
): Representation {
  const { 'accept-encoding': asked } = headers;
  const accepted =
    asked === undefined || asked.length > MAX_ACCEPT_ENCODING_BYTES
      ? 'identity'
      : new Negotiator({ headers }).encoding(['gzip', 'identity']);
  return accepted === 'gzip'
    ? {
        encoding: 'gzip',
        size: file.compressedBytes,
        // The store's own, where it has one: a download that began with a redirect can be resumed here.
        etag: file.storedEtag ?? `"${file.sha256}-gzip"`,
      }
    : { encoding: 'identity', size: file.bytes, etag: `"${file.sha256}"` };
}

/** Tells whether the client's copy is this one (RFC 9110, 13.1.2: weak comparison). */
export function isCurrent(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined || ifNoneMatch.length > MAX_ETAGS_BYTES) return false;
  if (ifNoneMatch.trim() === '*') return true;
  return ifNoneMatch.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
}

/**
 * The part that is asked for, or `whole`, or `unsatisfiable`. Ranges that cannot be read, and several
 * at once, are answered with the whole (RFC 9110, 14.2). `If-Range` compares strongly (13.1.5); we send
 * no dates, so a date never matches.
 */
export function chooseRange(
  headers: IncomingHttpHeaders,
  { size, etag }: Representation,
): ByteRange | 'whole' | 'unsatisfiable' {
  const { range } = headers;
  const condition = headers['if-range'];
  if (range === undefined || (condition !== undefined && String(condition).trim() !== etag)) {
    return 'whole';
  }
  const wanted = parseRange(range);
  if (wanted === null) return 'whole';
  const [first, last] = wanted;
  // A suffix longer than the file is the whole file; an end beyond it is its end (14.1.2).
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size - 1 : Math.min(size - 1, Number(last));
  if (first !== '' && last !== '' && Number(last) < start) return 'whole';
  return start > end ? 'unsatisfiable' : { start, end };
}

const DIGITS = /^[0-9]*$/;

/** The two bounds of a single range as they were sent, one of them perhaps empty; null for any other. */
function parseRange(range: string): [first: string, last: string] | null {
  const equals = range.indexOf('=');
  if (range.length > MAX_RANGE_BYTES || range.slice(0, equals).toLowerCase() !== 'bytes')
    return null;
  const [first = '', last, ...more] = range
    .slice(equals + 1)
    .split('-')
    .map((bound) => bound.trim());
  if (last === undefined || more.length > 0 || !DIGITS.test(first) || !DIGITS.test(last))
    return null;
  return first === '' && last === '' ? null : [first, last];
}

/** The identity bytes of a stored file, or a part of them. Inflating must begin at the start. */
export function inflate(stored: Readable, range: ByteRange | null): Readable {
  const onEnd = (): void => {
    // A failure reaches the reader of the last stream.
  };
  return range === null
    ? pipeline(stored, createGunzip(), onEnd)
    : pipeline(stored, createGunzip(), slice(range), onEnd);
}

function slice({ start, end }: ByteRange): Transform {
  let at = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const from = Math.max(0, start - at);
      const to = Math.min(chunk.length, end + 1 - at);
      at += chunk.length;
      if (from < to) this.push(chunk.subarray(from, to));
      done();
    },
  });
}
