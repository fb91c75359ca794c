/** The routes of one export: read and delete. */
import type { ExportObject, ExportProgress } from '@tillroll/contract';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { oneLine } from '../../errors.ts';
import { readProgress } from '../../exports/progress.ts';
import { hasEnded, stateTag } from '../../exports/state.ts';
import { cancelExport, endAvailability, markExpired } from '../../exports/upkeep.ts';
import { attemptPrefix } from '../../storage/keys.ts';
import { findConnection } from '../connections.ts';
import type { HttpContext } from '../context.ts';
import { readFlag, readWait } from '../query.ts';
import { isCurrent } from '../representation.ts';
import { endpoint, resource } from '../resource.ts';
import { errors, ExportParams, ReadQuery, SECURITY, TokenQuery } from '../schemas/requests.ts';
import { ExportObjectSchema } from '../schemas/wire.ts';
import { inTurn } from '../turns.ts';
import { renderExport } from './answers.ts';
import { findExport, type FoundExport } from './find-export.ts';

const TAGS = ['exports'];

export function singleExportRoutes(app: FastifyInstance, context: HttpContext): void {
  const { pool, watch, storage, log } = context;

  const find = (request: FastifyRequest, exportId: string): Promise<FoundExport> =>
    findExport(context, request, exportId);

  /** Waits until the export differs from what the caller has, or without that has ended; `ms` at the most. */
  const waitFor = async (
    request: FastifyRequest,
    { record, installId }: FoundExport,
    ms: number,
  ): Promise<void> => {
    const { 'if-none-match': known } = request.headers;
    const isAnswered = (state: Parameters<typeof stateTag>[0]): boolean =>
      known === undefined ? hasEnded(state) : !isCurrent(known, quote(stateTag(state)));
    if (isAnswered(record)) return;
    // One that waits counts when it begins, and not among those at the same time.
    request.stopCounting?.();
    const gone = findConnection(request.raw.socket)?.gone;
    await watch.wait(record.id, installId, ms, isAnswered, gone);
  };

  const read = async (
    request: FastifyRequest,
    reply: FastifyReply,
    exportId: string,
  ): Promise<ExportObject | undefined> => {
    let found = await find(request, exportId);
    const waitMs = readWait(request);
    const withDetails = readFlag(request, 'details');
    if (waitMs !== null && waitMs > 0) {
      await waitFor(request, found, waitMs);
      // As a plain read would: the install may have been revoked meanwhile.
      found = await find(request, exportId);
    }
    let progress: ExportProgress | null = null;
    if (withDetails && !hasEnded(found.record)) {
      progress = await inTurn(context, request, () => readProgress(pool, exportId));
      // It has ended in between.
      if (progress === null) found = await find(request, exportId);
    }
    const { record } = found;
    const tag = quote(stateTag(record, progress));
    void reply.header('etag', `W/${tag}`);
    if (isCurrent(request.headers['if-none-match'], tag)) {
      await reply.code(304).send();
      return undefined;
    }
    return renderExport(context, record, progress);
  };

  /** Deletes files that are out of reach already. What cannot be deleted now, the sweep deletes. */
  const removeFiles = async (exportId: string, attempt: number): Promise<void> => {
    try {
      await storage.removePrefix(attemptPrefix(exportId, attempt));
      await markExpired(pool, exportId);
    } catch (error) {
      log.warn({ export: exportId, error: oneLine(error) }, 'files could not be deleted yet');
    }
  };

  /** The worker of a canceled export notices within a second, ends its statement and removes its files. */
  const remove = async (request: FastifyRequest, exportId: string): Promise<ExportObject> => {
    const { record } = await find(request, exportId);
    if (!hasEnded(record)) await inTurn(context, request, () => cancelExport(pool, record.id));
    // One that became DONE just before is deleted like any other.
    const attempt = await inTurn(context, request, () => endAvailability(pool, record.id));
    if (attempt !== null) await removeFiles(record.id, attempt);
    return renderExport(context, (await find(request, exportId)).record);
  };

  resource(app, '/exports/:exportId', {
    GET: endpoint({
      config: { authenticatesItself: true },
      schema: {
        tags: TAGS,
        summary: 'Read an export',
        description:
          'May be polled every 0.25 s, at any hour. With `wait`, answers when it has ended, or with If-None-Match when it has changed.',
        security: SECURITY,
        params: ExportParams,
        querystring: ReadQuery,
        response: { 200: ExportObjectSchema, ...errors(400, 401, 404) },
      },
      // The parameters are judged after the token, by messages that name what is allowed.
      validatorCompiler: () => () => true,
      handler: (request, reply) => read(request, reply, request.params.exportId),
    }),
    DELETE: endpoint({
      config: { authenticatesItself: true },
      schema: {
        tags: TAGS,
        summary: 'Cancel an export, or delete its files',
        description:
          'An open export becomes CANCELED. The files of a DONE one are deleted now. Any other one stays as it is. May be repeated.',
        security: SECURITY,
        params: ExportParams,
        querystring: TokenQuery,
        response: { 200: ExportObjectSchema, ...errors(401, 404) },
      },
      handler: (request) => remove(request, request.params.exportId),
    }),
  });
}

function quote(tag: string): string {
  return `"${tag}"`;
}
