import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { EXPORT_TYPES, type ExportType } from '@tillroll/contract';
import { ExportError } from '../errors.ts';
import { throwIfAborted } from '../http/backoff.ts';
import { ObjectReader } from '../json/object-reader.ts';
import { Zone } from '../zone.ts';
import { inflated } from './disk.ts';
import { absolute, folderOf } from './layout.ts';
import { RECEIPT_FILE, RECEIPT_VERSION, type Receipt, type ReceiptFile } from './receipt.ts';
import { contentOf } from './served-store.ts';
import { addTally, Counter, emptyTally, type Tally } from './tally.ts';
import { monthsOf, totalsOf } from './make-receipt.ts';

export interface VerifyOptions {
  signal?: AbortSignal | undefined;
  /** `done` and `total` are files. */
  onProgress?: ((progress: { path: string; done: number; total: number }) => void) | undefined;
}

export interface VerifyResult {
  /** Whether everything that the receipt names is there, unaltered, and the receipt itself says complete. */
  complete: boolean;
  receipt: Receipt;
  checked: { files: number; objects: number; bytes: number };
  faults: { path: string; message: string }[];
}

/** A receipt is a file that anybody may have written: no path in it may lead out of the directory. */
const SAFE_PATH = /^(?!\/)(?!.*(?:^|\/)\.\.(?:\/|$))[\w.\-/]+$/;

async function readReceipt(directory: string): Promise<Receipt> {
  let text: string;
  try {
    text = await readFile(absolute({ out: directory }, RECEIPT_FILE), 'utf8');
  } catch (cause) {
    throw new ExportError('DIRECTORY', `${directory} holds no ${RECEIPT_FILE}`, {
      hint: 'Was it pulled, and to its end? Run the pull again',
      cause,
    });
  }
  try {
    const receipt = JSON.parse(text) as Receipt;
    const { ranges, tables, spans, months, missing, totals } = receipt;
    const lists = [ranges, tables, spans, months, missing, totals.orders, totals.payments];
    const isOne =
      receipt.receipt === RECEIPT_VERSION &&
      lists.every(Array.isArray) &&
      ranges.every(({ type, files }) => EXPORT_TYPES.includes(type) && Array.isArray(files));
    if (isOne) return receipt;
  } catch {
    // Said below.
  }
  throw new ExportError('DIRECTORY', `${directory}/${RECEIPT_FILE} is no receipt of this version`);
}

/**
 * Checks a directory against its receipt, offline: every file's length and SHA-256, the objects in it,
 * that ranges follow one another without a gap, and that counts, times and totals are right.
 * @throws ExportError DIRECTORY when there is no receipt, INTERRUPTED.
 */
export async function verify(
  directory: string,
  options: VerifyOptions = {},
): Promise<VerifyResult> {
  const out = resolve(directory);
  const receipt = await readReceipt(out);
  const faults: VerifyResult['faults'] = [];
  const checked = { files: 0, objects: 0, bytes: 0 };
  const zone = new Zone(receipt.timezone);
  const tallies = { ORDERS: emptyTally(), PAYMENTS: emptyTally() };
  // Several tables may lie in one file.
  const tables = new Map(receipt.tables.map((table) => [table.path, table]));
  const total = receipt.ranges.reduce((sum, { files }) => sum + files.length, 0) + tables.size;

  const check = async (
    file: ReceiptFile,
    onContent?: (content: AsyncIterable<Uint8Array>) => Promise<void>,
  ): Promise<void> => {
    throwIfAborted(options.signal);
    const message = await faultOf(out, file, onContent);
    if (message !== undefined) faults.push({ path: file.path, message });
    checked.files++;
    checked.bytes += file.bytes;
    options.onProgress?.({ path: file.path, done: checked.files, total });
  };

  for (const range of receipt.ranges) {
    const tally = emptyTally();
    for (const file of range.files) {
      const counter = new Counter(range.type, range, zone);
      await check(file, (content) => count(content, receipt, counter));
      if (counter.tally.objects !== file.objects)
        faults.push({
          path: file.path,
          message: `holds ${counter.tally.objects} objects, and the receipt says ${file.objects}`,
        });
      else if (!isOfTimes(counter.tally, file))
        faults.push({ path: file.path, message: 'has other times than the receipt says' });
      addTally(tally, counter.tally);
    }
    if (tally.objects !== range.objects)
      faults.push({
        path: `${folderOf(range.type)}/${range.name}`,
        message: `the files hold ${tally.objects} objects, and the receipt says ${range.objects}`,
      });
    else if (!isOfTimes(tally, range) || tally.outside !== range.outside)
      faults.push({
        path: `${folderOf(range.type)}/${range.name}`,
        message: 'the files have other times than the receipt says',
      });
    addTally(tallies[range.type], tally);
    checked.objects += tally.objects;
  }
  for (const table of tables.values()) await check(table);

  for (const message of [...gapsOf(receipt), ...sumFaults(receipt, tallies)])
    faults.push({ path: RECEIPT_FILE, message });
  for (const { name, reason } of receipt.missing)
    faults.push({ path: name, message: `is missing: ${reason}` });
  return { complete: receipt.complete && faults.length === 0, receipt, checked, faults };
}

function isOfTimes(
  { first, last }: Tally,
  said: { firstCreatedTime: number | null; lastCreatedTime: number | null },
): boolean {
  return first === said.firstCreatedTime && last === said.lastCreatedTime;
}

async function faultOf(
  out: string,
  file: ReceiptFile,
  onContent: ((content: AsyncIterable<Uint8Array>) => Promise<void>) | undefined,
): Promise<string | undefined> {
  if (!SAFE_PATH.test(file.path)) return 'is no path inside the directory';
  const path = absolute({ out }, file.path);
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) return 'is missing';
  if (found.size !== file.bytes)
    return `has ${found.size} bytes, and the receipt says ${file.bytes}`;
  const hash = createHash('sha256');
  const hashed = (async function* () {
    for await (const chunk of contentOf(path, false)) {
      hash.update(chunk);
      yield chunk;
    }
  })();
  try {
    if (onContent) await onContent(hashed);
    // What was not read for its content is read for its checksum.
    for await (const _chunk of hashed);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const sha256 = hash.digest('hex');
  return sha256 === file.sha256
    ? undefined
    : `was altered: its SHA-256 is ${sha256}, not ${file.sha256}`;
}

async function count(
  content: AsyncIterable<Uint8Array>,
  { format, gzip }: Receipt,
  counter: Counter,
): Promise<void> {
  const layout = format === 'json' ? 'elements' : 'lines';
  const reader = new ObjectReader(layout, (_buffer, _start, _end, members) => counter.add(members));
  for await (const chunk of gzip ? inflated(content) : content) reader.push(chunk);
  reader.end();
}

/** The ranges of a type must follow one another through its whole span. */
function gapsOf({ spans, ranges }: Receipt): string[] {
  const lost = ranges.find((range) => !spans.some(({ type }) => type === range.type));
  if (lost) return [`${folderOf(lost.type)}: there are ranges, and no span`];
  return spans.flatMap(({ type, from, to }) => {
    const faults: string[] = [];
    let at = Date.parse(from);
    for (const range of ranges.filter((other) => other.type === type)) {
      if (range.startTime !== at)
        faults.push(`${folderOf(type)}: a gap or an overlap at ${new Date(at).toISOString()}`);
      at = range.endTime;
    }
    if (at !== Date.parse(to))
      faults.push(`${folderOf(type)} end at ${new Date(at).toISOString()}, not at ${to}`);
    return faults;
  });
}

function sumFaults(receipt: Receipt, tallies: Record<ExportType, Tally>): string[] {
  const counted = totalsOf(tallies.ORDERS, tallies.PAYMENTS);
  const faults = EXPORT_TYPES.flatMap((type) => {
    const key = type === 'ORDERS' ? 'orders' : 'payments';
    return JSON.stringify(counted[key]) === JSON.stringify(receipt.totals[key])
      ? []
      : [`the totals of ${key} are not those of the files`];
  });
  if (JSON.stringify(monthsOf(tallies)) !== JSON.stringify(receipt.months))
    faults.push('the months are not those of the files');
  const objects = tallies.ORDERS.objects + tallies.PAYMENTS.objects;
  if (objects !== receipt.objects)
    faults.push(`the files hold ${objects} objects, and it says ${receipt.objects}`);
  return faults;
}
