/** Takes in uploads: bounds them, has them checked, and merges or deletes what they name. */
import type { DeleteCounts, ExportType, LoadCounts } from '@tillroll/contract';
import type { Pool, Queryable } from '../database/pool.ts';
import { FairSemaphore, Overloaded } from '../fair-semaphore.ts';
import { readFreeBytes } from '../free-disk.ts';
import { SpoolBudget, type SpoolShare } from './budget.ts';
import { CheckThreads } from './check-threads.ts';
import { NoRoom } from './errors.ts';
import type { Encoding, IntakeResult, IntakeTarget } from './intake.ts';
import { deleteSpooled, mergeSpool } from './merge.ts';
import { Spool } from './spool.ts';
import * as sql from './sql.ts';

/** Budgets of one process for uploads. */
export interface LoadLimits {
  /** Uploads at once; each has a thread. */
  readonly maxUploads: number;
  /** Bytes that they may hold on disk at once. */
  readonly maxSpoolBytes: number;
  /** Free bytes of that disk below which nothing is taken in. */
  readonly minFreeBytes: number;
  /** Longest time that an upload waits for its turn; 30 s unless a test says otherwise. */
  readonly uploadWaitMs?: number;
}

/** The database's state when an upload begins. */
export interface LoadStart {
  /** PostgreSQL's clock, epoch milliseconds. */
  now: number;
  /** The merchant's last purge. */
  purgedTime: number | null;
}

export interface Upload extends LoadStart {
  merchantId: string;
  type: ExportType;
  /** Raw bytes, read no faster than they are checked. */
  body: AsyncIterable<Uint8Array>;
  encoding: Encoding;
  /** On whose behalf; null: the operator's. */
  install: { id: string; appId: string } | null;
  /** Aborts while it still waits for its turn; once its body is read, it is stored. */
  gone?: AbortSignal;
}

/** The use that is made of an upload's lines. */
interface Kind<T> {
  readonly contentOf: (type: ExportType) => IntakeTarget['content'];
  /** The answer to a body without lines. */
  readonly nothing: T;
  readonly apply: (...spooled: Parameters<typeof mergeSpool>) => Promise<T>;
}

const LOAD: Kind<LoadCounts> = {
  contentOf: (type) => type,
  nothing: { received: 0, inserted: 0, updated: 0, unchanged: 0, stale: 0 },
  apply: mergeSpool,
};
const DELETE: Kind<DeleteCounts> = {
  contentOf: () => 'IDS',
  nothing: { received: 0, deleted: 0, unknown: 0 },
  apply: deleteSpooled,
};

/** Merges at once in this process; others wait on disk, without a connection. */
export const MAX_MERGES = 3;
const MERGE_WAIT_MS = 10 * 60_000;
/** Senders wait with their body unread: it costs a connection, and no memory. */
const UPLOAD_WAIT_MS = 30_000;
const WAITING_PER_UPLOAD = 16;
/** Bytes that a spool may grow between two checks of the disk. */
const LOOK_EVERY_BYTES = 64 * 1024 * 1024;

/** Asks for what an upload must know of the moment it begins. */
export async function beginLoad(database: Queryable, merchantId: string): Promise<LoadStart> {
  const { rows } = await database.query<LoadStart>(sql.beginLoad, [merchantId]);
  const [start] = rows;
  if (!start) throw new Error('the database did not tell the time');
  return start;
}

/**
 * Loads bodies of NDJSON: a thread checks all of a body while it goes to disk, and only then does a
 * connection take it into the tables, in one transaction. Loading the same body twice changes nothing.
 */
export class Loader {
  readonly #pool: Pool;
  readonly #directory: string;
  readonly #limits: LoadLimits;
  readonly #threads = new CheckThreads();
  readonly #budget: SpoolBudget;
  /** By app: one never holds all of them. */
  readonly #uploads: FairSemaphore;
  /** By merchant and app. */
  readonly #uploadsOfInstall: FairSemaphore;
  /** By merchant and type: one merge at a time, in the order of asking. */
  readonly #merges: FairSemaphore;
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<unknown>>();

  /** @param pool needs `MAX_MERGES` connections. */
  constructor(pool: Pool, spoolDirectory: string, limits: LoadLimits) {
    const { maxUploads, uploadWaitMs: waitMs = UPLOAD_WAIT_MS } = limits;
    const waiting = maxUploads * WAITING_PER_UPLOAD;
    this.#pool = pool;
    this.#directory = spoolDirectory;
    this.#limits = limits;
    this.#budget = new SpoolBudget(limits.maxSpoolBytes);
    this.#uploads = new FairSemaphore({
      permits: maxUploads,
      permitsPerKey: Math.max(1, maxUploads - 1),
      waiting,
      waitMs,
    });
    this.#uploadsOfInstall = new FairSemaphore({
      permits: waiting + maxUploads,
      permitsPerKey: Math.ceil(maxUploads / 2),
      waiting,
      waitingPerKey: WAITING_PER_UPLOAD,
      waitMs,
    });
    this.#merges = new FairSemaphore({
      permits: MAX_MERGES,
      permitsPerKey: 1,
      waiting,
      waitMs: MERGE_WAIT_MS,
    });
  }

  /** Uploads that are read, checked or stored now. */
  get open(): number {
    return this.#uploads.holding;
  }

  /**
   * @throws BadBody, TooLarge, NoRoom, Purged, InstallRevoked; what `body` throws; the signal's reason:
   * nothing was stored, and the spool is gone.
   */
  load(upload: Upload, signal?: AbortSignal): Promise<LoadCounts> {
    return this.#track(upload, LOAD, signal);
  }

  /** Deletes the objects that the lines of a body name; otherwise as `load`. */
  delete(upload: Upload, signal?: AbortSignal): Promise<DeleteCounts> {
    return this.#track(upload, DELETE, signal);
  }

  /** Stops what is under way; nothing of it is stored. */
  async close(): Promise<void> {
    this.#closing.abort(new NoRoom('the service is stopping; send the upload again', 5));
    await Promise.allSettled(this.#running);
    await this.#threads.close();
  }

  async #track<T>(upload: Upload, kind: Kind<T>, signal?: AbortSignal): Promise<T> {
    const stop = AbortSignal.any([this.#closing.signal, ...(signal ? [signal] : [])]);
    const running = this.#run(upload, kind, stop);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  async #run<T>(upload: Upload, kind: Kind<T>, signal: AbortSignal): Promise<T> {
    const app = upload.install?.appId ?? '';
    const key = `${app} ${upload.merchantId}`;
    const gone = AbortSignal.any([signal, ...(upload.gone ? [upload.gone] : [])]);
    const leaveInstall = await this.#turn(this.#uploadsOfInstall, key, gone);
    try {
      const leave = await this.#turn(this.#uploads, app, gone);
      try {
        return await this.#checkAndApply(upload, kind, key, signal);
      } finally {
        leave();
      }
    } finally {
      leaveInstall();
    }
  }

  async #turn(turns: FairSemaphore, key: string, signal: AbortSignal): Promise<() => void> {
    try {
      return await turns.acquire(key, signal);
    } catch (error) {
      if (!(error instanceof Overloaded)) throw error;
      throw new NoRoom(
        `${this.#limits.maxUploads} uploads at once is the most that this service reads, and others wait already; send this one again later`,
        5,
        { cause: error },
      );
    }
  }

  async #checkAndApply<T>(
    upload: Upload,
    kind: Kind<T>,
    key: string,
    signal: AbortSignal,
  ): Promise<T> {
    const { merchantId, type, purgedTime } = upload;
    const spool = await Spool.create(this.#directory);
    const share = this.#budget.open(key);
    try {
      const { rows } = await this.#check(upload, kind.contentOf(type), spool, share, signal);
      if (rows === 0) return kind.nothing;
      const merge = { merchantId, type, installId: upload.install?.id ?? null, purgedTime };
      return await this.#merges.run(
        `${type} ${merchantId}`,
        () => kind.apply(this.#pool, merge, spool, rows, signal),
        signal,
      );
    } finally {
      share.release();
      await spool.close();
    }
  }

  async #check(
    { now, encoding, body }: Upload,
    content: IntakeTarget['content'],
    spool: Spool,
    share: SpoolShare,
    signal: AbortSignal,
  ): Promise<IntakeResult> {
    const full = new AbortController();
    await this.#checkDisk();
    let next = LOOK_EVERY_BYTES;
    const onSpooled = (bytes: number): void => {
      try {
        share.grow(bytes);
      } catch (error) {
        full.abort(error);
      }
      if (bytes < next) return;
      next = bytes + LOOK_EVERY_BYTES;
      this.#checkDisk().catch((error: unknown) => full.abort(error));
    };
    return this.#threads.check(
      { content, now, encoding, fd: spool.fd },
      body,
      onSpooled,
      AbortSignal.any([signal, full.signal]),
    );
  }

  async #checkDisk(): Promise<void> {
    const free = await readFreeBytes(this.#directory);
    if (free >= this.#limits.minFreeBytes) return;
    throw new NoRoom(
      'the disk of this service is nearly full, and nothing is loaded until its operator has made room',
      60,
    );
  }
}
