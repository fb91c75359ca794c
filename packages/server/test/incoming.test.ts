import { once } from 'node:events';
import http from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { randomBytes } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { Incoming } from '../src/http/incoming.ts';

let server: http.Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** Sends a body in HTTP chunks of the given sizes, and reads it a while after it has come. */
async function received(body: Buffer, sizes: () => number): Promise<Buffer[]> {
  const { promise, resolve } = Promise.withResolvers<Buffer[]>();
  server = http.createServer({ IncomingMessage: Incoming }, (request, response) => {
    const parts: Buffer[] = [];
    request.once('shredded', () => request.destroy());
    setTimeout(() => request.on('data', (part: Buffer) => parts.push(part)), 50);
    request.once('end', () => {
      response.end();
      resolve(parts);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const wire: Buffer[] = [
    Buffer.from('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n'),
  ];
  for (let at = 0; at < body.length;) {
    const chunk = body.subarray(at, at + sizes());
    at += chunk.length;
    wire.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'));
  }
  wire.push(Buffer.from('0\r\n\r\n'));
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  const closed = once(socket, 'close').then(() => Promise.reject(new Error('closed')));
  socket.write(Buffer.concat(wire));
  try {
    return await Promise.race([promise, closed]);
  } finally {
    closed.catch(() => undefined);
    socket.destroy();
  }
}

test('a body in chunks of one byte is held in few parts', async () => {
  const body = randomBytes(1_000);
  const parts = await received(body, () => 1);
  expect(Buffer.concat(parts).equals(body)).toBe(true);
  // Node alone hands on 1,000.
  expect(parts.length).toBeLessThan(10);
});

test('in chunks of 64 bytes it may be as long as it likes', async () => {
  const body = randomBytes(2_000_000);
  const parts = await received(body, () => 64);
  expect(Buffer.concat(parts).equals(body)).toBe(true);
});

test('too many chunks of one byte are not read on', async () => {
  await expect(received(randomBytes(50_000), () => 1)).rejects.toThrow(/closed|ECONNRESET|EPIPE/);
});

test('chunks of any sizes give the same bytes in the same order', async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const body = randomBytes(200_000);
    let at = seed;
    const parts = await received(body, () => {
      at = (at * 48_271) % 2_147_483_647;
      return 1 + (at % [3, 1_500, 5_000, 70_000][at % 4]!);
    });
    expect(Buffer.concat(parts).equals(body), String(seed)).toBe(true);
  }
});
