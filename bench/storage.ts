/** Measures exports to an S3 server beside exports to a directory. */
import { ExportClient } from '@tillroll/client';
import { hasCeph, startCeph } from '../scripts/ceph.ts';
import { makeCredentials, makeStorageUrl } from '../scripts/s3.ts';
import {
  runCommand,
  startServer,
  startWorker,
  type ServerProcess,
} from '../scripts/server-process.ts';
import { exportOrders, FROM, TO } from './export.ts';
import { median, peakMemoryMb, seconds } from './measure.ts';
import { report, reportMemory } from './report.ts';
import { createBench, installApp, removeBench, type Bench } from './service.ts';

const MEASURE = 'POST to DONE on Ceph, against a directory';
const WANTED = 'at most 1.5 times';

interface Options {
  orders: number;
  rounds: number;
}

/** Two services, each with its own database and the same orders, differ in their store alone. */
export async function measureStorage(options: Options): Promise<void> {
  if (!hasCeph()) {
    report(MEASURE, 'Ceph is not on this machine: not measured', WANTED, null);
    return;
  }
  await using ceph = await startCeph();
  const [directory, s3] = [await createBench(), await createBench()];
  Object.assign(s3.environment, makeCredentials(ceph), {
    TILLROLL_STORAGE_URL: makeStorageUrl(ceph, 'bench'),
  });
  try {
    const ratios: number[] = [];
    const times: number[] = [];
    await using plain = await Side.start(directory, options.orders);
    await using remote = await Side.start(s3, options.orders);
    for (let round = 0; round < options.rounds; round++) {
      const mine = await seconds(() => exportOrders(plain.client));
      const theirs = await seconds(() => exportOrders(remote.client));
      ratios.push(theirs / mine);
      times.push(theirs);
    }
    const ratio = median(ratios);
    report(
      `${options.orders} orders, ${MEASURE}`,
      `${ratio.toFixed(2)} times (${median(times).toFixed(2)} s)`,
      WANTED,
      ratio <= 1.5,
    );
    const few = options.orders / 10;
    await remote.restartWorker();
    await exportOrders(remote.fewClient);
    const ofFew = await peakMemoryMb(remote.workerPid);
    await remote.restartWorker();
    await exportOrders(remote.client);
    const ofMany = await peakMemoryMb(remote.workerPid);
    reportMemory('peak memory of the worker on Ceph', [few, options.orders], [ofFew, ofMany]);
  } finally {
    await removeBench(directory);
    await removeBench(s3);
  }
}

/** One service with its worker. */
class Side implements AsyncDisposable {
  readonly client: ExportClient;
  readonly fewClient: ExportClient;
  readonly #bench: Bench;
  readonly #api: ServerProcess;
  #worker: Omit<ServerProcess, 'url'>;

  private constructor(
    bench: Bench,
    api: ServerProcess,
    worker: Omit<ServerProcess, 'url'>,
    clients: { client: ExportClient; fewClient: ExportClient },
  ) {
    this.#bench = bench;
    this.#api = api;
    this.#worker = worker;
    ({ client: this.client, fewClient: this.fewClient } = clients);
  }

  /** Seeds the orders, and warms up: a worker that has just started still compiles its own code. */
  static async start(bench: Bench, orders: number): Promise<Side> {
    const api = await startServer('serve', bench.environment, bench.logFile);
    const connect = async (merchant: string, count: number): Promise<ExportClient> => {
      const span = ['--from', new Date(FROM).toISOString(), '--to', new Date(TO).toISOString()];
      const seed = ['seed', '--merchant', merchant, '--orders', String(count), ...span];
      await runCommand(seed, bench.environment);
      return new ExportClient({ url: api.url, merchant, token: await installApp(bench, merchant) });
    };
    const client = await connect('LARGE', orders);
    const fewClient = await connect('SMALL', orders / 10);
    const worker = await startWorker(bench.environment, bench.logFile);
    await exportOrders(client);
    return new Side(bench, api, worker, { client, fewClient });
  }

  get workerPid(): number {
    return this.#worker.pid;
  }

  async restartWorker(): Promise<void> {
    await this.#worker.stop();
    this.#worker = await startWorker(this.#bench.environment, this.#bench.logFile);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.stop();
    await this.#api.stop();
  }
}
