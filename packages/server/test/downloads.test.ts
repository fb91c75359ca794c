import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Overloaded } from '../src/fair-semaphore.ts';
import { Downloads } from '../src/http/downloads.ts';
import { CallerGone } from '../src/http/errors.ts';

const FILE = Buffer.alloc(1_000_000, 'x');
const LIMITS = { permits: 4, permitsPerKey: 2, waiting: 8, waitMs: 200 };

let server: Server;
let downloads: Downloads;
/** Files opened so far, by owner, and those open now. */
let opened: string[];
let openFiles: Set<Readable>;
let refused: unknown[];
/** The file that the next downloads read. */
let file: () => Readable;
const sockets: Socket[] = [];

/** `/owner`: a file of that owner. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const owner = request.url ?? '';
  try {
    const content = await downloads.start(response, { merchantId: owner, appId: owner }, () => {
      opened.push(owner);
      const stream = file();
      // One of an earlier test may close later than that test ends.
      const files = openFiles.add(stream);
      stream.once('close', () => files.delete(stream));
      return Promise.resolve(stream);
    });
    response.once('close', () => content.destroy());
    response.setHeader('content-length', FILE.length);
    content.pipe(response);
  } catch (error) {
    refused.push(error);
    response.writeHead(503).end();
  }
}

function fromMemory(): Readable {
  return Readable.from(
    Array.from({ length: 16 }, (_, i) => FILE.subarray(i * 62_500, (i + 1) * 62_500)),
  );
}

beforeEach(async () => {
  downloads = new Downloads(LIMITS);
  opened = [];
  refused = [];
  openFiles = new Set();
  file = fromMemory;
  server = createServer((request, response) => void answer(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** A connection that asks for `count` files and reads nothing. */
async function ask(owner: string, count: number): Promise<Socket> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.pause();
  socket.write(`GET /${owner} HTTP/1.1\r\nhost: x\r\n\r\n`.repeat(count));
  return socket;
}

function get(owner: string): Promise<{ status: number; bytes: number }> {
  const { port } = server.address() as AddressInfo;
  return fetch(`http://127.0.0.1:${port}/${owner}`).then(async (response) => ({
    status: response.status,
    bytes: (await response.arrayBuffer()).byteLength,
  }));
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries++) {
    if (tries > 500) throw new Error(`waited in vain: ${what}`);
    await delay(10);
  }
}

describe('connections that are not read', () => {
  test('hold one file each, and one owner never more than its share', async () => {
    for (let i = 0; i < 4; i++) await ask('hostile', 50);
    await until('the share is taken', () => downloads.open === 2);
    // The waiters are refused after a while; their connections then ask for the next file.
    await until('some were refused', () => refused.length > 0);
    expect(refused.every((error) => error instanceof Overloaded)).toBe(true);
    expect(openFiles.size).toBeLessThanOrEqual(2);
    expect(await get('honest')).toEqual({ status: 200, bytes: FILE.length });
  });

  test('give everything back when they go', async () => {
    const connections = [];
    for (let i = 0; i < 3; i++) connections.push(await ask('hostile', 50));
    await until('the share is taken', () => downloads.open === 2);
    for (const socket of connections) socket.destroy();
    await until('no download is open', () => downloads.open === 0);
    await until('no file is open', () => openFiles.size === 0);
    expect(await get('hostile')).toEqual({ status: 200, bytes: FILE.length });
  });

  test('one that leaves while it waits gives its turn up at once', async () => {
    await ask('a', 50);
    await ask('a', 50);
    await until('the share is taken', () => downloads.open === 2);
    const before = opened.length;
    const third = await ask('a', 1);
    await delay(20);
    third.destroy();
    await until('it was told', () => refused.some((error) => error instanceof CallerGone));
    expect(opened).toHaveLength(before);
  });
});

test('a file is opened when all answers before it on its connection are out', async () => {
  const gate = Promise.withResolvers<void>();
  file = () => Readable.from(held(gate.promise));
  const socket = await ask('a', 3);
  socket.resume();
  await until('the first is open', () => opened.length === 1);
  await delay(50);
  expect(opened).toHaveLength(1);
  gate.resolve();
  await until('the others follow', () => opened.length === 3);
  await until('all are done', () => downloads.open === 0 && openFiles.size === 0);
});

async function* held(gate: Promise<void>): AsyncGenerator<Buffer> {
  yield FILE.subarray(0, 1000);
  await gate;
  yield FILE.subarray(1000);
}

test('a file that breaks off ends the connection: nothing follows its bytes', async () => {
  file = () => Readable.from(broken());
  const socket = await ask('a', 1);
  let received = '';
  socket.setEncoding('latin1').on('data', (text: string) => (received += text));
  socket.resume();
  await once(socket, 'close');
  expect(received.slice(received.indexOf('\r\n\r\n') + 4)).toMatch(/^x*$/);
  await until('its place is free', () => downloads.open === 0);
});

async function* broken(): AsyncGenerator<Buffer> {
  yield await Promise.resolve(FILE.subarray(0, 1000));
  throw new Error('the disk is broken');
}
