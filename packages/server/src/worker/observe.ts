/** Tells an observer how an attempt goes. */
import type { AttemptOutcome, Observer, Step } from '../observer.ts';
import { countBytes, type RowFrame } from '../source/frames.ts';
import type { Cause } from './attempt-stop.ts';

/** Tells the observer how long a step took, also when it fails. */
export async function timeStep<T>(
  observer: Pick<Observer, 'stepTook'>,
  step: Step,
  work: () => Promise<T>,
): Promise<T> {
  const started = performance.now();
  try {
    return await work();
  } finally {
    observer.stepTook(step, performance.now() - started);
  }
}

/** Tells the observer how an attempt ended. An export that was interrupted too often has a failure code of its own. */
export function observeEnd(
  observer: Pick<Observer, 'attemptEnded'>,
  outcome: AttemptOutcome,
  cause: Cause,
): void {
  const isInterruption = typeof cause === 'string';
  const reason = !isInterruption ? cause.code : outcome === 'failed' ? 'WORKER_LOST' : cause;
  observer.attemptEnded(outcome, reason);
}

/** Rows on their way from the database to the files: counted, and the waits for the one told from those for the other. */
export class MeasuredRows implements AsyncIterable<RowFrame[]> {
  readonly #batches: AsyncIterable<RowFrame[]>;
  readonly #observer: Pick<Observer, 'objectsRead' | 'stepTook'>;
  readonly #started = performance.now();
  #waitedMs = 0;

  constructor(
    batches: AsyncIterable<RowFrame[]>,
    observer: Pick<Observer, 'objectsRead' | 'stepTook'>,
  ) {
    this.#batches = batches;
    this.#observer = observer;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<RowFrame[]> {
    let asked = performance.now();
    const waited = (): void => {
      this.#waitedMs += performance.now() - asked;
    };
    let isWaiting = true;
    try {
      for await (const rows of this.#batches) {
        waited();
        isWaiting = false;
        this.#observer.objectsRead(rows.length, countBytes(rows));
        yield rows;
        asked = performance.now();
        isWaiting = true;
      }
    } finally {
      if (isWaiting) waited();
    }
  }

  /** Tells the time of both steps, once the files are written or have failed. */
  end(): void {
    this.#observer.stepTook('read', this.#waitedMs);
    this.#observer.stepTook('write', performance.now() - this.#started - this.#waitedMs);
  }
}
