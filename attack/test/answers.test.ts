import { PassThrough } from 'node:stream';
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { countAnswers, watchAnswers } from '../tools/answers.ts';
import { Tally } from '../tools/tally.ts';

const TEXT =
  'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1 503 Service Unavailable\r\n\r\nHTTP/1.1 200 OK\r\n';

test.each([1, 2, 5, 11, 12, 13, TEXT.length])(
  'each answer counts once, in pieces of %i bytes',
  async (size) => {
    const socket = new PassThrough();
    const tally = new Tally();
    watchAnswers(socket as unknown as Socket, tally);
    for (let at = 0; at < TEXT.length; at += size) socket.write(TEXT.slice(at, at + size));
    await new Promise((resolve) => socket.end(resolve));
    expect(countAnswers(socket as unknown as Socket)).toBe(3);
    expect(tally.toString()).toContain('answers: 2 x 200, 1 x 503');
    expect(tally.receivedBytes).toBe(TEXT.length);
  },
);
