/** Serves `/openapi.json` and the page at `/docs` from memory, and bounds how many are sent at once. */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { FairSemaphore } from '../fair-semaphore.ts';
import { clientAddress } from './client-address.ts';
import { findConnection } from './connections.ts';
import { notFound } from './errors.ts';
import { documentRoute, OPENAPI } from './openapi-base.ts';
import { endpoint, resource } from './resource.ts';

const PREFIX = '/docs';
/** Answers under way. The system takes megabytes of each, also for a peer that never reads them. */
const PLACES = { permits: 16, permitsPerKey: 6, waiting: 64, waitingPerKey: 32, waitMs: 5_000 };
/** The files of the page. `/json` is the document as the page asks for it. */
const PAGES = [
  '',
  '/',
  '/static/swagger-ui.css',
  '/static/index.css',
  '/static/swagger-ui-bundle.js',
  '/static/swagger-ui-standalone-preset.js',
  '/static/swagger-initializer.js',
  '/static/favicon-32x32.png',
  '/static/favicon-16x16.png',
  '/json',
].map((path) => PREFIX + path);

/** Scripts from here alone, none inline. The page's widgets set styles on their elements. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

interface Page {
  readonly type: string;
  readonly body: Buffer;
}

/** `/openapi.json`, and `/docs`, a page that shows it. Both are made once and answered from memory. */
export async function docs(app: FastifyInstance): Promise<void> {
  await app.register(swagger, { openapi: OPENAPI, transform: documentRoute });
  let document: Buffer | undefined;
  resource(app, '/openapi.json', {
    GET: endpoint({
      schema: { hide: true },
      handler: (_request, reply) => {
        document ??= Buffer.from(JSON.stringify(app.swagger()));
        return reply.type('application/json; charset=utf-8').send(document);
      },
    }),
  });

  const places = new FairSemaphore(PLACES);
  let pages: Promise<Map<string, Page>> | undefined;
  await app.register(async (scope) => {
    // The plugin opens a file for each request, also of peers that never read it.
    scope.addHook('onRequest', async (request, reply) => {
      const connection = findConnection(request.raw.socket);
      if (connection === undefined) return;
      pages ??= readPages(app);
      const [path = ''] = request.url.split('?', 1);
      const page = (await pages).get(path);
      if (!page) throw notFound();
      reply.raw.once('close', await places.acquire(clientAddress(request), connection.gone));
      return reply.type(page.type).header('cache-control', 'public, max-age=600').send(page.body);
    });
    await scope.register(swaggerUi, {
      routePrefix: PREFIX,
      staticCSP: POLICY,
      uiConfig: { validatorUrl: null },
    });
  });
}

/** Asks the plugin itself for each page, once. */
async function readPages(app: FastifyInstance): Promise<Map<string, Page>> {
  const pages = new Map<string, Page>();
  for (const path of PAGES) {
    const { headers, rawPayload } = await app.inject(path);
    pages.set(path, { type: headers['content-type'] as string, body: rawPayload });
  }
  return pages;
}
