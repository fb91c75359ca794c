/** The two documents in a backup: its header and its manifest. */
import { BadArchive, sha256 } from './archive.ts';
import { isName, type SavedTable } from './tables.ts';

/** The format that this program writes and reads. */
export const FORMAT = 1;

/** `header.json`. */
export interface BackupHeader {
  readonly format: number;
  /** Version of the program that wrote it. */
  readonly tillroll: string;
  readonly schemaVersion: number;
  readonly postgresVersion: string;
  /** The moment that it shows, by PostgreSQL's clock, ISO 8601. */
  readonly time: string;
  readonly tables: readonly SavedTable[];
  /** Tables in whose place the platform has views: their rows are not in the backup. */
  readonly views: readonly string[];
}

/** The proof that the rows of a table are complete and unaltered. */
export interface TableProof {
  readonly name: string;
  readonly rows: number;
  /** Of all pieces together. */
  readonly bytes: number;
  readonly sha256: string;
}

/** `manifest.json`. */
export interface BackupManifest {
  readonly headerSha256: string;
  readonly tables: readonly TableProof[];
}

export function encodeDocument(document: BackupHeader | BackupManifest): Buffer {
  return Buffer.from(`${JSON.stringify(document, null, 2)}\n`);
}

type Members = Readonly<Record<string, unknown>>;

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseMembers(name: string, bytes: Buffer): Members {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (isMembers(value)) return value;
  } catch (cause) {
    throw new BadArchive(`${name} is damaged`, { cause });
  }
  throw new BadArchive(`${name} is damaged`);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isText);
}

/** @throws BadArchive when it is damaged, or of a format that this program does not know. */
export function parseHeader(name: string, bytes: Buffer): BackupHeader {
  const { format, tillroll, schemaVersion, postgresVersion, time, tables, views } = parseMembers(
    name,
    bytes,
  );
  if (isCount(format) && format !== FORMAT) {
    throw new BadArchive(
      `it has format ${format} and this program knows ${FORMAT}: restore it with Tillroll ${JSON.stringify(tillroll)}`,
    );
  }
  if (
    !isCount(format) ||
    !isText(tillroll) ||
    !isCount(schemaVersion) ||
    !isText(postgresVersion) ||
    !isText(time) ||
    !isTexts(views) ||
    !Array.isArray(tables)
  ) {
    throw new BadArchive(`${name} is damaged`);
  }
  const saved = tables.map((table: unknown): SavedTable => {
    if (!isMembers(table) || !isText(table['name']) || !isTexts(table['columns']))
      throw new BadArchive(`${name} is damaged`);
    if (![table['name'], ...table['columns']].every(isName))
      throw new BadArchive(`${name} is damaged`);
    return { name: table['name'], columns: table['columns'] };
  });
  return { format, tillroll, schemaVersion, postgresVersion, time, tables: saved, views };
}

/** @throws BadArchive when it is damaged. */
export function parseManifest(name: string, bytes: Buffer): BackupManifest {
  const { headerSha256, tables } = parseMembers(name, bytes);
  if (!isText(headerSha256) || !Array.isArray(tables)) throw new BadArchive(`${name} is damaged`);
  return {
    headerSha256,
    tables: tables.map((table: unknown): TableProof => {
      if (
        !isMembers(table) ||
        !isText(table['name']) ||
        !isCount(table['rows']) ||
        !isCount(table['bytes']) ||
        !isText(table['sha256'])
      ) {
        throw new BadArchive(`${name} is damaged`);
      }
      return {
        name: table['name'],
        rows: table['rows'],
        bytes: table['bytes'],
        sha256: table['sha256'],
      };
    }),
  };
}

/** Compares what was read with what the backup says of itself. @throws BadArchive with the first difference. */
export function verifyProofs(
  manifest: BackupManifest,
  headerBytes: Buffer,
  restored: readonly TableProof[],
): void {
  if (manifest.headerSha256 !== sha256(headerBytes)) throw new BadArchive('its header was altered');
  if (manifest.tables.length !== restored.length)
    throw new BadArchive('its manifest names other tables than its header');
  for (const [index, found] of restored.entries()) {
    const expected = manifest.tables[index];
    if (expected?.name !== found.name)
      throw new BadArchive('its manifest names other tables than its header');
    for (const member of ['rows', 'bytes', 'sha256'] as const) {
      if (expected[member] === found[member]) continue;
      throw new BadArchive(
        `table ${found.name} has ${member} ${found[member]} in place of ${expected[member]}`,
      );
    }
  }
}
