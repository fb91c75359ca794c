import type { Pool } from '../database/pool.ts';
import { oneLine } from '../errors.ts';
import { endStatement, type ExportStatement } from '../exports/running-statement.ts';
import type { Logger } from '../log.ts';
import type { Source } from '../source/rows.ts';

/**
 * Ends a statement that reads, or may still read, for an attempt that is over. Where the right to is
 * missing, or the server is, the log says so: the server notices the missing client by itself, within
 * seconds where it checks, and by TCP keep-alive elsewhere.
 */
export async function endFormerStatement(
  { pool, source }: { pool: Pool; source: Pick<Source, 'pool'> },
  statement: ExportStatement | null,
  log: Logger,
): Promise<void> {
  if (!statement) return;
  const { exportId, backend } = statement;
  try {
    if (await endStatement(pool, source.pool, statement)) {
      log.info({ export: exportId, backend: backend.pid }, 'statement of an ended attempt ended');
    }
  } catch (error) {
    log.warn(
      { export: exportId, backend: backend.pid, error: oneLine(error) },
      'statement of an ended attempt could not be ended: it may still run until the server notices',
    );
  }
}
