import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
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
import { authenticateRequest, merchantOf } from './auth.ts';
import { discardRest } from './body.ts';
import type { HttpContext } from './context.ts';
import { notFound, renderError } from './errors.ts';
import { logRequest } from './log.ts';
import { documentRoute, OPENAPI } from './openapi.ts';
import { resource } from './resource.ts';
import { noteAnswer, refuseExpectation, refuseOnSocket } from './socket.ts';
import { availabilityRoutes } from './routes/availability.ts';
import { bulkRoutes } from './routes/bulk.ts';
import { exportRoutes } from './routes/exports.ts';
import { fileRoutes } from './routes/files.ts';
import { healthRoutes } from './routes/health.ts';

/** The application, ready to listen. */
export type App = FastifyInstance;

const REQUEST_ID = /^[A-Za-z0-9_-]{1,64}$/;
/** A whole request, upload included. A body that stalls is given up long before. */
const REQUEST_TIMEOUT_MS = 60 * 60_000;
const HEADERS_TIMEOUT_MS = 60_000;

function requestId(request: IncomingMessage): string {
  const sent = request.headers['x-request-id'];
  return typeof sent === 'string' && REQUEST_ID.test(sent) ? sent : randomUUID();
}

/** "limit must be <= 1000; got 5000" */
function validationMessage(errors: FastifySchemaValidationError[], part: string): Error {
  const [first] = errors;
  const member = first?.instancePath.slice(1) || part;
  const sent: unknown = first ? Reflect.get(first, 'data') : undefined;
  return new Error(`${member} ${first?.message ?? 'is not valid'}; got ${shown(sent)}`);
}

function begin(request: FastifyRequest, reply: FastifyReply): void {
  noteAnswer(request.raw.socket, reply.raw);
  void reply.header('x-request-id', request.id);
  logRequest(request, reply);
}

/** The HTTP application: rooms of routes around one error renderer. Does not listen yet. */
export async function createApp(context: HttpContext): Promise<App> {
  const app: FastifyInstance = fastify({
    loggerInstance: context.log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request' }),
    genReqId: requestId,
    requestIdHeader: false,
    requestTimeout: REQUEST_TIMEOUT_MS,
    // Node would refuse a request without Host by itself, with an empty body.
    http: { headersTimeout: HEADERS_TIMEOUT_MS, requireHostHeader: false },
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 1024 },
    ajv: { customOptions: { verbose: true, coerceTypes: true } },
    schemaErrorFormatter: validationMessage,
    clientErrorHandler: (error, socket) => {
      context.log.info({ error: error.code }, 'refused before it was a request');
      refuseOnSocket(error, socket);
    },
    // What the router cannot read runs no hook.
    frameworkErrors: (error, request, reply) => {
      begin(request, reply);
      void renderError(error, request, reply);
    },
    return503OnClosing: false,
    forceCloseConnections: 'idle',
  });
  app.server.on('checkExpectation', refuseExpectation);
  // A body is read where a route wants one; elsewhere it decides nothing, least of all before a 404.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null));
  app.decorateRequest('principal', null);
  app.decorateRequest('exportId', null);
  app.decorateRequest('refusal', null);
  // The order of members is part of the contract, and schema-driven serializers have their own.
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  app.setErrorHandler(renderError);
  app.setNotFoundHandler((request, reply) => renderError(notFound(), request, reply));
  app.addHook('onRequest', (request, reply, done) => {
    begin(request, reply);
    done();
  });
  app.addHook('onSend', (request, reply, payload, done) => {
    discardRest(request, reply);
    done(null, payload);
  });

  await app.register(swagger, { openapi: OPENAPI, transform: documentRoute });
  await app.register(swaggerUi, { routePrefix: '/docs' });

  healthRoutes(app, context);
  availabilityRoutes(app, context);
  fileRoutes(app, context);
  resource(app, '/openapi.json', {
    GET: { schema: { hide: true }, handler: () => Promise.resolve(app.swagger()) },
  });
  await app.register(
    (scope, _options, done) => {
      merchantScope(scope, context);
      exportRoutes(scope, context);
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

/** What all of a merchant's routes share: the id in the path first, then the body's size, then the token. */
function merchantScope(scope: FastifyInstance, context: HttpContext): void {
  scope.addHook('onRequest', (request, _reply, done) => {
    merchantOf(request);
    // Existing clients send JSON as text/plain, or as nothing at all: the label never decides.
    request.headers['content-type'] = 'application/octet-stream';
    done();
  });
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  );
  scope.addHook('preValidation', async (request) => {
    if (request.method !== 'OPTIONS') await authenticateRequest(context, request);
  });
}
