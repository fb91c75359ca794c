import type { PullEvent, RangeProgress, RangeStage } from '@tillroll/client/files';
import { oneLine } from '../errors.ts';
import { counted } from '../numbers.ts';
import type { Display } from './display.ts';
import { instant, wholeSecond } from './instant.ts';
import { rangeText, STAGE_NAMES, waitingText, type Waiting } from './words.ts';

/** Stages that are worth a line in a log; the others last a moment, or are told with the plan. */
const TOLD: readonly RangeStage[] = ['exporting', 'downloading', 'done', 'failed'];
/** A stage that lasts is told of again, and a reason to wait that comes again, so often. */
const AGAIN_MS = 60_000;
/** A wait that is over before the line is read is not worth it. */
const WORTH_MS = 3000;

/** Lines for a log: when, what, and how far. Nothing is drawn over, and nothing floods. */
export function plainDisplay(write: (line: string) => void, now = Date.now): Display {
  const stages = new Map<string, RangeStage>();
  const waits = new Map<string, number>();
  let lastAt = 0;
  let lastPath = '';

  function line(text: string, at: number): void {
    lastAt = at;
    write(`${wholeSecond(at)} ${oneLine(text)}\n`);
  }

  function plan(event: Extract<PullEvent, { event: 'plan' }>, at: number): void {
    const kept = event.ranges.filter(({ stage }) => stage === 'kept').length;
    for (const { name, stage } of event.ranges) stages.set(name, stage);
    line(
      `plan: ${counted(event.ranges.length, 'range')}, ${instant(event.from)} <= createdTime < ${instant(event.to)}, to ${event.out}${kept === 0 ? '' : `; ${kept} complete before`}`,
      at,
    );
  }

  function range(progress: RangeProgress, at: number): void {
    const { name, stage } = progress;
    const isNew = stages.get(name) !== stage;
    stages.set(name, stage);
    if (isNew ? !TOLD.includes(stage) : at - lastAt < AGAIN_MS) return;
    // The first word of a new stage is the stage; how far it is comes later.
    const begins = isNew && (stage === 'exporting' || stage === 'downloading');
    const detail = begins ? '' : rangeText(progress);
    line(`${name} ${STAGE_NAMES[stage]}${detail === '' ? '' : `: ${detail}`}`, at);
  }

  function waiting(wait: Waiting, at: number): void {
    if (wait.until - at < WORTH_MS) return;
    const kind = `${wait.reason} ${wait.opens ?? ''}`;
    if (at - (waits.get(kind) ?? -Infinity) < AGAIN_MS) return;
    waits.set(kind, at);
    line(waitingText(wait, at), at);
  }

  return {
    event(event) {
      const at = now();
      switch (event.event) {
        case 'plan':
          return plan(event, at);
        case 'range':
          return range(event.range, at);
        case 'waiting':
          return waiting(event, at);
        case 'converting':
          if (event.path === lastPath && at - lastAt < AGAIN_MS) return;
          lastPath = event.path;
          return line(`writing ${event.path}: ${Math.floor(event.fraction * 100)} % of all`, at);
        case 'warning':
          return line(`warning: ${event.message}`, at);
        case 'done':
      }
    },
    stop: () => undefined,
  };
}
