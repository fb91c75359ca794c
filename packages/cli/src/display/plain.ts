/** The display for a log: plain lines. */
import type { Waiting } from '@tillroll/client';
import type { MonthProgress, MonthStage, PullEvent } from '@tillroll/client/files';
import { oneLine } from '../errors.ts';
import { counted, instant, wholeSecond } from '../format.ts';
import type { Display } from './display.ts';
import { monthText, STAGE_NAMES, waitingText } from './words.ts';

/** Stages that begin with a line of their own. The others are short, or are reported with the plan. */
const REPORTED: readonly MonthStage[] = ['exporting', 'downloading', 'done', 'failed'];
/** Milliseconds after which the line for a long stage, or for a reason to wait, is repeated. */
export const REPEAT_LINE_MS = 60_000;
/** The shortest wait that gets a line, ms: a shorter one is over before its line is read. */
export const SHORTEST_WAIT_MS = 3000;

/** Lines for a log: when, what, and how far. */
export function plainDisplay(write: (line: string) => void, now = Date.now): Display {
  const stages = new Map<string, MonthStage>();
  const waits = new Map<string, number>();
  let lastAt = 0;
  let lastPath = '';

  function line(text: string, at: number): void {
    lastAt = at;
    write(`${wholeSecond(at)} ${oneLine(text)}\n`);
  }

  function plan(event: Extract<PullEvent, { event: 'plan' }>, at: number): void {
    const kept = event.months.filter(({ stage }) => stage === 'kept').length;
    for (const { name, stage } of event.months) stages.set(name, stage);
    line(
      `plan: ${counted(event.months.length, 'month file')}, ${instant(event.from)} <= createdTime < ${instant(event.to)}, to ${event.out}${kept === 0 ? '' : `; ${kept} complete before`}`,
      at,
    );
  }

  function month(progress: MonthProgress, at: number): void {
    const { name, stage } = progress;
    const isNew = stages.get(name) !== stage;
    stages.set(name, stage);
    if (isNew ? !REPORTED.includes(stage) : at - lastAt < REPEAT_LINE_MS) return;
    const begins = isNew && (stage === 'exporting' || stage === 'downloading');
    const detail = begins ? '' : monthText(progress);
    line(`${name} ${STAGE_NAMES[stage]}${detail === '' ? '' : `: ${detail}`}`, at);
  }

  function waiting(wait: Waiting, at: number): void {
    if (wait.until - at < SHORTEST_WAIT_MS) return;
    const kind = `${wait.reason} ${wait.opens ?? ''}`;
    if (at - (waits.get(kind) ?? -Infinity) < REPEAT_LINE_MS) return;
    waits.set(kind, at);
    line(waitingText(wait, at), at);
  }

  return {
    event(event) {
      const at = now();
      switch (event.event) {
        case 'plan':
          return plan(event, at);
        case 'month':
          return month(event.month, at);
        case 'waiting':
          return waiting(event, at);
        case 'converting':
          if (event.path === lastPath && at - lastAt < REPEAT_LINE_MS) return;
          lastPath = event.path;
          return line(`writing ${event.path}: ${Math.floor(event.fraction * 100)} %`, at);
        case 'warning':
          return line(`warning: ${event.message}`, at);
        case 'done':
      }
    },
    stop: () => undefined,
  };
}
