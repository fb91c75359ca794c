/** Ends what still reads for exports that an operator has ended. */
import type { Config } from '../config/settings.ts';
import type { Database } from '../database/open.ts';
import { openSourceDatabase } from '../database/source-database.ts';
import { oneLine } from '../errors.ts';
import { endStatement, type ExportStatement } from '../exports/running-statement.ts';

/** Ends what reads for exports that were canceled; the workers may be stopped, or gone. */
export async function endStatements(
  { connection, pool }: Database,
  { sourceDatabaseUrl }: Config,
  statements: readonly ExportStatement[],
): Promise<void> {
  // Faults are reported by the statement that meets them.
  const source = openSourceDatabase(sourceDatabaseUrl, connection, 1, () => undefined);
  try {
    for (const statement of statements) {
      await endStatement(pool, source.pool, statement).catch((error: unknown) => {
        process.stderr.write(
          `tillroll-server: a statement of export ${statement.exportId} may still run: ${oneLine(error)}\n`,
        );
      });
    }
  } finally {
    await source.pool.end();
  }
}
