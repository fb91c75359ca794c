/** Gathers a pull's events into the numbers that displays show: fraction, speed, time left. */
import type { Waiting } from '@tillroll/client';
import type { MonthProgress, MonthStage, PullEvent } from '@tillroll/client/files';

/** The progress of a whole pull at one moment. */
export interface Snapshot {
  /** 0 to 1. */
  fraction: number;
  ended: number;
  total: number;
  failed: number;
  objects: number;
  /** Over the last seconds; null while nothing arrives. */
  bytesPerSecond: number | null;
  /** Null until it can be estimated. */
  leftMs: number | null;
  /** Months in progress, in the order of the plan. */
  active: MonthProgress[];
  waiting: Waiting | null;
  converting: { path: string; fraction: number } | null;
}

/** The share, for each stage, of a month's time that has passed when it begins, and the share it takes. */
const STAGES: Readonly<Record<MonthStage, readonly [begin: number, takes: number]>> = {
  planned: [0, 0],
  creating: [0, 0],
  exporting: [0, 0.35],
  downloading: [0.35, 0.5],
  assembling: [0.85, 0.08],
  converting: [0.93, 0.07],
  done: [1, 0],
  kept: [1, 0],
  failed: [1, 0],
};
const ENDED: readonly MonthStage[] = ['done', 'kept', 'failed'];
const ACTIVE: readonly MonthStage[] = [
  'creating',
  'exporting',
  'downloading',
  'assembling',
  'converting',
];
/** The share of a table of the whole directory, which is made once all months are there. */
const CONVERSION = 0.25;

const RATE_WINDOW_MS = 5000;
const RATE_STEP_MS = 250;
/** Before this, an estimate of the time left means nothing. */
const ESTIMATE_AFTER_MS = 3000;
const ESTIMATE_AFTER_FRACTION = 0.005;

/** Collects the events of a pull. */
export class PullState {
  readonly #months = new Map<string, MonthProgress>();
  /** True when a table of the whole directory is made at the end. */
  #converts = false;
  readonly #samples: { at: number; bytes: number }[] = [];
  #waiting: (Waiting & { since: number }) | null = null;
  #converting: { path: string; fraction: number } | null = null;
  #startedAt: number;
  #startFraction = 0;
  /** Time in which the server was closed: it does not count for the time left. */
  #closedMs = 0;

  constructor(startedAt: number) {
    this.#startedAt = startedAt;
  }

  apply(event: PullEvent, at: number): void {
    switch (event.event) {
      case 'plan':
        this.#endWait(at);
        this.#months.clear();
        this.#converts = event.format === 'duckdb';
        for (const month of event.months) this.#months.set(month.name, month);
        this.#startedAt = at;
        this.#startFraction = this.#fraction();
        this.#samples.splice(0, Infinity, { at, bytes: this.#received() });
        return;
      case 'month':
        if (this.#isAccepted(event.month)) this.#endWait(at);
        this.#months.set(event.month.name, event.month);
        this.#sample(at);
        return;
      case 'waiting':
        this.#endWait(at);
        this.#waiting = { ...event, since: at };
        return;
      case 'converting':
        this.#converting = { path: event.path, fraction: event.fraction };
        return;
      case 'warning':
      case 'done':
    }
  }

  snapshot(at: number): Snapshot {
    const months = [...this.#months.values()];
    const fraction = this.#fraction();
    const waits = this.#waiting !== null && this.#waiting.until > at;
    return {
      fraction,
      ended: months.filter(({ stage }) => ENDED.includes(stage)).length,
      failed: months.filter(({ stage }) => stage === 'failed').length,
      total: months.length,
      objects: months.reduce((sum, { objects }) => sum + objects, 0),
      bytesPerSecond: this.#rate(at),
      leftMs: this.#left(fraction, at),
      active: months.filter(({ stage }) => ACTIVE.includes(stage)),
      waiting: waits ? this.#waiting : null,
      converting: this.#converting,
    };
  }

  #fraction(): number {
    if (this.#months.size === 0) return 0;
    let sum = 0;
    for (const { stage, percent } of this.#months.values()) {
      const [begin, takes] = STAGES[stage];
      sum += begin + (takes * Math.min(100, Math.max(0, percent))) / 100;
    }
    const months = sum / this.#months.size;
    if (!this.#converts) return months;
    return months * (1 - CONVERSION) + (this.#converting?.fraction ?? 0) * CONVERSION;
  }

  /** Bytes that this pull received, so without what was there before. */
  #received(): number {
    let sum = 0;
    for (const { stage, bytes } of this.#months.values()) if (stage !== 'kept') sum += bytes;
    return sum;
  }

  #sample(at: number): void {
    const last = this.#samples.at(-1);
    if (last && at - last.at < RATE_STEP_MS) return;
    this.#samples.push({ at, bytes: this.#received() });
    // One sample older than the window stays: the rate is measured from there.
    while (this.#samples.length > 2 && at - (this.#samples[1]?.at ?? at) > RATE_WINDOW_MS)
      this.#samples.shift();
  }

  #rate(at: number): number | null {
    this.#sample(at);
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (!first || !last || last.at === first.at) return null;
    // A month that starts over has fewer bytes than before.
    const rate = ((last.bytes - first.bytes) * 1000) / (last.at - first.at);
    return rate > 0 ? rate : null;
  }

  #left(fraction: number, at: number): number | null {
    const elapsed = at - this.#startedAt - this.#closedMs;
    const made = fraction - this.#startFraction;
    if (elapsed < ESTIMATE_AFTER_MS || made < ESTIMATE_AFTER_FRACTION || fraction >= 1) return null;
    return (elapsed * (1 - fraction)) / made;
  }

  /** Tells whether the server has just accepted what had to wait. Other months may continue meanwhile. */
  #isAccepted({ name, stage }: MonthProgress): boolean {
    return stage === 'exporting' && this.#months.get(name)?.stage === 'creating';
  }

  #endWait(at: number): void {
    if (this.#waiting?.reason === 'hours')
      this.#closedMs += Math.max(0, Math.min(at, this.#waiting.until) - this.#waiting.since);
    this.#waiting = null;
  }
}
