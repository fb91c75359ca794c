import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Receipt } from '../src/directory/receipt.ts';
import { verify } from '../src/directory/verify.ts';
import { sha256 } from './output-directory.ts';
import { catchFailure } from './scene.ts';
import { faultsIn, makeDirectory } from './verify-scene.ts';

function editReceipt(out: string, edit: (receipt: Receipt) => void): void {
  const path = join(out, 'receipt.json');
  const receipt = JSON.parse(readFileSync(path, 'utf8')) as Receipt;
  edit(receipt);
  writeFileSync(path, JSON.stringify(receipt));
}

describe('an edited receipt', () => {
  const file = ({ files }: Receipt): Receipt['files'][number] =>
    files[0] as Receipt['files'][number];
  test.each<[string, (receipt: Receipt) => void]>([
    ['a total', ({ totals }) => void ((totals.orders[0] as { total: number }).total += 1)],
    ['a month', ({ months }) => void ((months[0] as { amount: number }).amount += 1)],
    ['the objects', (receipt) => void receipt.objects++],
    ['the objects of a file', (receipt) => void file(receipt).objects++],
    [
      'the first time of a file',
      (receipt) => void ((file(receipt).firstCreatedTime as number) -= 1),
    ],
    ['the last time of a file', (receipt) => void ((file(receipt).lastCreatedTime as number) += 1)],
    ['what is outside', (receipt) => void file(receipt).outside++],
    ['the length of a file', (receipt) => void file(receipt).bytes++],
    ['the checksum of a file', (receipt) => void (file(receipt).sha256 = sha256(Buffer.from('')))],
    [
      'what a file covers',
      (receipt) => void ((file(receipt).covers[0] as { endTime: number }).endTime -= 1),
    ],
    ['a file less', (receipt) => void receipt.files.pop()],
    ['a file twice', (receipt) => void receipt.files.push(file(receipt))],
    [
      'a longer span',
      ({ spans }) => void ((spans[0] as { to: string }).to = '2026-03-28T00:00:00Z'),
    ],
    ['no span', ({ spans }) => void spans.pop()],
    ['another zone', (receipt) => void (receipt.timezone = 'Asia/Tokyo')],
    ['not complete', (receipt) => void (receipt.complete = false)],
    [
      'something missing',
      (receipt) =>
        void receipt.missing.push({
          name: 'orders/2026-03',
          type: 'ORDERS',
          startTime: 0,
          endTime: 1,
          reason: 'why',
        }),
    ],
    ['another merchant', ({ source }) => void (source.merchant = 'M2')],
  ])('%s: is found', async (_name, edit) => {
    const out = await makeDirectory();
    editReceipt(out, edit);
    expect((await faultsIn(out)).length).toBeGreaterThan(0);
    // Also when SHA256SUMS was made to fit.
    const text = readFileSync(join(out, 'receipt.json'));
    const sums = readFileSync(join(out, 'SHA256SUMS'), 'utf8');
    const fitting = sums.replace(/[0-9a-f]{64}( {2}receipt\.json)/, `${sha256(text)}$1`);
    writeFileSync(join(out, 'SHA256SUMS'), fitting);
    if (_name !== 'another merchant') expect((await faultsIn(out)).length).toBeGreaterThan(0);
  });

  test.each([
    '/etc/passwd',
    '../other/receipt.json',
    'orders/../../x',
    'orders\\..\\x',
    'orders/a\0b',
    'receipt.json',
    '.tillroll/state.json',
    'orders/2026-02.jsonl',
    'orders/2026-01.jsonl.gz',
    'payments/2026-01.jsonl',
  ])('a path of no file of the layout is not opened: %j', async (path) => {
    const out = await makeDirectory();
    editReceipt(out, (receipt) => void (file(receipt).path = path));
    const faults = await faultsIn(out);
    expect(faults.some((fault) => fault.endsWith('is not a path that a pull makes'))).toBe(true);
    expect(faults.join()).not.toMatch(/root:|cannot be read/);
  });

  test.each([
    '',
    '{',
    '[]',
    'null',
    '{"receipt":2}',
    '{"receipt":2,"files":[],"tables":[]}',
    '{"receipt":1,"ranges":[],"tables":[]}',
  ])('a text that is not a receipt: %s', async (text) => {
    const out = await makeDirectory();
    writeFileSync(join(out, 'receipt.json'), text);
    expect((await catchFailure(verify(out), 'DIRECTORY')).message).toMatch(/receipt/);
  });
});
