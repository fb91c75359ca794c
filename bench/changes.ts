/** Measures exports of changes, and what the totals cost. */
import pg from 'pg';
import { ordersNdjson } from '@tillroll/sample';
import { copyParts, ROW_LAYOUTS, type CopyPart } from '../packages/server/src/source/statement.ts';
import { CopyOut } from '../packages/server/src/source/copy-out.ts';
import { addUp, Totals } from '../packages/server/src/source/totals.ts';
import { writeFiles } from '../packages/server/src/sink/write-files.ts';
import { DirectoryStorage } from '../packages/server/src/storage/directory.ts';
import { fileKey } from '../packages/server/src/storage/keys.ts';
import { runCommand, startServer, type ServerProcess } from '../scripts/server-process.ts';
import { FROM, TO } from './export.ts';
import { median, seconds } from './measure.ts';
import { report } from './report.ts';
import { installApp, readConnection, type Bench } from './service.ts';

/** Objects of the small export, and of the changes. */
const FEW = 1_000;
const MANY = 'CHANGED';
const SAME = 'PLAIN';

/** An export of a body, from POST to DONE, waited for by the server. */
async function exportBody(
  api: ServerProcess,
  merchant: string,
  token: string,
  body: object,
): Promise<{ cursor?: string; objects: number }> {
  const base = `${api.url}/v3/merchants/${merchant}/exports`;
  const headers = { authorization: `Bearer ${token}` };
  const created = await fetch(base, { method: 'POST', headers, body: JSON.stringify(body) });
  const { id } = (await created.json()) as { id: string };
  const answer = await fetch(`${base}/${id}?wait=60`, { headers });
  const done = (await answer.json()) as {
    status: string;
    cursor?: string;
    files?: { elements: { objects: number }[] };
  };
  if (done.status !== 'DONE') throw new Error(`the export is ${done.status}`);
  const objects = (done.files?.elements ?? []).reduce((sum, file) => sum + file.objects, 0);
  return { ...done, objects };
}

/** An export of a few changes of many objects, against a plain export of as many. */
export async function measureChanges(bench: Bench, many: number, rounds: number): Promise<void> {
  const span = ['--from', new Date(FROM).toISOString(), '--to', new Date(TO).toISOString()];
  const api = await startServer('all', bench.environment, bench.logFile);
  try {
    for (const [merchant, orders] of [
      [MANY, many],
      [SAME, FEW],
    ] as const)
      await runCommand(
        ['seed', '--merchant', merchant, '--orders', String(orders), ...span],
        bench.environment,
      );
    const token = await installApp(bench, MANY);
    const plainToken = await installApp(bench, SAME);
    const { cursor } = await exportBody(api, MANY, token, { type: 'ORDERS', since: '' });
    // Orders of another time, so that they are new ones.
    const lines = ordersNdjson({
      merchantId: MANY,
      orders: FEW,
      from: TO,
      to: TO + 86_400_000,
      seed: 'changes',
    });
    await fetch(`${api.url}/v3/merchants/${MANY}/orders/bulk`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: Buffer.concat([...lines]),
    });
    const range = { type: 'ORDERS', startTime: FROM, endTime: TO };
    const ratios: number[] = [];
    const times: number[] = [];
    for (let round = 0; round <= 2 * rounds; round++) {
      let objects = 0;
      const changes = await seconds(async () => {
        ({ objects } = await exportBody(api, MANY, token, { type: 'ORDERS', since: cursor }));
      });
      const plain = await seconds(() => exportBody(api, SAME, plainToken, range));
      if (objects !== FEW) throw new Error(`${objects} changes`);
      if (round === 0) continue;
      ratios.push(changes / plain);
      times.push(changes);
    }
    const ratio = median(ratios);
    report(
      `export of ${FEW} changes out of ${many} orders, against a plain export of ${FEW}`,
      `${ratio.toFixed(2)} times (${median(times).toFixed(2)} s)`,
      'at most 2 times',
      ratio <= 2,
    );
  } finally {
    await api.stop();
  }
}

/** The same rows read and written with the columns for totals and their sums, and without either. */
export async function measureTotals(
  bench: Bench,
  merchantId: string,
  rounds: number,
): Promise<void> {
  const [withTotals] = copyParts(
    {
      merchantId,
      type: 'ORDERS',
      startTime: FROM,
      endTime: TO,
      sinceNumber: null,
    },
    ROW_LAYOUTS.ORDERS,
  );
  if (!withTotals) throw new Error('an export has a statement');
  const without: CopyPart = {
    ...withTotals,
    layout: { texts: [], integers: [] },
    statement: withTotals.statement.replace(/, currency::text, total::bigint/, ''),
  };
  if (without.statement === withTotals.statement) throw new Error('the columns have other names');
  const storage = new DirectoryStorage(`${bench.directory}/totals`);
  const { signal } = new AbortController();
  const write = async (part: CopyPart, totals: Totals | null): Promise<void> => {
    const client = new pg.Client(await readConnection(bench));
    await client.connect();
    try {
      const frames = client.query(new CopyOut(part)).frames();
      await writeFiles(
        totals ? addUp(frames, totals) : frames,
        { format: 'json', objectsPerFile: 1000 },
        (position, content) =>
          storage.write(fileKey('0123456789ABC', 1, position), content, signal),
        () => undefined,
      );
      await storage.removePrefix('0123456789ABC/');
    } finally {
      await client.end();
    }
  };
  const ratios: number[] = [];
  for (let round = 0; round <= 2 * rounds; round++) {
    const bare = await seconds(() => write(without, null));
    const summed = await seconds(() => write(withTotals, new Totals('ORDERS')));
    if (round > 0) ratios.push(summed / bare);
  }
  const ratio = median(ratios);
  report(
    'reading and writing an export with totals, against the same without',
    `${ratio.toFixed(3)} times`,
    'at most 1.05 times',
    ratio <= 1.05,
  );
}
