import type { FastifyInstance, RouteOptions } from 'fastify';
import { methodNotAllowed } from './errors.ts';

type Method = 'GET' | 'POST';
export type Endpoint = Omit<RouteOptions, 'method' | 'url'>;

/**
 * Registers what a URL answers: the given methods, HEAD beside GET, OPTIONS with `Allow`, and 405 for
 * every other method.
 */
export function resource(
  app: FastifyInstance,
  url: string,
  endpoints: Partial<Record<Method, Endpoint>>,
): void {
  const allowed: string[] = ['OPTIONS'];
  for (const method of ['POST', 'GET'] as const) {
    const endpoint = endpoints[method];
    if (!endpoint) continue;
    allowed.unshift(...(method === 'GET' ? ['GET', 'HEAD'] : ['POST']));
    app.route({ ...endpoint, method, url });
  }
  app.route({
    method: 'OPTIONS',
    url,
    schema: { hide: true },
    config: { isForAnyone: true },
    // Before the body is read, as below.
    onRequest: (_request, reply) => {
      void reply.code(204).header('allow', allowed.join(', ')).send();
    },
    handler: (_request, reply) => reply.send(),
  });
  app.route({
    method: app.supportedMethods.filter((method) => !allowed.includes(method)),
    url,
    schema: { hide: true },
    config: { isForAnyone: true },
    // Before the body is read: whatever it is, it is not wanted here.
    onRequest: (request, _reply, done) => {
      done(methodNotAllowed(request.method, allowed));
    },
    handler: (_request, reply) => reply.send(),
  });
}
