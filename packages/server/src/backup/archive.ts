/** The container of a backup: entries in a tar archive in gzip. */
import { createHash } from 'node:crypto';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { createTarDecoder, createTarPacker } from 'modern-tar';

/**
 * A backup is a tar archive in gzip:
 *
 *     header.json                  what it is, and the tables with their columns
 *     tables/exports/000000.copy   rows in PostgreSQL's text format of COPY, in pieces that may end anywhere
 *     tables/exports/000001.copy
 *     ...
 *     manifest.json                rows, bytes and SHA-256 of each table, and the SHA-256 of header.json
 *
 * The pieces of a table are one COPY when put together. The manifest comes last, so that an archive that
 * was cut has none.
 */
export const HEADER_ENTRY = 'header.json';
export const MANIFEST_ENTRY = 'manifest.json';

const PIECE = /^tables\/([a-z0-9_]+)\/([0-9]+)\.copy$/;
const PIECE_DIGITS = 6;
/** The largest entry that is read: this program writes pieces of a tenth. */
const MAX_ENTRY_BYTES = 64 * 1024 * 1024;
/** Level 1: higher ones take several times as long and gain little on JSON. */
const GZIP_LEVEL = 1;

/** The archive is cut, was altered, or is something else. */
export class BadArchive extends Error {
  override name = 'BadArchive';
}

export function pieceName(table: string, position: number): string {
  return `tables/${table}/${String(position).padStart(PIECE_DIGITS, '0')}.copy`;
}

/** The table and the position that a piece's name says, or null when it is not the name of a piece. */
export function parsePieceName(name: string): { table: string; position: number } | null {
  const [, table, position] = PIECE.exec(name) ?? [];
  return table === undefined ? null : { table, position: Number(position) };
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Writes an archive, entry by entry, no faster than it is taken. */
export class ArchiveWriter {
  readonly #controller: ReturnType<typeof createTarPacker>['controller'];
  readonly #written: Promise<void>;
  readonly #time: Date;

  /** @param time of all its entries. */
  constructor(out: Writable, time: Date, signal: AbortSignal) {
    const { readable, controller } = createTarPacker();
    this.#controller = controller;
    this.#time = time;
    const end = out !== process.stdout;
    this.#written = pipeline(Readable.fromWeb(readable), createGzip({ level: GZIP_LEVEL }), out, {
      signal,
      end,
    });
    // Every failure reaches the caller through `add` or `finish`.
    this.#written.catch((error: unknown) => controller.error(error));
  }

  /** @param bytes are not changed by the caller any more. @throws what keeps the archive from being written. */
  async add(name: string, bytes: Uint8Array): Promise<void> {
    const body = this.#controller.add({
      name,
      size: bytes.length,
      mode: 0o600,
      mtime: this.#time,
    });
    const writer = body.getWriter();
    if (bytes.length > 0) await writer.write(bytes);
    await writer.close();
  }

  /** Resolves once all of it was taken. */
  async finish(): Promise<void> {
    this.#controller.finalize();
    await this.#written;
  }

  /** Gives it up. Resolves once nothing is written any more. */
  async abort(error: unknown): Promise<void> {
    this.#controller.error(error);
    await this.#written.catch(() => undefined);
  }
}

export interface ArchiveEntry {
  readonly name: string;
  readonly bytes: Buffer;
}

/** The entries of an archive in their order. @throws BadArchive; what `source` throws; the signal's reason. */
export async function* readArchive(
  source: Readable,
  signal: AbortSignal,
): AsyncGenerator<ArchiveEntry> {
  const gunzip = createGunzip();
  const failed: { error: Error | null } = { error: null };
  source.once('error', (error: Error) => (failed.error = error));
  const flowing = pipeline(source, gunzip, { signal });
  flowing.catch(() => undefined);
  try {
    const entries = Readable.toWeb(gunzip).pipeThrough(createTarDecoder({ strict: true }));
    for await (const { header, body } of entries) {
      if (header.size > MAX_ENTRY_BYTES) throw new BadArchive(`${header.name} is too large`);
      const chunks: Uint8Array[] = [];
      for await (const chunk of body) chunks.push(chunk);
      yield { name: header.name, bytes: Buffer.concat(chunks) };
    }
    await flowing;
  } catch (error) {
    signal.throwIfAborted();
    if (failed.error !== null) throw failed.error;
    if (error instanceof BadArchive) throw error;
    throw new BadArchive('it is cut, was altered, or is not a backup', { cause: error });
  } finally {
    source.destroy();
    gunzip.destroy();
  }
}
