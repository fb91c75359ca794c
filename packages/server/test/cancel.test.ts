import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClientBase } from 'pg';
import { expect, test } from 'vitest';
import { cancelStatement } from '../src/database/cancel.ts';
import { parseDatabaseUrl } from '../src/database/connection.ts';

/** A server that keeps what it is sent, and closes the connection after a while, as PostgreSQL does. */
async function listen(keepMs: number): Promise<AsyncDisposable & { port: number; sent: Buffer[] }> {
  const sent: Buffer[] = [];
  const server = createServer((socket: Socket) => {
    socket.on('data', (bytes) => void sent.push(bytes));
    socket.on('error', () => undefined);
    setTimeout(() => socket.end(), keepMs);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    sent,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, 'close');
    },
  };
}

const client = { processID: 4711, secretKey: 815 } as unknown as ClientBase;
const connectionTo = (port: number) =>
  parseDatabaseUrl(`postgres://user@127.0.0.1:${port}/database?sslmode=disable`, {});

test('a cancel request is sent alone, and its connection is ended by the server', async () => {
  await using server = await listen(300);
  const started = performance.now();
  await cancelStatement(connectionTo(server.port), client);
  expect(performance.now() - started).toBeGreaterThan(250);
  await delay(50);
  const request = Buffer.alloc(16);
  // PostgreSQL documentation, "Message Formats": CancelRequest.
  for (const [index, value] of [16, 80_877_102, 4711, 815].entries())
    request.writeInt32BE(value, 4 * index);
  expect(Buffer.concat(server.sent).toString('hex')).toBe(request.toString('hex'));
});

test('a server that does not close is waited for in vain for two seconds', async () => {
  await using server = await listen(2_500);
  const started = performance.now();
  await cancelStatement(connectionTo(server.port), client);
  expect(performance.now() - started).toBeLessThan(2_400);
});
