import type { IncomingMessage } from 'node:http';
import {
  EXPORT_TYPES,
  MAX_BODY_BYTES,
  type DeleteCounts,
  type ExportType,
  type LoadCounts,
} from '@tillroll/contract';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { beginLoad, type Upload } from '../../ingest/load.ts';
import { requirePrincipal, requirePermission } from '../auth.ts';
import { streamBody, parseEncoding } from '../body.ts';
import type { HttpContext } from '../context.ts';
import { bodyTooShredded, CallerGone } from '../errors.ts';
import { whenShredded } from '../incoming.ts';
import { endpoint, resource } from '../resource.ts';
import { errors, MerchantParams, SECURITY, TokenQuery } from '../schemas/requests.ts';
import { DeleteCountsSchema, LoadCountsSchema } from '../schemas/wire.ts';
import { inTurn } from '../turns.ts';

const LOAD_TEXT =
  'One object a line, each with `id` and `createdTime`. Gzip allowed (Content-Encoding). At most 8 MiB a line, 4 GiB in all. All of it is stored or nothing. Loading the same again changes nothing.';
const DELETE_TEXT =
  'One `{"id":"..."}` a line. Gzip allowed (Content-Encoding). All of them are deleted or none. Exports of changes tell of each as a tombstone. Loading an id again brings it back.';

/** Loading and deleting objects: NDJSON in, counts out. */
export function bulkRoutes(app: FastifyInstance, context: HttpContext): void {
  const { loader } = context;
  /** The upload that a request carries. @throws 401, 415 */
  const begin = async (request: FastifyRequest, type: ExportType): Promise<Upload> => {
    const principal = requirePrincipal(request);
    requirePermission(principal, `${type}_W`);
    const { merchantId, installId, appId } = principal;
    const encoding = parseEncoding(request.raw);
    const start = await inTurn(context, request, () => beginLoad(context.pool, merchantId));
    return {
      ...start,
      merchantId,
      type,
      encoding,
      body: streamBody(request.raw),
      install: { id: installId, appId },
      gone: goneSignal(request.raw),
    };
  };
  const common = {
    security: SECURITY,
    consumes: ['application/x-ndjson'],
    params: MerchantParams,
    querystring: TokenQuery,
    body: Type.String({ description: 'NDJSON' }),
  };
  const failures = errors(400, 401, 404, 408, 409, 413, 415, 503);
  for (const type of EXPORT_TYPES) {
    const name = type.toLowerCase();
    resource(app, `/${name}/bulk`, {
      POST: endpoint({
        schema: {
          ...common,
          tags: ['loading'],
          summary: `Load ${name}`,
          description: LOAD_TEXT,
          response: { 200: LoadCountsSchema, ...failures },
        },
        bodyLimit: MAX_BODY_BYTES,
        validatorCompiler: () => () => true,
        // A body that was read to its end is stored even if its sender has left: it may be sent again.
        handler: async (request: FastifyRequest): Promise<LoadCounts> =>
          loader.load(await begin(request, type)),
      }),
    });
    resource(app, `/${name}/bulk-delete`, {
      POST: endpoint({
        schema: {
          ...common,
          tags: ['loading'],
          summary: `Delete ${name}`,
          description: DELETE_TEXT,
          response: { 200: DeleteCountsSchema, ...failures },
        },
        bodyLimit: MAX_BODY_BYTES,
        validatorCompiler: () => () => true,
        handler: async (request: FastifyRequest): Promise<DeleteCounts> =>
          loader.delete(await begin(request, type)),
      }),
    });
  }
}

/** Aborts when the sender leaves before its body was read, or when the body will not be read. */
function goneSignal(request: IncomingMessage): AbortSignal {
  const gone = new AbortController();
  request.once('close', () => gone.abort(new CallerGone()));
  whenShredded(request, () => gone.abort(bodyTooShredded()));
  return gone.signal;
}
