import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { S3Proxy } from '../faults/s3-proxy.ts';
import { TcpProxy } from '../faults/tcp-proxy.ts';

const ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(async () => {
    server.close();
    await once(server, 'close');
  });
  return (server.address() as AddressInfo).port;
}

describe('the link', () => {
  async function open(): Promise<{ proxy: TcpProxy; socket: Socket }> {
    // It sends back what comes.
    const port = await listen(createServer((peer) => void peer.on('error', () => 0).pipe(peer)));
    const proxy = await TcpProxy.start(port);
    ends.push(() => proxy[Symbol.asyncDispose]());
    return { proxy, socket: await connectTo(proxy) };
  }

  async function connectTo(proxy: TcpProxy): Promise<Socket> {
    const socket = connect(proxy.port, '127.0.0.1').on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  }

  test('passes bytes on in both directions', async () => {
    const { socket } = await open();
    socket.write('there and back');
    const [echo] = (await once(socket, 'data')) as [Buffer];
    expect(echo.toString()).toBe('there and back');
  });

  test('stalled, it passes nothing on, and all of it afterwards', async () => {
    const { proxy, socket } = await open();
    proxy.state = 'stalled';
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.write('late');
    await delay(150);
    expect(text).toBe('');
    proxy.state = 'open';
    await once(socket, 'data');
    expect(text).toBe('late');
  });

  test('cut, connections break and new ones end at once', async () => {
    const { proxy, socket } = await open();
    const closed = once(socket, 'close');
    proxy.state = 'cut';
    await closed;
    const refused = await connectTo(proxy);
    await once(refused, 'close');
    proxy.state = 'open';
    const again = await connectTo(proxy);
    again.write('x');
    await once(again, 'data');
    again.destroy();
  });

  test('slow, bytes take their time', async () => {
    const { proxy, socket } = await open();
    proxy.state = { bytesPerSecond: 200_000 };
    const bytes = Buffer.alloc(64 * 1024);
    const started = performance.now();
    socket.write(bytes);
    for (let left = bytes.length; left > 0;)
      left -= ((await once(socket, 'data')) as [Buffer])[0].length;
    expect(performance.now() - started).toBeGreaterThan(300);
  });
});

describe('the address of the S3 server', () => {
  async function open(): Promise<S3Proxy> {
    const server = createHttpServer((request, response) => {
      let bytes = 0;
      request.on('data', (chunk: Buffer) => (bytes += chunk.length));
      request.on('end', () => response.end(`${request.headers.host} ${bytes}`));
    });
    const proxy = await S3Proxy.start(await listen(server));
    ends.push(() => proxy[Symbol.asyncDispose]());
    return proxy;
  }

  async function put(proxy: S3Proxy): Promise<{ status: number; text: string }> {
    const body = new Uint8Array(1024 * 1024);
    const response = await fetch(`${proxy.endpoint}/key`, { method: 'PUT', body });
    return { status: response.status, text: await response.text() };
  }

  test('passes a request on with the host that was signed', async () => {
    const proxy = await open();
    const host = new URL(proxy.endpoint).host;
    expect(await put(proxy)).toEqual({ status: 200, text: `${host} 1048576` });
    expect(proxy.faults).toBe(0);
  });

  test('answers with an error, and no longer when the fault is over', async () => {
    const proxy = await open();
    proxy.fault = { kind: 'answer', status: 503, code: 'SlowDown' };
    const refused = await put(proxy);
    expect(refused.status).toBe(503);
    expect(refused.text).toContain('<Code>SlowDown</Code>');
    expect(proxy.faults).toBe(1);
    proxy.fault = null;
    expect((await put(proxy)).status).toBe(200);
  });

  test('resets in mid-upload', async () => {
    const proxy = await open();
    proxy.fault = { kind: 'reset', afterBytes: 100_000 };
    await expect(put(proxy)).rejects.toThrow();
    expect(proxy.faults).toBe(1);
  });

  test('stalls until the fault is over', async () => {
    const proxy = await open();
    proxy.fault = { kind: 'stall' };
    let isAnswered = false;
    const answer = put(proxy).finally(() => (isAnswered = true));
    await delay(150);
    expect(isAnswered).toBe(false);
    proxy.fault = null;
    expect((await answer).status).toBe(200);
  });
});
