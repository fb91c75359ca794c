import type { FastifyRequest } from 'fastify';

/** The address that a request is accounted to. */
export function clientAddress(request: FastifyRequest): string {
  return request.raw.socket.remoteAddress ?? 'gone';
}
