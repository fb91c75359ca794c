/** Sends many requests: pipelined, or at a rate. */
import type { Socket } from 'node:net';
import { countAnswers } from './answers.ts';
import { pause } from './connections.ts';
import { attackerAddress, type Scene } from './scene.ts';

const BATCH_BYTES = 64 * 1024;
const REOPEN_MS = 50;

/**
 * Pipelines `times` copies of a request on each connection without waiting for an answer, then waits
 * for all answers, the end of the connection, or the end of the attack.
 */
export async function pipeline(
  scene: Scene,
  text: string,
  {
    times,
    connections = 1,
    reads = true,
  }: { times: number; connections?: number; reads?: boolean },
): Promise<void> {
  const each = async (n: number): Promise<void> => {
    const socket = await scene.connections.open(attackerAddress(n), reads);
    if (!socket) return;
    const perBatch = Math.max(1, Math.floor(BATCH_BYTES / text.length));
    for (let sent = 0; sent < times; sent += perBatch) {
      const copies = text.repeat(Math.min(perBatch, times - sent));
      if (!(await scene.connections.write(socket, copies))) break;
    }
    if (!reads) await scene.connections.closed(socket);
    else await scene.connections.answered(socket, times);
  };
  await Promise.all(Array.from({ length: connections }, (_, n) => each(n)));
}

export interface Hammer {
  readonly connections: number;
  /** Texts sent a second, over all connections. */
  readonly perSecond: number;
  /** Number of addresses that the connections come from; 4 by default. */
  readonly addresses?: number;
  /** Number of answers that a text gets; 1 by default. */
  readonly answers?: number;
}

/**
 * One request after the other on each of many connections, each when the one before is answered, at a
 * bounded rate over all of them. A connection that the service closes is opened again.
 */
export async function hammer(
  scene: Scene,
  text: (n: number) => string | Buffer,
  { connections, perSecond, addresses = 4, answers = 1 }: Hammer,
): Promise<void> {
  const gapMs = (1000 * connections) / perSecond;
  const each = async (n: number): Promise<void> => {
    await pause((gapMs * n) / connections, scene.signal);
    let socket: Socket | null = null;
    while (!scene.signal.aborted) {
      const due = performance.now() + gapMs;
      if (!socket?.writable) {
        socket = await scene.connections.open(attackerAddress(n % addresses));
        if (!socket) {
          await pause(REOPEN_MS, scene.signal);
          continue;
        }
      }
      const before = countAnswers(socket);
      if (await scene.connections.write(socket, text(n)))
        await scene.connections.answered(socket, before + answers);
      await pause(Math.max(0, due - performance.now()), scene.signal);
    }
  };
  await Promise.all(Array.from({ length: connections }, (_, n) => each(n)));
}
