import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { gzipSync } from 'node:zlib';
import { refusal, type Answer } from './answer.ts';
import type { Exports, FakeExport } from './exports.ts';
import type { FaultBook, FaultKinds, Subject } from './faults.ts';

export const FILES = '/v3/files/';

interface Minted {
  file: FakeExport;
  position: number;
  /** Epoch ms. */
  expires: number;
  lateStatus: 403 | 410;
}

/** The addresses of files: new ones at each read, and what they stand for. */
export class FileAddresses {
  readonly #minted = new Map<string, Minted>();

  /** Path and query of a file, good until `expires`. */
  mint(file: FakeExport, position: number, early?: FaultKinds['urlsExpire']): string {
    const expires = early ? Date.now() + early.ms : file.availableUntil;
    const signature = randomBytes(16).toString('hex');
    const target = `${FILES}${file.id}/${position}?expires=${expires}&signature=${signature}`;
    this.#minted.set(target, { file, position, expires, lateStatus: early?.status ?? 410 });
    return target;
  }

  /** The file, or why there is none. */
  locate(target: string): Minted | Answer {
    const minted = this.#minted.get(target);
    if (!minted) return refusal(403, 'The signature of this URL is missing or does not match');
    if (Date.now() >= minted.expires) return refusal(minted.lateStatus, 'This URL has expired');
    if (!minted.file.hasFiles) return refusal(410, 'The files of this export are gone');
    return minted;
  }
}

/** `/v3/files/{exportId}/{position}`, whatever its signature. */
export function fileAt(
  exports: Exports,
  path: string,
): { file?: FakeExport | undefined; position?: number } {
  const [, id, position] = /^\/v3\/files\/([^/]+)\/([0-9]+)$/.exec(path) ?? [];
  return id === undefined ? {} : { file: exports.find(id), position: Number(position) };
}

export function acceptsGzip(header: string | string[] | undefined): boolean {
  return String(header ?? '')
    .split(',')
    .some((entry) => {
      const [name = '', ...parameters] = entry.split(';').map((part) => part.trim().toLowerCase());
      return name === 'gzip' && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
    });
}

/** A digit of the first amount becomes another. */
function alter(bytes: Buffer): Buffer {
  const altered = Buffer.from(bytes);
  const found = /"(?:total|amount)"\s*:\s*[0-9]/.exec(bytes.toString('latin1'));
  const at = found ? found.index + found[0].length - 1 : altered.length >> 1;
  altered[at] = altered[at] === 0x37 ? 0x38 : 0x37;
  return altered;
}

function ranged(
  whole: Answer & { body: Buffer },
  headers: IncomingHttpHeaders,
  how?: FaultKinds['range']['how'],
): Answer {
  const { range, 'if-range': condition } = headers;
  const etag = whole.headers['etag'];
  const [, first = '', last = ''] = /^bytes=([0-9]*)-([0-9]*)$/.exec(range ?? '') ?? [];
  if ((first === '' && last === '') || how === 'ignored') return whole;
  if (condition !== undefined && condition !== etag) return whole;
  const size = whole.body.length;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size : Math.min(size, Number(last) + 1);
  if (start >= end || how === 'refused') {
    return refusal(416, `Range lies outside of ${size} bytes`, {
      'content-range': `bytes */${size}`,
    });
  }
  const from = how === 'from-start' ? 0 : start;
  const taken = how === 'lying' ? Math.max(0, start - 1) : from;
  return {
    ...whole,
    status: 206,
    headers: { ...whole.headers, 'content-range': `bytes ${from}-${end - 1}/${size}` },
    body: whole.body.subarray(taken, taken + end - from),
  };
}

/** A file as it is asked for. Ranges, ETag and conditions only where the fake server is Tillroll. */
export function fileAnswer(
  { file, position }: Minted,
  headers: IncomingHttpHeaders,
  { tillroll, gzip }: { tillroll: boolean; gzip: boolean },
  faults: FaultBook,
  subject: Subject,
): Answer {
  const identity = file.makeBytes(position);
  const served = faults.strike('altered', subject) ? alter(identity) : identity;
  const isGzip = gzip && acceptsGzip(headers['accept-encoding']);
  const whole = {
    status: 200,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'private, no-store',
      vary: 'Accept-Encoding',
      'x-content-type-options': 'nosniff',
      ...(isGzip ? { 'content-encoding': 'gzip' } : {}),
    } as Record<string, string>,
    body: isGzip ? gzipSync(served, { level: 1 }) : served,
    onSent: () => void file.downloads++,
  };
  if (!tillroll) return whole;
  const how = faults.strike('range', subject)?.how;
  const tag = how === 'changed' ? randomBytes(8).toString('hex') : file.makeEntry(position).sha256;
  whole.headers['accept-ranges'] = 'bytes';
  whole.headers['etag'] = `"${tag}${isGzip ? '-gzip' : ''}"`;
  const other = faults.strike('etag', subject)?.how;
  if (other === 'weak') whole.headers['etag'] = `W/${whole.headers['etag']}`;
  if (other === 'none') delete whole.headers['etag'];
  if (headers['if-none-match'] === whole.headers['etag']) {
    return { status: 304, headers: whole.headers, body: Buffer.alloc(0) };
  }
  return ranged(whole, headers, how);
}
