/**
 * All orders or payments of a span of time, with fetch alone. Node 24 or newer runs it as it is:
 *   TILLROLL_URL=... TILLROLL_MERCHANT=... TILLROLL_TOKEN=... \
 *     node export.ts ORDERS 2026-01-01 2026-03-01 out/
 */
import { createHash } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const DAY = 86_400_000;
const RANGE = 30 * DAY; // the most that one export may cover
const CREATE_LIMIT = DAY; // a closed service opens again within a day
const EXPORT_LIMIT = DAY / 12; // for one export to be made and downloaded
const TRIES = 6; // for all that may pass but 503, which only says: not now

/** The members of an export that this program reads; only Tillroll has `failure` and `files`. */
interface Export {
  id: string;
  status: string;
  failure?: { message: string };
  exportUrls?: { elements: { url: string }[] };
  files?: { elements: { objects: number; sha256: string }[] };
}
type Sale = {
  currency?: string;
  result?: string;
  total?: number | null;
  amount?: number | null;
};

const [type = '', fromText = '', toText = '', out = '', ...more] = process.argv.slice(2);
const { TILLROLL_URL = '', TILLROLL_MERCHANT = '', TILLROLL_TOKEN = '' } = process.env;
const date = (time: number): string => new Date(time).toISOString().slice(0, 10);
const [from, to] = [Date.parse(`${fromText}T00:00Z`), Date.parse(`${toText}T00:00Z`)];
// Comparing the text catches 30 February, which Date.parse takes for 2 March.
const datesHold = from >= 0 && to > from && date(from) === fromText && date(to) === toText;

let problem = '';
if (!/^https?:\/\/\S+$/.test(TILLROLL_URL)) problem = 'TILLROLL_URL must be an http(s) address';
else if (TILLROLL_MERCHANT === '') problem = 'TILLROLL_MERCHANT must be set';
else if (!/^[!-~]+$/.test(TILLROLL_TOKEN)) problem = 'TILLROLL_TOKEN must be set, without blanks';
else if (out === '' || more.length > 0) problem = 'four arguments are needed';
else if (!['ORDERS', 'PAYMENTS'].includes(type)) problem = 'TYPE must be ORDERS or PAYMENTS';
else if (!datesHold) problem = 'FROM and TO must be dates such as 2026-01-01, FROM before TO';
if (problem !== '') {
  console.error(`${problem} (usage: export.ts TYPE FROM TO OUT)`);
  process.exit(2);
}

/** Retry-After is seconds or a date. @returns milliseconds, 0 when it says nothing of use. */
function retryAfter(value = ''): number {
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return wait > 0 ? wait : 0;
}

/** The body of a good answer. What may pass is asked again, after growing pauses, until `deadline`. */
async function request(url: string, init: RequestInit, deadline: number): Promise<Buffer> {
  for (let asked = 0, failed = 0; ; asked++) {
    let [status, body, wait] = [0, Buffer.alloc(0), 0];
    try {
      const signal = AbortSignal.timeout(300_000);
      // No redirect is followed: the token would go along.
      const response = await fetch(url, { ...init, redirect: 'manual', signal });
      body = Buffer.from(await response.arrayBuffer());
      wait = retryAfter(response.headers.get('retry-after') ?? '');
      status = response.status;
    } catch (error) {
      const { cause = error } = error as Error; // fetch says no more than that it failed
      const { code = '', message } = cause as NodeJS.ErrnoException;
      body = Buffer.from(`${code} ${message}`.trim());
    }
    if (status >= 200 && status < 300) return body;
    if (status !== 503) failed++;
    // Without its query: that of a file is its key, and belongs in no log.
    const trouble = `${url.split('?')[0]}: ${status || 'no answer'} ${body.toString().slice(0, 300)}`;
    const pause = Math.max(wait, Math.min(1000 * 2 ** asked, 60_000));
    const mayPass = status === 0 || status === 429 || status >= 500;
    if (!mayPass || failed === TRIES || Date.now() + pause > deadline) throw new Error(trouble);
    console.error(`${trouble}; again in ${Math.ceil(pause / 1000)} s`);
    await sleep(pause);
  }
}

const base = TILLROLL_URL.replace(/\/+$/, '');
const exportsUrl = `${base}/v3/merchants/${encodeURIComponent(TILLROLL_MERCHANT)}/exports`;
const headers = { authorization: `Bearer ${TILLROLL_TOKEN}`, 'content-type': 'application/json' };
const member = type === 'ORDERS' ? 'total' : 'amount';
const sums = new Map<string, bigint>();
let count = 0;

async function exportRange(startTime: number, endTime: number): Promise<void> {
  // Were the answer lost, asking again makes a second export of the same range: a waste, no fault.
  const init = { method: 'POST', headers, body: JSON.stringify({ type, startTime, endTime }) };
  let body = await request(exportsUrl, init, Date.now() + CREATE_LIMIT);
  let made = JSON.parse(body.toString()) as Export;
  const deadline = Date.now() + EXPORT_LIMIT;
  for (let pause = 250; /^(PENDING|IN_PROGRESS)$/.test(made.status); pause *= 1.5) {
    if (Date.now() > deadline) throw new Error(`export ${made.id} is still ${made.status}`);
    await sleep(Math.min(pause, 5000));
    body = await request(`${exportsUrl}/${encodeURIComponent(made.id)}`, { headers }, deadline);
    made = JSON.parse(body.toString()) as Export;
  }
  if (made.status !== 'DONE')
    throw new Error(`export ${made.id} is ${made.status}: ${made.failure?.message ?? 'no reason'}`);
  const urls = made.exportUrls?.elements ?? [];
  const files = made.files?.elements;
  if (files && files.length !== urls.length) throw new Error(`export ${made.id} lacks files`);

  let objects = 0;
  for (const [position, { url }] of urls.entries()) {
    const name = join(out, `${type.toLowerCase()}-${startTime}-${position}.json`);
    // Nothing but http(s), and never from https down to http.
    if (!url.startsWith('https://') && !(url.startsWith('http://') && base.startsWith('http://')))
      throw new Error(`${name}: its address is not safe: ${url.split('?')[0]}`);
    body = await request(url, {}, deadline); // no token: the URL is its own key
    const { elements } = JSON.parse(body.toString()) as { elements?: Sale[] };
    const sha256 = createHash('sha256').update(body).digest('hex');
    const expected = files?.[position] ?? { sha256, objects: elements?.length };
    if (!elements || sha256 !== expected.sha256 || elements.length !== expected.objects)
      throw new Error(`${name}: not the file of the manifest`);
    for (const sale of elements) {
      // A payment that failed or was voided brought no money.
      if (type === 'PAYMENTS' && sale.result !== 'SUCCESS') continue;
      const currency = sale.currency ?? '?';
      sums.set(currency, (sums.get(currency) ?? 0n) + BigInt(sale[member] ?? 0));
    }
    await writeFile(`${name}.part`, body);
    await rename(`${name}.part`, name); // what has the name is whole
    objects += elements.length;
  }
  count += objects;
  const span = `${date(startTime)} to ${date(endTime)}`;
  console.log(`${type} ${span}: ${objects} objects, ${urls.length} files`);
}

try {
  await mkdir(out, { recursive: true });
  // Cells of 30 days since 1970: another run, or one of a longer span, asks for the same ranges.
  for (let start = from, end = 0; start < to; start = end) {
    end = Math.min((Math.floor(start / RANGE) + 1) * RANGE, to);
    await exportRange(start, end);
  }
  console.log(`${count} objects`);
  for (const currency of [...sums.keys()].toSorted())
    console.log(`sum of ${member}: ${sums.get(currency)} ${currency}`);
} catch (error) {
  console.error(`export.ts: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
