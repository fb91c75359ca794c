/** Renders exports as answers, with fresh URLs of their files. */
import type { ExportObject, ExportProgress, ExportType, Permission } from '@tillroll/contract';
import { isAvailable, toExportObject, type ExportWithFiles } from '../../exports/record.ts';
import type { HttpContext } from '../context.ts';
import { mintUrls } from '../file-urls.ts';

export function readPermission(type: ExportType): Permission {
  return `${type}_R`;
}

/** The export object, with URLs signed now while its files are available. */
export async function renderExport(
  { signer, publicUrl }: Pick<HttpContext, 'signer' | 'publicUrl'>,
  record: ExportWithFiles,
  progress: ExportProgress | null = null,
): Promise<ExportObject> {
  const { id: exportId, files, availableUntil } = record;
  if (!files || availableUntil === null || !isAvailable(record))
    return toExportObject(record, [], progress);
  const mint = (position: number): string =>
    publicUrl() + signer.sign({ exportId, position, expires: availableUntil });
  return toExportObject(record, await mintUrls(files.length, mint), progress);
}
