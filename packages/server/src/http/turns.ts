import type { FastifyRequest } from 'fastify';
import { clientAddress } from './client-address.ts';
import { connectionOf } from './connections.ts';
import type { HttpContext } from './context.ts';

/**
 * Runs what a request asks of the database, when it is its client address's turn: an address with a
 * thousand requests under way delays another one's poll by one statement.
 * @throws Overloaded, answered 503, when too many are waiting already; CallerGone when the caller leaves
 * before its turn.
 */
export function inTurn<T>(
  { turns }: Pick<HttpContext, 'turns'>,
  request: FastifyRequest,
  work: () => Promise<T>,
): Promise<T> {
  return turns.run(clientAddress(request), work, connectionOf(request.raw.socket)?.gone);
}
