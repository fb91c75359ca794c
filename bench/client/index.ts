import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { startWorker } from '../../scripts/server-process.ts';
import { reportMemory } from '../report.ts';
import { installApp, type Bench } from '../service.ts';
import type { Connection } from './command.ts';
import { measureDownload, peakOfPull } from './download.ts';
import { installCommand } from './installed.ts';
import { measureKills } from './kills.ts';
import { measureParquet } from './parquet.ts';
import { measureSize } from './size.ts';

export interface ClientBench {
  large: number;
  rounds: number;
  merchants: { large: string; small: string };
}

const KILLS = Number(process.env['BENCH_KILLS'] ?? 50);

/** Measures the command and the library against what one would do without them. */
export async function measureClient(bench: Bench, url: string, what: ClientBench): Promise<void> {
  const { large, rounds, merchants } = what;
  const small = large / 10;
  const directory = join(bench.directory, 'client');
  await mkdir(directory);
  const installed = await installCommand(directory);
  const prepareConnection = async (merchant: string): Promise<Connection> => ({
    bin: installed.bin,
    url,
    merchant,
    token: await installApp(bench, merchant),
  });
  const connection = await prepareConnection(merchants.large);
  const smallConnection = await prepareConnection(merchants.small);
  const worker = await startWorker(bench.environment, bench.logFile);
  try {
    await measureDownload(connection, directory, large, rounds);
    const ofSmall = await peakOfPull(smallConnection, directory);
    const ofLarge = await peakOfPull(connection, directory);
    reportMemory('peak memory of a pull', [small, large], [ofSmall, ofLarge]);
    await measureParquet(connection, directory, large, Math.min(3, rounds));
    // Pulls a number of objects that takes a few seconds.
    if (large > 30_000) await measureKills(smallConnection, directory, small, KILLS);
    else await measureKills(connection, directory, large, KILLS);
  } finally {
    await worker.stop();
  }
  await measureSize(installed, rounds);
  await rm(directory, { recursive: true, force: true });
}
