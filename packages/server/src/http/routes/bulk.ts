import type { IncomingMessage } from 'node:http';
import { MAX_BODY_BYTES, type ExportType, type LoadCounts } from '@tillroll/contract';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { beginLoad } from '../../ingest/load.ts';
import { requirePrincipal, requirePermission } from '../auth.ts';
import { streamBody, parseEncoding } from '../body.ts';
import type { HttpContext } from '../context.ts';
import { bodyTooShredded, CallerGone } from '../errors.ts';
import { whenShredded } from '../incoming.ts';
import { endpoint, resource, type Endpoint } from '../resource.ts';
import { errors, MerchantParams, SECURITY, TokenQuery } from '../schemas/requests.ts';
import { LoadCountsSchema } from '../schemas/wire.ts';
import { inTurn } from '../turns.ts';

/** Loading objects: NDJSON in, counts out. */
export function bulkRoutes(app: FastifyInstance, context: HttpContext): void {
  const load = (type: ExportType): Endpoint =>
    endpoint({
      schema: {
        tags: ['loading'],
        summary: `Load ${type.toLowerCase()}`,
        description:
          'One object a line, each with `id` and `createdTime`. Gzip allowed (Content-Encoding). At most 8 MiB a line, 4 GiB in all. All of it is stored or nothing. Loading the same again changes nothing.',
        security: SECURITY,
        consumes: ['application/x-ndjson'],
        params: MerchantParams,
        querystring: TokenQuery,
        body: Type.String({ description: 'NDJSON' }),
        response: { 200: LoadCountsSchema, ...errors(400, 401, 404, 408, 409, 413, 415, 503) },
      },
      bodyLimit: MAX_BODY_BYTES,
      validatorCompiler: () => () => true,
      handler: async (request: FastifyRequest): Promise<LoadCounts> => {
        const principal = requirePrincipal(request);
        requirePermission(principal, `${type}_W`);
        const { merchantId, installId, appId } = principal;
        const encoding = parseEncoding(request.raw);
        const start = await inTurn(context, request, () => beginLoad(context.pool, merchantId));
        // A body that was read to its end is stored even if its sender has left: it may be sent again.
        return context.loader.load({
          ...start,
          merchantId,
          type,
          encoding,
          body: streamBody(request.raw),
          install: { id: installId, appId },
          gone: goneSignal(request.raw),
        });
      },
    });
  resource(app, '/orders/bulk', { POST: load('ORDERS') });
  resource(app, '/payments/bulk', { POST: load('PAYMENTS') });
}

/** Aborts when the sender leaves before its body was read, or when the body will not be read. */
function goneSignal(request: IncomingMessage): AbortSignal {
  const gone = new AbortController();
  request.once('close', () => gone.abort(new CallerGone()));
  whenShredded(request, () => gone.abort(bodyTooShredded()));
  return gone.signal;
}
