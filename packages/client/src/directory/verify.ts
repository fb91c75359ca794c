/** Verifies a directory against its receipt. */
import { resolve } from 'node:path';
import { printable } from '@tillroll/contract';
import { ExportError } from '../errors.ts';
import { throwIfAborted } from '../http/retry.ts';
import { readReceipt } from './read-receipt.ts';
import { findErrno } from '../disk/errors.ts';
import { explainFaults, inspectFile } from './inspect-files.ts';
import type { ExpectedFile, Fault, FoundFile } from './inspect-files.ts';
import {
  absolutePath,
  CHECKSUMS_FILE,
  isOwnPath,
  parsePath,
  RECEIPT_FILE,
  STATE,
} from './layout.ts';
import { formatChecksums } from './make-receipt.ts';
import type { Receipt } from './receipt.ts';
import { findDuplicates, findReceiptFaults, findSumFaults, Recount } from './recount.ts';
import { readText } from '../disk/entries.ts';
import { readState } from './state.ts';
import { surveyDirectory } from './survey.ts';

/** Options of `verify`. */
export interface VerifyOptions {
  signal?: AbortSignal | undefined;
  /** `done` and `total` are files. */
  onProgress?: ((progress: { path: string; done: number; total: number }) => void) | undefined;
}

/** A directory is as it should be when `complete` is true and there are no faults. */
export interface VerifyResult {
  /** The receipt's own statement: whether everything that was requested was fetched. Faults do not change it. */
  complete: boolean;
  /** True when all files are those of the receipt, unaltered, with no others beside them. */
  isSound: boolean;
  receipt: Receipt;
  checked: { files: number; objects: number; bytes: number };
  /**
   * One for each cause, safe for a terminal. What the receipt names as missing is among them
   * (`is missing: ...`), and does not make the directory unsound.
   */
  faults: Fault[];
}

/** The facts about a directory before its files are read. */
interface Context {
  out: string;
  receipt: Receipt;
  /** SHA-256 by path, as SHA256SUMS has it. */
  checksums: ReadonlyMap<string, string>;
  /** Files that an interrupted pull was replacing. */
  pending: ReadonlySet<string>;
  faults: Fault[];
  signal: AbortSignal | undefined;
}

/**
 * Checks a directory against its receipt, offline: the length, SHA-256 and objects of each file; files that
 * are in no receipt; SHA256SUMS; gaps, counts, times and totals. It finds accidents, not
 * deceit: the receipt can be rewritten, too.
 * @throws ExportError DIRECTORY when there is no receipt, INTERRUPTED
 */
export async function verify(
  directory: string,
  options: VerifyOptions = {},
): Promise<VerifyResult> {
  const out = resolve(directory);
  const { signal } = options;
  const faults: Fault[] = [];
  const pending = await findPending(out, faults);
  const { receipt, text } = await readReceipt(out);
  const checksums = await checkChecksums(out, receipt, text, pending, faults);
  const context: Context = {
    out,
    receipt,
    checksums: checksums ?? new Map(),
    pending,
    faults,
    signal,
  };
  const recount = new Recount(out, receipt);
  const checked = await checkFiles(context, recount, options);
  // A fault of a file would be reported again as one of the sums.
  if (faults.length === 0) faults.push(...recount.faults);
  if (faults.length === 0)
    for (const message of [...findDuplicates(receipt), ...findReceiptFaults(receipt)])
      faults.push({ path: RECEIPT_FILE, message });
  if (faults.length === 0)
    for (const message of findSumFaults(receipt, recount))
      faults.push({ path: RECEIPT_FILE, message });
  if (!checksums) faults.push({ path: CHECKSUMS_FILE, message: 'is missing' });
  const isSound = faults.length === 0;
  for (const { name, reason } of receipt.missing)
    faults.push({ path: name, message: `is missing: ${reason}` });
  return {
    complete: receipt.complete,
    isSound,
    receipt,
    checked: { ...checked, objects: recount.objects },
    faults: faults.map(({ path, message }) => ({
      path: printable(path),
      message: printable(message),
    })),
  };
}

/** Lists the files that an interrupted pull was replacing. A copy of a directory may have no state. */
async function findPending(out: string, faults: Fault[]): Promise<Set<string>> {
  try {
    const state = await readState(out, false);
    const paths = new Set([
      ...(state?.pending ?? []).map(({ path }) => path),
      ...(state?.obsolete ?? []),
    ]);
    const count = [...paths].filter((path) => !isOwnPath(path)).length;
    if (paths.size > 0)
      faults.push({
        path: STATE,
        message: `the last pull was interrupted while it replaced ${count} ${count === 1 ? 'file' : 'files'}; run it again`,
      });
    return paths;
  } catch (error) {
    if (findErrno(error) === 'EACCES') return new Set();
    if (!(error instanceof ExportError) || error.code !== 'DIRECTORY') throw error;
    faults.push({ path: STATE, message: error.message });
    return new Set();
  }
}

/** Compares SHA256SUMS with the receipt. @returns its SHA-256 by path; undefined when it is missing. */
async function checkChecksums(
  out: string,
  receipt: Receipt,
  text: string,
  pending: ReadonlySet<string>,
  faults: Fault[],
): Promise<Map<string, string> | undefined> {
  const add = (message: string): void => void faults.push({ path: CHECKSUMS_FILE, message });
  const sums = new Map<string, string>();
  if (pending.has(CHECKSUMS_FILE)) return sums;
  let found: string | undefined;
  try {
    found = await readText(absolutePath({ out }, CHECKSUMS_FILE));
  } catch (error) {
    const isSystem = !(error instanceof ExportError);
    add(isSystem ? `cannot be read (${findErrno(error)})` : 'is not a regular file of a pull');
    return sums;
  }
  if (found === undefined) return undefined;
  for (const line of found.split('\n')) {
    const [, sha256, path] = /^([0-9a-f]{64}) [ *](.+)$/.exec(line) ?? [];
    if (sha256 !== undefined && path !== undefined) sums.set(path, sha256);
  }
  if (found !== formatChecksums(receipt, text))
    add(`does not match ${RECEIPT_FILE}: one of the two was altered`);
  return sums;
}

/** Lists the files of a receipt, by path. A path that the layout does not make is a fault, and is not opened. */
function listExpected({ receipt, faults }: Context): Map<string, ExpectedFile> {
  const expected = new Map<string, ExpectedFile>();
  const add = (file: ExpectedFile, isLayoutPath: boolean): void => {
    const { path, bytes, sha256 } = file;
    if (isLayoutPath) expected.set(path, { path, bytes, sha256 });
    else if (!faults.some((fault) => fault.path === path))
      faults.push({ path, message: 'is not a path that a pull makes' });
  };
  for (const file of receipt.files) {
    const parsed = parsePath(receipt, file.path);
    const { type, month } = file;
    add(file, parsed?.kind === 'lines' && parsed.type === type && parsed.month === month);
  }
  for (const table of receipt.tables) {
    const parsed = parsePath(receipt, table.path);
    const isTable = parsed?.kind === 'table' && parsed.table === table.table;
    add(table, isTable || parsed?.kind === 'database');
  }
  return expected;
}

async function checkFiles(
  context: Context,
  recount: Recount,
  { onProgress }: VerifyOptions,
): Promise<{ files: number; bytes: number }> {
  const { out, receipt, pending, faults, signal } = context;
  const expected = listExpected(context);
  const lines = new Map(receipt.files.map((file) => [file.path, file]));
  const faulty = new Map<string, FoundFile>();
  const lengths = new Set([...expected.values()].map(({ bytes }) => bytes));
  const checked = { files: 0, bytes: 0 };
  for (const file of expected.values()) {
    throwIfAborted(signal);
    const { path } = file;
    const found = await readExpected(context, recount, file, lines.get(path), lengths);
    if (!isAsExpected(context, file, found) && !pending.has(path)) faulty.set(path, found);
    checked.files++;
    checked.bytes += found.is === 'file' ? found.bytes : 0;
    onProgress?.({ path, done: checked.files, total: expected.size });
  }
  const unknown = new Map<string, FoundFile>();
  const survey = await surveyDirectory(out);
  const isKnown = (path: string): boolean =>
    expected.has(path) || pending.has(path) || [RECEIPT_FILE, CHECKSUMS_FILE].includes(path);
  for (const path of survey.files)
    if (!isKnown(path))
      unknown.set(path, await inspectFile(out, path, (bytes) => lengths.has(bytes), signal));
  for (const path of survey.links) {
    if (isKnown(path)) continue;
    faults.push({ path, message: 'is not a regular file, and no pull made it' });
    // The files behind the link were reported with it.
    for (const other of faulty.keys()) if (other.startsWith(`${path}/`)) faulty.delete(other);
  }
  for (const { path, code } of survey.unreadable)
    faults.push({ path: path || '.', message: `cannot be read (${code})` });
  faults.push(...explainFaults(faulty, unknown, expected));
  return checked;
}

function isAsExpected({ checksums }: Context, file: ExpectedFile, found: FoundFile): boolean {
  if (found.is !== 'file' || found.sha256 === undefined) return false;
  // A receipt that was altered is reported as such, and not as a fault of each file.
  return found.sha256 === file.sha256 || found.sha256 === checksums.get(file.path);
}

/** Inspects one expected file. JSON lines are counted while they are hashed. */
async function readExpected(
  { out, signal, faults }: Context,
  recount: Recount,
  file: ExpectedFile,
  lines: Receipt['files'][number] | undefined,
  lengths: ReadonlySet<number>,
): Promise<FoundFile> {
  const found = await inspectFile(out, file.path, () => false, signal);
  if (found.is !== 'file' || found.code !== undefined) return found;
  const isHashed = (bytes: number): boolean => lengths.has(bytes) || bytes === file.bytes;
  if (!lines || found.bytes !== file.bytes) return inspectFile(out, file.path, isHashed, signal);
  try {
    const { bytes, sha256 } = await recount.read(lines, signal);
    return { is: 'file', bytes, sha256 };
  } catch (error) {
    if (!(error instanceof ExportError) || error.code !== 'BAD_FILE') throw error;
    const hashed = await inspectFile(out, file.path, () => true, signal);
    const isOriginal = hashed.is === 'file' && hashed.sha256 === file.sha256;
    if (isOriginal) faults.push({ path: file.path, message: error.message });
    return hashed;
  }
}
