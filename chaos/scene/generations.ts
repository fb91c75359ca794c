import { setTimeout as delay } from 'node:timers/promises';
import { FROM, type Api } from './api.ts';
import type { FindExpected } from './check.ts';
import type { Deployment } from './deployment.ts';
import { hashFiles, type ExpectedFiles } from './source.ts';

/** Orders that share a moment, so that the id decides their order. */
const OF_ONE_MOMENT = 10;
const AFTER_REFUSAL_MS = 100;

/**
 * A merchant's orders in versions: a load writes all of them with the number of one generation, so that an export
 * that mixes two moments can be told from one that does not.
 */
export class Generations {
  readonly #rows: number;
  readonly #known = new Map<number, ExpectedFiles>();
  constructor(rows: number) {
    this.#rows = rows;
  }

  #objects(generation: number): string[] {
    return Array.from({ length: this.#rows }, (_, row) =>
      JSON.stringify({
        id: `G${String(row).padStart(7, '0')}`,
        createdTime: FROM + Math.floor(row / OF_ONE_MOMENT) * 1000,
        modifiedTime: FROM + generation * 1000,
        currency: 'USD',
        total: row,
        note: `generation ${generation}, written as one of ${this.#rows} orders`,
      }),
    );
  }

  /** The body of a load. */
  body(generation: number): Buffer {
    return Buffer.from(this.#objects(generation).join('\n'));
  }

  files(generation: number): ExpectedFiles {
    const files = this.#known.get(generation) ?? hashFiles(this.#objects(generation));
    this.#known.set(generation, files);
    return files;
  }

  /** The generation of an export's first object. */
  parse(files: readonly Buffer[]): number {
    const [, digits = ''] = /"note":"generation (\d+),/.exec(files[0]?.toString() ?? '') ?? [];
    return Number(digits);
  }

  /** Content that an export must hold: all of the generation that its first object has. */
  readonly findExpected: FindExpected = (_, files) => this.files(this.parse(files));
}

/** Loads one generation after the other, at full speed, until it is stopped. */
export class Loading {
  /** The latest generation of which the load was answered 200, and the latest that was sent. */
  acknowledged = 0;
  begun = 0;
  readonly api: Api;
  readonly #generations: Generations;
  #running: Promise<void>[] = [];
  #isOver = false;

  constructor(api: Api, generations: Generations) {
    this.api = api;
    this.#generations = generations;
  }

  /** Loads a first generation. @throws when it is refused. */
  async loadOnce(deployment: Deployment): Promise<void> {
    const { status, body } = await this.#load(deployment.url);
    if (status !== 200) throw new Error(`a load is answered ${status} ${body.toString()}`);
  }

  /** @param urls one loader for each. */
  begin(urls: readonly string[]): void {
    this.#isOver = false;
    this.#running = urls.map(async (url) => {
      while (!this.#isOver) {
        if ((await this.#load(url)).status !== 200) await delay(AFTER_REFUSAL_MS);
      }
    });
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#running);
  }

  async #load(url: string): Promise<{ status: number; body: Buffer }> {
    const generation = ++this.begun;
    const answer = await this.api.load(url, this.#generations.body(generation));
    if (answer.status === 200) this.acknowledged = Math.max(this.acknowledged, generation);
    return answer;
  }
}

/** Checks that the table holds one generation, which is not before the latest that was acknowledged. */
export async function checkStored(
  deployment: Deployment,
  merchant: string,
  { acknowledged }: Loading,
): Promise<string | null> {
  const rows = await deployment.query<{ modified: string }>(
    'SELECT DISTINCT modified_time AS modified FROM tillroll.orders WHERE merchant_id = $1',
    [merchant],
  );
  const stored = rows.map(({ modified }) => (Number(modified) - FROM) / 1000);
  if (stored.length !== 1) return `the table holds the generations ${stored.join(', ')} at once`;
  return (stored[0] ?? 0) < acknowledged
    ? `generation ${acknowledged} was acknowledged, and the table holds ${stored[0]}`
    : null;
}
