/** Reads and drops the rest of a body that nobody needs, or closes the connection. */
import type { IncomingMessage } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isWaiting } from './expect-continue.ts';
import { Incoming } from './incoming.ts';
import {
  MAX_DROPPED_BYTES,
  MAX_LINGER_BYTES,
  MAX_UNWANTED_SMALL_PARTS,
  REFUSAL_MS,
  REST_MS,
} from './limits.ts';
import { closeInTwoSteps, destroyAfter, stopReading } from './socket.ts';

/** Tells whether the headers say that a body follows. */
export function announcesBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) > 0);
}

/**
 * Decides how to treat a body that was not read to its end when its answer is decided. A small one of
 * known length is read and dropped, and the connection stays. Any other ends the connection, in two
 * steps, so that its sender can read the answer. Either has `REST_MS`.
 */
export function dropUnreadBody({ raw }: FastifyRequest, reply: FastifyReply): void {
  if (raw.readableEnded || raw.destroyed || !announcesBody(raw)) return;
  const length = Number(raw.headers['content-length'] ?? Number.NaN);
  // 408: it did not come in time, and is not waited for once more.
  if (raw instanceof Incoming && raw.isShredded) {
    void reply.header('connection', 'close');
    closeInTwoSteps(raw.socket, REFUSAL_MS);
    stopReading(raw.socket);
    return;
  }
  const stays = length <= MAX_DROPPED_BYTES && !isWaiting(raw) && reply.statusCode !== 408;
  if (stays) {
    void reply.removeHeader('connection');
    if (raw.complete) return;
  } else {
    void reply.header('connection', 'close');
    closeInTwoSteps(raw.socket, REST_MS);
  }
  drop(raw);
}

function drop(raw: IncomingMessage): void {
  const { socket } = raw;
  const end = socket.bytesRead + MAX_LINGER_BYTES;
  raw.once('end', destroyAfter(socket, REST_MS));
  raw.on('error', () => undefined);
  raw.removeAllListeners('readable');
  raw.once('shredded', () => socket.destroy());
  if (raw instanceof Incoming) raw.limitParts(MAX_UNWANTED_SMALL_PARTS);
  raw.on('data', () => {
    if (socket.bytesRead > end) socket.destroy();
  });
  raw.resume();
}
