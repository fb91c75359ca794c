/** Counts the answers on a raw connection. */
import type { Socket } from 'node:net';
import type { Tally } from './tally.ts';

const MARK = Buffer.from('HTTP/1.1 ');
/** The mark and three digits. */
const STATUS_BYTES = MARK.length + 3;

const counts = new WeakMap<Socket, number>();

/** Counts the answers on a connection by their status lines. No body of the service holds the mark. */
export function watchAnswers(socket: Socket, tally: Tally): void {
  let tail: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    tally.receivedBytes += chunk.length;
    const bytes = tail.length > 0 ? Buffer.concat([tail, chunk]) : chunk;
    let next = 0;
    for (
      let at = bytes.indexOf(MARK);
      at >= 0 && at + STATUS_BYTES <= bytes.length;
      at = bytes.indexOf(MARK, next)
    ) {
      next = at + STATUS_BYTES;
      tally.countAnswer(bytes.toString('latin1', at + MARK.length, next));
      counts.set(socket, countAnswers(socket) + 1);
      socket.emit('answer');
    }
    tail = bytes.subarray(Math.max(next, bytes.length - STATUS_BYTES + 1));
  });
}

/** Answers on this connection so far. */
export function countAnswers(socket: Socket): number {
  return counts.get(socket) ?? 0;
}
