import { OBJECTS_PER_FILE } from '@tillroll/contract';
import { FROM, sha256, TO } from './api.ts';
import type { Deployment } from './deployment.ts';

/** The files that an export must have, in order: the SHA-256 of each. */
export type ExpectedFiles = readonly string[];

/** Cuts objects into the files of an export. @param objects the JSON of each, in the export's order. */
export function hashFiles(objects: readonly string[]): string[] {
  const files: string[] = [];
  for (let at = 0; at < objects.length; at += OBJECTS_PER_FILE)
    files.push(sha256(`{"elements":[${objects.slice(at, at + OBJECTS_PER_FILE).join(',')}]}`));
  return files;
}

/** Reads what an export of a merchant's orders must hold, straight from the table. */
export async function readExpectedFiles(
  deployment: Deployment,
  merchant: string,
): Promise<ExpectedFiles> {
  const rows = await deployment.query<{ object: string }>(
    `SELECT object FROM tillroll.orders
     WHERE merchant_id = $1 AND created_time >= $2 AND created_time < $3
     ORDER BY created_time, id COLLATE "C"`,
    [merchant, FROM, TO],
  );
  return hashFiles(rows.map(({ object }) => object));
}
