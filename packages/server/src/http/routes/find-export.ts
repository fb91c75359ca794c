/** Finds the export of a request's path, for a caller who may read it. */
import { EXPORT_ID } from '@tillroll/contract';
import type { FastifyRequest } from 'fastify';
import type { ExportWithFiles } from '../../exports/record.ts';
import { authenticateWith, requirePermission } from '../auth.ts';
import type { HttpContext } from '../context.ts';
import { exportNotFound } from '../errors.ts';
import { readPermission } from './answers.ts';

/** An export, and the install that asked for it. */
export interface FoundExport {
  readonly record: ExportWithFiles;
  readonly installId: string;
}

/** Authenticates the request and reads its export, in one statement. @throws 401, 404 */
export async function findExport(
  context: HttpContext,
  request: FastifyRequest,
  exportId: string,
): Promise<FoundExport> {
  // A text that cannot be an id names no export; the token is still judged first.
  const wanted = EXPORT_ID.test(exportId) ? exportId : '';
  const { principal, export: record } = await authenticateWith(context, request, (installId) =>
    context.polls.read(installId, wanted),
  );
  if (!record) throw exportNotFound();
  request.exportId = record.id;
  requirePermission(principal, readPermission(record.type));
  return { record, installId: principal.installId };
}
