import type { PullEvent, RangeProgress, RangeStage } from '@tillroll/client/files';
import type { Waiting } from './words.ts';

/** Where a whole pull stands at one moment. */
export interface Snapshot {
  /** 0 to 1. */
  fraction: number;
  ended: number;
  total: number;
  failed: number;
  objects: number;
  /** Over the last seconds; null while nothing comes. */
  bytesPerSecond: number | null;
  /** Null until it can be guessed. */
  leftMs: number | null;
  /** Ranges that are being worked on, as planned. */
  active: RangeProgress[];
  waiting: Waiting | null;
  converting: { path: string; fraction: number } | null;
}

/** How much of a range's time has passed where its stage begins, and how much the stage takes. */
const STAGES: Readonly<Record<RangeStage, readonly [begin: number, takes: number]>> = {
  planned: [0, 0],
  creating: [0, 0],
  exporting: [0, 0.35],
  downloading: [0.35, 0.6],
  merging: [0.95, 0.05],
  done: [1, 0],
  kept: [1, 0],
  failed: [1, 0],
};
const ENDED: readonly RangeStage[] = ['done', 'kept', 'failed'];
const ACTIVE: readonly RangeStage[] = ['creating', 'exporting', 'downloading', 'merging'];
/** Tables are made once all ranges are there; so much of the whole is that. */
const CONVERSION = 0.25;

const RATE_WINDOW_MS = 5000;
const RATE_STEP_MS = 250;
/** Before this, a guess of the time left is worth nothing. */
const GUESS_AFTER_MS = 3000;
const GUESS_AFTER_FRACTION = 0.005;

/** Keeps what the events of a pull told. Knows no terminal. */
export class PullState {
  readonly #ranges = new Map<string, RangeProgress>();
  readonly #converts: boolean;
  readonly #samples: { at: number; bytes: number }[] = [];
  #waiting: (Waiting & { since: number }) | null = null;
  #converting: { path: string; fraction: number } | null = null;
  #startedAt: number;
  #startFraction = 0;
  /** Time in which the far side was closed: it says nothing about how fast we are. */
  #closedMs = 0;

  /** @param converts whether tables are made of the ranges at the end. */
  constructor(converts: boolean, startedAt: number) {
    this.#converts = converts;
    this.#startedAt = startedAt;
  }

  apply(event: PullEvent, at: number): void {
    switch (event.event) {
      case 'plan':
        // A second plan comes after a pull that was broken off is finished.
        this.#ranges.clear();
        for (const range of event.ranges) this.#ranges.set(range.name, range);
        this.#startedAt = at;
        this.#startFraction = this.#fraction();
        this.#samples.splice(0, Infinity, { at, bytes: this.#received() });
        return;
      case 'range':
        if (this.#isAccepted(event.range)) this.#endWait(at);
        this.#ranges.set(event.range.name, event.range);
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
    const ranges = [...this.#ranges.values()];
    const fraction = this.#fraction();
    const waits = this.#waiting !== null && this.#waiting.until > at;
    return {
      fraction,
      ended: ranges.filter(({ stage }) => ENDED.includes(stage)).length,
      failed: ranges.filter(({ stage }) => stage === 'failed').length,
      total: ranges.length,
      objects: ranges.reduce((sum, { objects }) => sum + objects, 0),
      bytesPerSecond: this.#rate(at),
      leftMs: this.#left(fraction, at),
      active: ranges.filter(({ stage }) => ACTIVE.includes(stage)),
      waiting: waits ? this.#waiting : null,
      converting: this.#converting,
    };
  }

  #fraction(): number {
    if (this.#ranges.size === 0) return 0;
    let sum = 0;
    for (const { stage, percent } of this.#ranges.values()) {
      const [begin, takes] = STAGES[stage];
      sum += begin + (takes * Math.min(100, Math.max(0, percent))) / 100;
    }
    const ranges = sum / this.#ranges.size;
    if (!this.#converts) return ranges;
    return ranges * (1 - CONVERSION) + (this.#converting?.fraction ?? 0) * CONVERSION;
  }

  /** Bytes that came over the network, so without what was there before. */
  #received(): number {
    let sum = 0;
    for (const { stage, bytes } of this.#ranges.values()) if (stage !== 'kept') sum += bytes;
    return sum;
  }

  #sample(at: number): void {
    const last = this.#samples.at(-1);
    if (last && at - last.at < RATE_STEP_MS) return;
    this.#samples.push({ at, bytes: this.#received() });
    // One older than the window stays: the rate is measured from there.
    while (this.#samples.length > 2 && at - (this.#samples[1]?.at ?? at) > RATE_WINDOW_MS)
      this.#samples.shift();
  }

  #rate(at: number): number | null {
    this.#sample(at);
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (!first || !last || last.at === first.at) return null;
    // A range that begins anew has fewer bytes than before.
    const rate = ((last.bytes - first.bytes) * 1000) / (last.at - first.at);
    return rate > 0 ? rate : null;
  }

  #left(fraction: number, at: number): number | null {
    const elapsed = at - this.#startedAt - this.#closedMs;
    const made = fraction - this.#startFraction;
    if (elapsed < GUESS_AFTER_MS || made < GUESS_AFTER_FRACTION || fraction >= 1) return null;
    return (elapsed * (1 - fraction)) / made;
  }

  /** Whether the far side has just taken what had to wait; other ranges may go on meanwhile. */
  #isAccepted({ name, stage }: RangeProgress): boolean {
    return stage === 'exporting' && this.#ranges.get(name)?.stage === 'creating';
  }

  #endWait(at: number): void {
    if (this.#waiting?.reason === 'hours')
      this.#closedMs += Math.max(0, Math.min(at, this.#waiting.until) - this.#waiting.since);
    this.#waiting = null;
  }
}
