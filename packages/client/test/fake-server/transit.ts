import { gunzipSync, gzipSync } from 'node:zlib';
import type { Answer } from './answer.ts';
import type { FaultBook, FaultKinds, Subject } from './faults.ts';

const MEBIBYTE = 1024 * 1024;

function encoded(answer: Answer, how: FaultKinds['encoding']['how']): Answer {
  const { body, headers } = answer;
  if (!Buffer.isBuffer(body)) return answer;
  const isZipped = headers['content-encoding'] === 'gzip';
  const zipped = isZipped ? body : gzipSync(body);
  // A range of gzip cannot be inflated: the faults use it as it is.
  const bare = isZipped && answer.status === 200 ? gunzipSync(body) : body;
  const { 'content-encoding': _, ...plain } = headers;
  const marked = { ...headers, 'content-encoding': 'gzip' };
  switch (how) {
    case 'gzip':
      return { ...answer, headers: marked, body: zipped };
    case 'gzip-unmarked':
      return { ...answer, headers: plain, body: zipped };
    case 'marked-only':
      return { ...answer, headers: marked, body: bare };
    case 'gzip-cut':
      return {
        ...answer,
        headers: marked,
        body: zipped.subarray(0, Math.floor(zipped.length * 0.6)),
      };
    case 'gzip-tail':
      return { ...answer, headers: marked, body: Buffer.concat([zipped, Buffer.from('and more')]) };
    case 'unknown':
      return {
        ...answer,
        headers: { ...plain, 'content-encoding': 'x-tar-and-feathers' },
        body: bare,
      };
  }
}

/** gzip members one after the other are a gzip file: the same member again and again costs nothing. */
async function* streamBomb(inflatedBytes: number): AsyncGenerator<Buffer> {
  yield gzipSync('{"elements":[{"id":"BOMB000000000","createdTime":1,"modifiedTime":1,"note":"');
  const step = 64 * MEBIBYTE;
  const member = inflatedBytes >= step ? gzipSync(Buffer.alloc(step, 'a')) : Buffer.alloc(0);
  for (let left = Math.floor(inflatedBytes / step); left > 0; left--) yield member;
  yield gzipSync(Buffer.alloc(inflatedBytes % step, 'a'));
  yield gzipSync('"}]}');
}

/** Never ends by itself: after `bytes` it breaks off. */
async function* streamWithoutEnd(how: 'objects' | 'space', bytes: number): AsyncGenerator<Buffer> {
  let count = 0;
  let sent = 0;
  yield Buffer.from('{"elements":[{"id":"ENDLESS000000","createdTime":1,"modifiedTime":1}');
  while (sent < bytes) {
    let chunk = '';
    while (chunk.length < 64 * 1024) {
      chunk +=
        how === 'space'
          ? ' '.repeat(64 * 1024)
          : `,{"id":"E${String(++count).padStart(12, '0')}","createdTime":1,"modifiedTime":1}`;
    }
    sent += chunk.length;
    yield Buffer.from(chunk);
  }
  throw new Error('enough of an endless body');
}

function html(contentType = 'text/html; charset=utf-8'): Answer {
  return {
    status: 200,
    headers: { 'content-type': contentType },
    body: Buffer.from(
      '<!doctype html><html><title>Sign in</title><body>Welcome to our Wi-Fi!</body></html>\n',
    ),
  };
}

/** Applies the faults to a good answer before it is sent. */
export function inTransit(good: Answer, faults: FaultBook, subject: Subject): Answer {
  let answer = good;
  const page = faults.strike('html', subject);
  if (page) answer = html(page.contentType);
  const endless = faults.strike('endless', subject);
  if (endless) {
    const { how = 'objects', bytes = 1024 * MEBIBYTE } = endless;
    answer = {
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: streamWithoutEnd(how, bytes),
    };
  }
  const bomb = faults.strike('bomb', subject);
  if (bomb) {
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    answer = { status: 200, headers, body: streamBomb(bomb.inflatedBytes ?? 4096 * MEBIBYTE) };
  }
  const encoding = faults.strike('encoding', subject);
  return encoding ? encoded(answer, encoding.how) : answer;
}
