/** Registers the methods of a URL, with HEAD, OPTIONS and 405. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type {
  ContextConfigDefault,
  FastifyInstance,
  FastifySchema,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
  RouteGenericInterface,
  RouteOptions,
} from 'fastify';
import { methodNotAllowed } from './errors.ts';

type Method = 'GET' | 'POST' | 'DELETE';

/** Registers a route for one method of a URL. */
export type Endpoint = (app: FastifyInstance, method: Method, url: string) => void;

type Options<Schema extends FastifySchema> = Omit<
  RouteOptions<
    RawServerDefault,
    RawRequestDefaultExpression,
    RawReplyDefaultExpression,
    RouteGenericInterface,
    ContextConfigDefault,
    Schema,
    TypeBoxTypeProvider
  >,
  'method' | 'url'
>;

/** Describes a route. The handler's `params` and `query` have the types of the schema. */
export function endpoint<const Schema extends FastifySchema>(options: Options<Schema>): Endpoint {
  return (app, method, url) => {
    app.withTypeProvider<TypeBoxTypeProvider>().route({ ...options, method, url });
  };
}

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
  for (const method of ['DELETE', 'POST', 'GET'] as const) {
    const register = endpoints[method];
    if (!register) continue;
    allowed.unshift(...(method === 'GET' ? ['GET', 'HEAD'] : [method]));
    register(app, method, url);
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
