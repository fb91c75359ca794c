/** The metrics of a process, from what is told to the text of a scrape. */
import type { Observer } from '../observer.ts';
import { BoundedAnswer } from './bounded-answer.ts';
import { CATALOGUE } from './catalogue.ts';
import { Recorder } from './recorder.ts';
import { ProcessRegistry, type Family, type Sample } from './registry.ts';

/** The work of all processes, as the database knows it. Ages are milliseconds; 0 when there is none. */
export interface Backlog {
  readonly jobs: Readonly<Record<'due' | 'delayed' | 'running', number>>;
  readonly oldestDueMs: number;
  readonly open: Readonly<Record<'PENDING' | 'IN_PROGRESS', number>>;
  readonly oldestOpenMs: number;
}

/** The metrics of a process: told what happens in it, and read by a scrape. */
export class Metrics {
  readonly #name: string;
  readonly #registry: ProcessRegistry;
  readonly observer: Observer;
  #readWorker: (() => Promise<Family[] | null>) | null = null;

  private constructor(name: string, registry: ProcessRegistry) {
    this.#name = name;
    this.#registry = registry;
    this.observer = new Recorder(registry);
  }

  /** @param name `api`, `worker`, or `all` for both in one: the label `process`. */
  static async open(name: string): Promise<Metrics> {
    return new Metrics(name, await ProcessRegistry.open(name));
  }

  /** Shows whether the process can do its work. */
  showReady(isReady: () => boolean): void {
    this.#registry.readAtScrape('ready', () => [{ labels: {}, value: isReady() ? 1 : 0 }]);
  }

  /**
   * Shows what the database knows, asked for at a scrape: not more often than every 5 s, and waited for 1 s at most.
   * @param ask null where there is no point in asking. @param onError told why it could not be had; the numbers are missing then.
   */
  showBacklog(ask: () => Promise<Backlog | null>, onError: (error: unknown) => void): void {
    const answer = new BoundedAnswer(ask, onError);
    const registry = this.#registry;
    registry.readAtScrape('queueJobs', async () => list('state', (await answer.read())?.jobs));
    registry.readAtScrape('openExports', async () => list('status', (await answer.read())?.open));
    registry.readAtScrape('queueOldest', async () => age((await answer.read())?.oldestDueMs));
    registry.readAtScrape('openExportsOldest', async () =>
      age((await answer.read())?.oldestOpenMs),
    );
  }

  /**
   * Shows the metrics of the worker process of `all` beside those of this one.
   * @param read as `collectFrom` does; null while there is no such process, or no answer.
   */
  showWorker(read: () => Promise<Family[] | null>): void {
    this.#readWorker = read;
  }

  /** The numbers of this process. */
  read(): Promise<Family[]> {
    return this.#registry.read();
  }

  /** The text of a scrape. */
  async render(): Promise<string> {
    const [own, worker] = await Promise.all([this.read(), this.#readWorker?.()]);
    if (worker === undefined) return this.#registry.render([own]);
    const { name, help, kind } = CATALOGUE.workerUp;
    const labels = { process: this.#name };
    const values = [{ labels, value: worker === null ? 0 : 1 }];
    const isUp: Family = { name, help, type: kind, values };
    return this.#registry.render([[...own, isUp], worker ?? []]);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }
}

/** One number for each value of a label; none while they are not known. */
function list(label: string, values: Readonly<Record<string, number>> | undefined): Sample[] {
  return Object.entries(values ?? {}).map(([key, value]) => ({ labels: { [label]: key }, value }));
}

function age(ms: number | undefined): Sample[] {
  return ms === undefined ? [] : [{ labels: {}, value: ms / 1000 }];
}
