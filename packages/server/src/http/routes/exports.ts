/** The routes of a merchant's exports: create and list. */
import {
  EXPORT_TYPES,
  parseExportRequest,
  shown,
  type ExportList,
  type ParsedRequest,
} from '@tillroll/contract';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type, type Static } from 'typebox';
import type { Principal } from '../../access/installs.ts';
import { resolveSince } from '../../exports/changes.ts';
import { createExport, refuseEarly } from '../../exports/create.ts';
import { findReplay, hashBody } from '../../exports/idempotency.ts';
import { listExports } from '../../exports/read.ts';
import { toExportObject, toListedExport } from '../../exports/record.ts';
import { FairSemaphore, type SemaphoreLimits } from '../../fair-semaphore.ts';
import { requirePrincipal, requirePermission } from '../auth.ts';
import type { HttpContext } from '../context.ts';
import { badRequest } from '../errors.ts';
import { Previews } from '../previews.ts';
import { readFilters, readFlag, readIdempotencyKey, judgeListQuery } from '../query.ts';
import { endpoint, resource } from '../resource.ts';
import { inTurn } from '../turns.ts';
import {
  CreateQuery,
  errors,
  IdempotencyHeaders,
  ListQuery,
  MerchantParams,
  SECURITY,
} from '../schemas/requests.ts';
import {
  ExportListSchema,
  ExportObjectSchema,
  ExportPreviewSchema,
  ExportRequestSchema,
} from '../schemas/wire.ts';
import { readPermission } from './answers.ts';

/** A request body of this kind is three members; more is a mistake or an attack. */
export const MAX_REQUEST_BYTES = 64 * 1024;

/**
 * Creates at once in this process. They wait for one lock anyway; those that wait for it here hold no
 * connection, so that polls still have theirs.
 */
const CREATES: SemaphoreLimits = { permits: 2, waiting: 512, waitingPerKey: 256, waitMs: 10_000 };

const TAGS = ['exports'];

const JSON_TYPE = 'application/json; charset=utf-8';
const EMPTY = Buffer.alloc(0);

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

export function exportRoutes(app: FastifyInstance, context: HttpContext): void {
  const { pool, queue, rules, publicUrl, observer, cursors, hasChanges } = context;
  const creates = new FairSemaphore(CREATES);
  const previews = new Previews(context);

  /** A create as it was asked for. @throws 401, 400: in that order. */
  const parse = (request: FastifyRequest): { principal: Principal; wanted: ParsedRequest } => {
    const principal = requirePrincipal(request);
    const body = parseJson(request.body);
    requireTypePermission(principal, body);
    const wanted = parseExportRequest(body);
    if (!wanted.ok) throw badRequest(wanted.details);
    return { principal, wanted: wanted.value };
  };

  /** The number after which changes are asked for; null for a range. @throws 400, 410 */
  const findSince = async (
    request: FastifyRequest,
    { merchantId }: Principal,
    { type, since }: ParsedRequest,
  ): Promise<number | null> => {
    if (since === undefined) return null;
    if (!(await inTurn(context, request, () => hasChanges(type))))
      throw badRequest(
        `since is not offered here: ${type} are read from a source that does not know what changed, such as a view; ask with startTime and endTime`,
      );
    return inTurn(context, request, () => resolveSince(pool, cursors, { merchantId, type }, since));
  };

  const create = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const { principal, wanted } = parse(request);
    const key = readIdempotencyKey(request);
    if (readFlag(request, 'dryRun')) {
      const sinceNumber = await findSince(request, principal, wanted);
      await reply.send(await previews.run(request, principal, { ...wanted, sinceNumber }));
      return;
    }
    const keyed =
      key === null
        ? null
        : { key, bodyHash: hashBody(Buffer.isBuffer(request.body) ? request.body : EMPTY) };
    if (keyed) {
      const answer = await inTurn(context, request, () => findReplay(pool, principal, keyed));
      if (answer !== null) return await sendReplay(reply, answer);
    }
    const sinceNumber = await findSince(request, principal, wanted);
    await inTurn(context, request, () => refuseEarly(pool, rules, principal));
    const { answer, record } = await creates.run(`${principal.merchantId}/${principal.appId}`, () =>
      inTurn(context, request, () =>
        createExport(pool, queue, rules, {
          owner: principal,
          request: wanted,
          sinceNumber,
          requestId: request.id,
          keyed,
          render: (created) =>
            JSON.stringify(toExportObject({ ...created, files: null, totals: null }, [])),
        }),
      ),
    );
    if (record === null) return await sendReplay(reply, answer);
    observer.exportCreated(record.type);
    request.exportId = record.id;
    await sendRendered(reply, answer);
  };

  const list = async (
    request: FastifyRequest,
    { limit, offset }: Static<typeof ListQuery>,
  ): Promise<ExportList> => {
    const principal = requirePrincipal(request);
    const { type, ...filters } = readFilters(request);
    const types = EXPORT_TYPES.filter(
      (each) => principal.permissions.has(readPermission(each)) && (type === null || each === type),
    );
    const records = await inTurn(context, request, () =>
      listExports(pool, principal, { types, ...filters, limit, offset }),
    );
    const query = new URLSearchParams({ limit: String(limit), offset: String(offset) });
    for (const [name, value] of Object.entries({ type, ...filters }))
      if (value !== null) query.set(name, String(value));
    return {
      elements: records.map(toListedExport),
      href: `${publicUrl()}/v3/merchants/${principal.merchantId}/exports?${query.toString()}`,
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
          'Starts an export of the objects with startTime <= createdTime < endTime. Poll it until DONE. With dryRun=true, creates nothing and says what the export would hold.',
        security: SECURITY,
        params: MerchantParams,
        headers: IdempotencyHeaders,
        querystring: CreateQuery,
        body: ExportRequestSchema,
        response: {
          200: Type.Union([ExportObjectSchema, ExportPreviewSchema]),
          ...errors(400, 401, 404, 410, 413, 422, 503),
        },
      },
      handler: create,
    }),
    GET: endpoint({
      schema: {
        tags: TAGS,
        summary: 'List exports, newest first',
        description: 'Without exportUrls, files and totals: read an export for those.',
        security: SECURITY,
        params: MerchantParams,
        querystring: ListQuery,
        response: { 200: ExportListSchema, ...errors(400, 401, 404) },
      },
      preValidation: judgeListQuery,
      handler: (request) => list(request, request.query),
    }),
  });
}

function sendReplay(reply: FastifyReply, answer: string): Promise<void> {
  return sendRendered(reply.header('idempotent-replayed', 'true'), answer);
}

/** Sends an answer that is rendered already. */
async function sendRendered(reply: FastifyReply, answer: string): Promise<void> {
  await reply.type(JSON_TYPE).serializer(String).send(answer);
}
