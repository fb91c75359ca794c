/** A TCP address in front of a server, whose answers come at a limited rate on each connection. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** The link. */
export interface SlowLink extends AsyncDisposable {
  readonly port: number;
}

/** @param socketPath of the server. @param bytesPerSecond of what it sends, on each connection. */
export async function startSlowLink(socketPath: string, bytesPerSecond: number): Promise<SlowLink> {
  const sockets = new Set<Socket>();
  const server = createServer((inbound) => {
    const outbound = connect(socketPath);
    for (const socket of [inbound, outbound]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        sockets.delete(socket);
        inbound.destroy();
        outbound.destroy();
      });
    }
    inbound.pipe(outbound);
    void forwardSlowly(outbound, inbound, bytesPerSecond).catch(() => inbound.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function forwardSlowly(from: Socket, to: Socket, bytesPerSecond: number): Promise<void> {
  // When the bytes so far have had their time.
  let due = performance.now();
  for await (const chunk of from as AsyncIterable<Buffer>) {
    to.write(chunk);
    due = Math.max(due, performance.now()) + (chunk.length / bytesPerSecond) * 1000;
    const wait = due - performance.now();
    if (wait > 1) await delay(wait);
  }
  to.end();
}
