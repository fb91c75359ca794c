/** Finds the keys of receipts: in files that the settings name, else in the database. */
import { readFile } from 'node:fs/promises';
import type { Pool } from '../database/pool.ts';
import { parseReceiptKey, type ReceiptKey } from './keys.ts';
import { readStoredKeys } from './key-store.ts';

/**
 * @param files null: the keys of the database, the first of which is made when there is none.
 * @returns what reads the keys, the one that signs first.
 * @throws Error in one line for a file that cannot be used.
 */
export async function openReceiptKeys(
  files: readonly string[] | null,
  pool: Pool,
): Promise<() => Promise<readonly ReceiptKey[]>> {
  if (files === null) return () => readStoredKeys(pool);
  const keys = await Promise.all(
    files.map(async (file) => {
      try {
        return await parseReceiptKey(await readFile(file, 'utf8'));
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        throw new Error(`TILLROLL_RECEIPT_KEYS: ${file}: ${why}`, { cause: error });
      }
    }),
  );
  if (!keys[0]?.privateKey)
    throw new Error(
      `TILLROLL_RECEIPT_KEYS: ${files[0]}: the first key signs, so it must be private`,
    );
  return () => Promise.resolve(keys);
}
