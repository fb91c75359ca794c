/** Repairs a directory before a pull, where files were removed or cut off. */
import { EXPORT_TYPES, type ExportType } from '@tillroll/contract';
import { DATABASE_FILE, idsPath } from '../directory/layout.ts';
import type { Directory } from '../directory/directory.ts';
import { ERRORS, ExportError } from '../errors.ts';
import { commitIndex, commitTables } from './commit-month.ts';
import type { PullContext } from './month-task.ts';

/** Months whose lines are missing or were cut off: they must be fetched again. */
export type DamagedMonths = Record<ExportType, Set<string>>;

/**
 * Finds files that were removed or cut off, and makes id indexes and tables again from the lines that are
 * there. Other damage is found by `verify`.
 */
export async function repairMonths(context: PullContext): Promise<DamagedMonths> {
  const { directory, tables, warn } = context;
  const damaged: DamagedMonths = { ORDERS: new Set(), PAYMENTS: new Set() };
  const withoutIndex: DamagedMonths = { ORDERS: new Set(), PAYMENTS: new Set() };
  const withoutTables: DamagedMonths = { ORDERS: new Set(), PAYMENTS: new Set() };
  for (const { type, month, path } of await directory.findDamaged()) {
    if (path === DATABASE_FILE) {
      warn(`${path} is missing or was cut off; it is made again`);
      await directory.update((draft) => void (draft.database = null));
    } else if (path === idsPath(directory.layout, type, month)) withoutIndex[type].add(month);
    else if (path === directory.linesPath(type, month)) {
      warn(`${path} is missing or was cut off; the month is fetched again`);
      damaged[type].add(month);
    } else {
      warn(`${path} is missing or was cut off; it is made again`);
      withoutTables[type].add(month);
    }
  }
  const version = tables?.maker.version ?? null;
  const isOutdated = directory.state.tablesVersion !== version;
  if (isOutdated) markAllMonths(directory, withoutTables);
  for (const type of EXPORT_TYPES) {
    for (const month of withoutIndex[type])
      if (!damaged[type].has(month)) await commitIndex(context, type, month);
    const remade = [...withoutTables[type]].filter((month) => !damaged[type].has(month));
    // Until they are made again, the receipt must not vouch for them.
    await directory.update(({ types }) => {
      for (const month of remade) {
        const record = types[type]?.months[month];
        if (record) record.tables = [];
      }
    });
    for (const month of remade) await remakeTables(context, type, month);
  }
  if (isOutdated && context.failed.length === 0)
    await directory.update((draft) => {
      draft.tablesVersion = version;
      draft.database = null;
    });
  return damaged;
}

function markAllMonths({ state }: Directory, months: DamagedMonths): void {
  for (const type of EXPORT_TYPES)
    for (const month of Object.keys(state.types[type]?.months ?? {})) months[type].add(month);
}

/** Makes the tables of a month again. When they cannot be made, the month is noted as failed. */
async function remakeTables(context: PullContext, type: ExportType, month: string): Promise<void> {
  try {
    await commitTables(context, type, month);
  } catch (error) {
    if (!(error instanceof ExportError) || ERRORS[error.code].scope !== 'month') throw error;
    const { message, code, hint } = error;
    context.failed.push({ name: `${type.toLowerCase()}/${month}`, message, code, hint });
  }
}
