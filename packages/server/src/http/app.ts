/** Puts the HTTP application together: routes, authentication, errors. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { shown } from '@tillroll/contract';
import {
  fastify,
  LogController,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifySchemaValidationError,
} from 'fastify';
import { authenticateRequest, parseMerchantId } from './auth.ts';
import { TrustedProxies } from './client-address.ts';
import { findConnection, Connections } from './connections.ts';
import type { HttpContext } from './context.ts';
import { docs } from './docs-pages.ts';
import { bodyTooLarge, errorRenderer, notFound } from './errors.ts';
import { inviteBody } from './expect-continue.ts';
import { securityHeaders } from './headers.ts';
import { HttpLog } from './log.ts';
import { dropUnreadBody } from './unread-body.ts';
import { createServer } from './server.ts';
import { readSmallBody } from './small-body.ts';
import { availabilityRoutes } from './routes/availability.ts';
import { bulkRoutes } from './routes/bulk.ts';
import { singleExportRoutes } from './routes/export.ts';
import { exportRoutes } from './routes/exports.ts';
import { fileRoutes } from './routes/files.ts';
import { keySetRoutes, receiptRoutes } from './routes/receipts.ts';
import { healthRoutes } from './routes/health.ts';

/** The application, ready to listen. */
export type App = FastifyInstance;

const REQUEST_ID = /^[A-Za-z0-9_-]{1,64}$/;
/** W3C Trace Context: version, trace id, id of the caller's span, flags. */
const TRACE_PARENT = /^[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/;

/** The id that the caller gave the request, or that of the trace which it belongs to, so that both find its lines. */
function requestId({ headers }: IncomingMessage): string {
  const { 'x-request-id': sent, traceparent } = headers;
  if (typeof sent === 'string' && REQUEST_ID.test(sent)) return sent;
  const traceId = typeof traceparent === 'string' ? TRACE_PARENT.exec(traceparent)?.[1] : undefined;
  return traceId ?? randomUUID();
}

/** "limit must be <= 1000; got 5000" */
function validationMessage(errors: FastifySchemaValidationError[], part: string): Error {
  const [first] = errors;
  const member = first?.instancePath.slice(1) || part;
  const sent: unknown = first ? Reflect.get(first, 'data') : undefined;
  return new Error(`${member} ${first?.message ?? 'is not valid'}; got ${shown(sent)}`);
}

/** The HTTP application: groups of routes around one error renderer. Does not listen yet. */
export async function createApp(context: HttpContext): Promise<App> {
  const log = new HttpLog(context.log, context.observer);
  const renderError = errorRenderer(log, context.observer);
  const connections = new Connections(
    context.connections,
    new TrustedProxies(context.trustedProxies),
  );
  const begin = (request: FastifyRequest, reply: FastifyReply): void => {
    // Answers carry signed URLs, and what they say changes from one moment to the next.
    request.response = reply.raw;
    void reply.headers({ 'x-request-id': request.id, 'cache-control': 'no-store' });
    // The service's own requests, such as those for the pages of /docs, have no connection and no line.
    if (findConnection(request.raw.socket)) log.request(request, reply);
  };
  const app: FastifyInstance = fastify({
    serverFactory: (handler) => createServer(handler, connections, log),
    loggerInstance: context.log as FastifyBaseLogger,
    logController: new LogController({
      disableRequestLogging: true,
      requestIdLogLabel: 'requestId',
    }),
    genReqId: requestId,
    requestIdHeader: false,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 1024 },
    ajv: { customOptions: { verbose: true, coerceTypes: true } },
    schemaErrorFormatter: validationMessage,
    // A request that the router cannot read runs no hook.
    frameworkErrors: (error, request, reply) => {
      begin(request, reply);
      void renderError(error, request, reply);
    },
    return503OnClosing: false,
    forceCloseConnections: 'idle',
  });
  // A body is read where a route wants one; elsewhere it decides nothing, least of all before a 404.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null));
  app.decorateRequest('principal', null);
  app.decorateRequest('isKnown', false);
  app.decorateRequest('exportId', null);
  app.decorateRequest('refusal', null);
  app.decorateRequest('overloaded', false);
  app.decorateRequest('stopCounting', null);
  app.decorateRequest('response', null);
  // The order of members is part of the contract, and schema-driven serializers have their own.
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  app.setErrorHandler(renderError);
  app.setNotFoundHandler((request, reply) => renderError(notFound(), request, reply));
  app.addHook('onRequest', (request, reply, done) => {
    begin(request, reply);
    done();
  });
  app.addHook('onSend', (request, reply, payload, done) => {
    dropUnreadBody(request, reply);
    done(null, payload);
  });

  app.addHook('onClose', () => Promise.resolve(log.flush()));
  securityHeaders(app, context.publicUrl().startsWith('https:'));
  await docs(app);

  healthRoutes(app, context);
  availabilityRoutes(app, context);
  fileRoutes(app, context);
  keySetRoutes(app, context);
  await app.register(
    (scope, _options, done) => {
      merchantScope(scope, context);
      exportRoutes(scope, context);
      singleExportRoutes(scope, context);
      receiptRoutes(scope, context);
      done();
    },
    { prefix: '/v3/merchants/:mId' },
  );
  await app.register(
    (scope, _options, done) => {
      merchantScope(scope, context);
      // The body stays a stream: it is checked and spooled as it comes.
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null));
      bulkRoutes(scope, context);
      done();
    },
    { prefix: '/v3/merchants/:mId' },
  );
  await app.ready();
  return app;
}

/**
 * Hooks of all of a merchant's routes, before any byte of a body is read: the id in the path, the
 * announced size of the body, the token.
 */
function merchantScope(scope: FastifyInstance, context: HttpContext): void {
  scope.addHook('onRequest', async (request) => {
    parseMerchantId(request);
    const { config, bodyLimit } = request.routeOptions;
    if (config.isForAnyone) return;
    if (Number(request.headers['content-length'] ?? 0) > bodyLimit) throw bodyTooLarge(bodyLimit);
    await authenticateRequest(context, request);
    // Existing clients send JSON as text/plain, or as nothing at all: the label never decides.
    request.headers['content-type'] = 'application/octet-stream';
  });
  scope.addHook('preParsing', (request, reply, payload, done) => {
    inviteBody(request.raw, reply.raw);
    done(null, payload);
  });
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', (request: FastifyRequest) =>
    readSmallBody(request.raw, request.routeOptions.bodyLimit),
  );
}
