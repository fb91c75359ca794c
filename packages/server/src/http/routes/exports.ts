/** The routes of exports: create, show, list. */
import {
  EXPORT_ID,
  EXPORT_TYPES,
  parseExportRequest,
  shown,
  type ExportList,
  type ExportObject,
  type ExportType,
  type Permission,
} from '@tillroll/contract';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Static } from 'typebox';
import type { Principal } from '../../access/installs.ts';
import { createExport, refuseEarly } from '../../exports/create.ts';
import { listExports } from '../../exports/read.ts';
import {
  isAvailable,
  toExportObject,
  toListedExport,
  type ExportWithFiles,
} from '../../exports/record.ts';
import { FairSemaphore, type SemaphoreLimits } from '../../fair-semaphore.ts';
import { authenticateWith, requirePrincipal, requirePermission } from '../auth.ts';
import type { HttpContext } from '../context.ts';
import { badRequest, exportNotFound } from '../errors.ts';
import { mintUrls } from '../file-urls.ts';
import { endpoint, resource } from '../resource.ts';
import { inTurn } from '../turns.ts';
import {
  errors,
  ExportParams,
  ListQuery,
  MerchantParams,
  SECURITY,
  TokenQuery,
} from '../schemas/requests.ts';
import { ExportListSchema, ExportObjectSchema, ExportRequestSchema } from '../schemas/wire.ts';

/** A request body of this kind is three members; more is a mistake or an attack. */
export const MAX_REQUEST_BYTES = 64 * 1024;

/**
 * Creates at once in this process. They wait for one lock anyway; those that wait for it here hold no
 * connection, so that polls still have theirs.
 */
const CREATES: SemaphoreLimits = { permits: 2, waiting: 512, waitingPerKey: 256, waitMs: 10_000 };

const TAGS = ['exports'];

function readPermission(type: ExportType): Permission {
  return `${type}_R`;
}

function parseJson(body: unknown): unknown {
  const text = Buffer.isBuffer(body) ? body.toString('utf8').replace(/^\uFEFF/, '') : '';
  if (text.trim() === '')
    throw badRequest(
      'the body is empty; it must be a JSON object {"type":"ORDERS"|"PAYMENTS","startTime":ms,"endTime":ms}',
    );
  try {
    return JSON.parse(text);
  } catch {
    throw badRequest(
      `the body is not valid JSON; it must be {"type":"ORDERS"|"PAYMENTS","startTime":ms,"endTime":ms}; got ${shown(text)}`,
    );
  }
}

/** A known type without its permission is 401 before anything else in the body is judged. */
function requireTypePermission(principal: Principal, body: unknown): void {
  const type: unknown =
    typeof body === 'object' && body !== null ? Reflect.get(body, 'type') : undefined;
  const known = EXPORT_TYPES.find((candidate) => candidate === type);
  if (known) requirePermission(principal, readPermission(known));
}

/** Digits alone: the validator would take `0x10`, `1e3` and `Infinity` for numbers, too. */
function requireDigits(
  request: FastifyRequest,
  _reply: FastifyReply,
  done: (error?: Error) => void,
): void {
  for (const member of ['limit', 'offset']) {
    const sent: unknown = Reflect.get(request.query as object, member);
    if (sent !== undefined && !(typeof sent === 'string' && /^[0-9]{1,10}$/.test(sent))) {
      done(badRequest(`${member} must be a whole number in digits; got ${shown(sent)}`));
      return;
    }
  }
  done();
}

export function exportRoutes(app: FastifyInstance, context: HttpContext): void {
  const { pool, polls, queue, rules, signer, publicUrl, observer } = context;
  const creates = new FairSemaphore(CREATES);

  const answer = async (record: ExportWithFiles): Promise<ExportObject> => {
    const { id: exportId, files, availableUntil } = record;
    if (!files || availableUntil === null || !isAvailable(record))
      return toExportObject(record, []);
    const mint = (position: number): string =>
      publicUrl() + signer.sign({ exportId, position, expires: availableUntil });
    return toExportObject(record, await mintUrls(files.length, mint));
  };

  const create = async (request: FastifyRequest): Promise<ExportObject> => {
    const principal = requirePrincipal(request);
    const body = parseJson(request.body);
    requireTypePermission(principal, body);
    const wanted = parseExportRequest(body);
    if (!wanted.ok) throw badRequest(wanted.details);
    await inTurn(context, request, () => refuseEarly(pool, rules, principal));
    const record = await creates.run(`${principal.merchantId}/${principal.appId}`, () =>
      inTurn(context, request, () =>
        createExport(pool, queue, rules, principal, wanted.value, request.id),
      ),
    );
    observer.exportCreated(record.type);
    request.exportId = record.id;
    return answer({ ...record, files: null });
  };

  const read = async (request: FastifyRequest, exportId: string): Promise<ExportObject> => {
    // A text that cannot be an id names no export; the token is still judged first.
    const wanted = EXPORT_ID.test(exportId) ? exportId : '';
    const { principal, export: record } = await authenticateWith(context, request, (installId) =>
      polls.read(installId, wanted),
    );
    if (!record) throw exportNotFound();
    request.exportId = record.id;
    requirePermission(principal, readPermission(record.type));
    return answer(record);
  };

  const list = async (
    request: FastifyRequest,
    { limit, offset }: Static<typeof ListQuery>,
  ): Promise<ExportList> => {
    const principal = requirePrincipal(request);
    const types = EXPORT_TYPES.filter((type) => principal.permissions.has(readPermission(type)));
    const records = await inTurn(context, request, () =>
      listExports(pool, principal, { types, limit, offset }),
    );
    return {
      elements: records.map(toListedExport),
      href: `${publicUrl()}/v3/merchants/${principal.merchantId}/exports?limit=${limit}&offset=${offset}`,
    };
  };

  resource(app, '/exports', {
    POST: endpoint({
      bodyLimit: MAX_REQUEST_BYTES,
      // The body is judged by the contract, whose messages name the member and what is allowed.
      validatorCompiler: () => () => true,
      schema: {
        tags: TAGS,
        summary: 'Create an export',
        description:
          'Starts an export of the objects with startTime <= createdTime < endTime. Poll it until DONE.',
        security: SECURITY,
        params: MerchantParams,
        querystring: TokenQuery,
        body: ExportRequestSchema,
        response: { 200: ExportObjectSchema, ...errors(400, 401, 404, 413, 503) },
      },
      handler: create,
    }),
    GET: endpoint({
      schema: {
        tags: TAGS,
        summary: 'List exports, newest first',
        description: 'Without exportUrls and files: read an export for those.',
        security: SECURITY,
        params: MerchantParams,
        querystring: ListQuery,
        response: { 200: ExportListSchema, ...errors(400, 401, 404) },
      },
      preValidation: requireDigits,
      handler: (request) => list(request, request.query),
    }),
  });
  resource(app, '/exports/:exportId', {
    GET: endpoint({
      config: { authenticatesItself: true },
      schema: {
        tags: TAGS,
        summary: 'Read an export',
        description: 'May be polled every 0.25 s, at any hour.',
        security: SECURITY,
        params: ExportParams,
        querystring: TokenQuery,
        response: { 200: ExportObjectSchema, ...errors(401, 404) },
      },
      handler: (request) => read(request, request.params.exportId),
    }),
  });
}
