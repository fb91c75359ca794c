/** Measures downloading against curl. */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { ExportObject } from '@tillroll/contract';
import { median, run, seconds, shell } from '../measure.ts';
import { report } from '../report.ts';
import { tillroll, type Connection } from './command.ts';
import { breakOff, doneExports, SPAN } from './directory.ts';

/** The ways to fetch the same files of the same exports with curl alone, four at once, uncompressed. */
const CURLS = {
  /** One process, which reuses its connections. */
  parallel: 'curl -Z --parallel-max 4 -sS --fail -K config',
  /** A process for each file: mostly the time that starting them takes. */
  processes: 'xargs -P4 -n2 curl -sS --fail -o < pairs',
} as const;

async function fetchByCurl(
  script: string,
  exported: readonly ExportObject[],
  directory: string,
): Promise<void> {
  const files = exported.flatMap(({ exportUrls }, part) =>
    (exportUrls?.elements ?? []).map(({ url }, i) => ({
      name: `${part}-${String(i).padStart(4, '0')}.json`,
      url,
    })),
  );
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory);
  const pairs = files.map(({ name, url }) => `${name} ${url}\n`);
  await writeFile(join(directory, 'pairs'), pairs.join(''));
  const config = files.map(({ name, url }) => `url = "${url}"\noutput = "${name}"\n`);
  await writeFile(join(directory, 'config'), config.join(''));
  await shell(script, process.env, directory);
}

/** SHA-256 over the objects, one a line. The generator's objects hold no `},{` but between them. */
async function digestOfCurl(directory: string): Promise<string> {
  const hash = createHash('sha256');
  for (const name of (await readdir(directory))
    .filter((file) => file.endsWith('.json'))
    .toSorted()) {
    const chunks: Buffer[] = [];
    for await (const chunk of createReadStream(join(directory, name))) chunks.push(chunk as Buffer);
    const { elements } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as {
      elements: unknown[];
    };
    for (const element of elements) hash.update(`${JSON.stringify(element)}\n`);
  }
  return hash.digest('hex');
}

async function digestOfLines(out: string): Promise<string> {
  const hash = createHash('sha256');
  for (const name of (await readdir(join(out, 'orders'))).toSorted())
    for await (const chunk of createReadStream(join(out, 'orders', name)))
      hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** Downloading DONE exports to JSON lines, checked, with a receipt, against curl alone. */
export async function measureDownload(
  connection: Connection,
  directory: string,
  orders: number,
  rounds: number,
): Promise<void> {
  const exported = await doneExports(connection);
  const out = join(directory, 'lines');
  const curled = join(directory, 'curl');
  const hasCurl = await run('curl', ['--version']).then(
    () => true,
    () => false,
  );
  const ours: number[] = [];
  const parallel: number[] = [];
  const processes: number[] = [];
  let isEqual = true;
  for (let round = 0; round <= rounds; round++) {
    await rm(out, { recursive: true, force: true });
    await breakOff(out, connection, exported);
    const pulled = await tillroll(
      ['pull', ...SPAN, '--types', 'orders', '--out', out, '--quiet'],
      connection,
    );
    const times = { parallel: Number.NaN, processes: Number.NaN };
    if (hasCurl)
      for (const way of ['parallel', 'processes'] as const) {
        times[way] = await seconds(() => fetchByCurl(CURLS[way], exported, curled));
        isEqual &&= (await digestOfLines(out)) === (await digestOfCurl(curled));
      }
    // The first round warms up.
    if (round === 0) continue;
    ours.push(pulled.seconds);
    parallel.push(times.parallel);
    processes.push(times.processes);
  }
  const what = `download of ${orders} orders to JSON lines with receipt, whole process`;
  if (!hasCurl)
    report(what, `${median(ours).toFixed(2)} s; no curl here`, 'at most 1.3 times curl', null);
  else {
    const compare = (theirs: readonly number[]): [ratio: number, text: string] => {
      const ratio = median(ours.map((time, i) => time / (theirs[i] ?? Number.NaN)));
      const text = `${ratio.toFixed(2)} times (${median(ours).toFixed(2)} s, ${median(theirs).toFixed(2)} s)`;
      return [ratio, text];
    };
    const [ratio, text] = compare(parallel);
    report(
      `${what}, against curl -Z --parallel-max 4`,
      `${text}, objects ${isEqual ? 'equal' : 'DIFFERENT'}`,
      'at most 1.3, equal',
      ratio <= 1.3 && isEqual,
    );
    report('the same against xargs -P4 curl', compare(processes)[1], 'reported only', null);
    if (!isEqual) process.exitCode = 1;
  }
  await rm(curled, { recursive: true, force: true });
}

/** Peak memory of a pull of so many orders; null where it cannot be told. */
export async function peakOfPull(
  connection: Connection,
  directory: string,
): Promise<number | null> {
  const out = join(directory, `memory-${connection.merchant}`);
  await rm(out, { recursive: true, force: true });
  const { peakMb } = await tillroll(
    ['pull', ...SPAN, '--types', 'orders', '--out', out, '--quiet'],
    connection,
  );
  await rm(out, { recursive: true, force: true });
  return peakMb;
}
