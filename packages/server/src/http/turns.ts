import type { FastifyRequest } from 'fastify';
import { FairSemaphore } from '../fair-semaphore.ts';
import { clientAddress } from './client-address.ts';
import { findConnection } from './connections.ts';
import { KnownCallers } from './known-callers.ts';
import { MAX_POLLS_AT_ONCE, MAX_WAITING_REQUESTS, REQUEST_WAIT_MS } from './limits.ts';

/**
 * Turns at the database, one client address after the other. Strangers, whose token was not found good
 * lately, have connections and a queue of their own: however many they are, a known caller does not
 * wait for them.
 */
export class Turns {
  readonly known: FairSemaphore;
  /** Polls of known callers share statements, so that many may be under way on few connections. */
  readonly polls: FairSemaphore;
  readonly strangers: FairSemaphore;
  readonly callers = new KnownCallers();

  /** @param connections how many may be used at once, by each of the two. */
  constructor(connections: { known: number; strangers: number }) {
    this.known = createTurns(connections.known);
    this.polls = createTurns(MAX_POLLS_AT_ONCE);
    this.strangers = createTurns(connections.strangers);
  }
}

function createTurns(permits: number): FairSemaphore {
  return new FairSemaphore({
    permits,
    waiting: MAX_WAITING_REQUESTS,
    waitingPerKey: MAX_WAITING_REQUESTS / 2,
    waitMs: REQUEST_WAIT_MS,
  });
}

/**
 * Runs what a request asks of the database, when it is its client address's turn: an address with a
 * thousand requests under way delays another one's poll by one statement.
 * @param ofKnown which turns a known caller takes: `polls` for what shares statements.
 * @throws Overloaded, answered 503, when too many are waiting already; CallerGone when the caller leaves
 * before its turn.
 */
export function inTurn<T>(
  { turns }: { readonly turns: Turns },
  request: FastifyRequest,
  work: () => Promise<T>,
  ofKnown: 'known' | 'polls' = 'known',
): Promise<T> {
  const queue = request.isKnown ? turns[ofKnown] : turns.strangers;
  const gone = findConnection(request.raw.socket)?.gone;
  return queue.run(clientAddress(request), work, gone);
}
