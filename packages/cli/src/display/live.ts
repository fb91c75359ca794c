/** The display on a terminal: progress drawn in place. */
import type { Context } from '../context.ts';
import { oneLine } from '../errors.ts';
import type { Display } from './display.ts';
import { layout } from './layout.ts';
import { startLiveArea } from './live-area.ts';
import { PullState } from './pull-state.ts';
import { drawBar, type Terminal } from './terminal.ts';

/** The whole, four months, and what the pull waits for. */
const MAX_LINES = 6;

/**
 * Progress that is drawn over in place. Warnings and failures stay above it.
 */
export function liveDisplay(context: Context, terminal: Terminal): Display {
  const state = new PullState(Date.now());
  const bar = drawBar(terminal.blocks);
  const area = startLiveArea(context, ({ width, rows }) => {
    const now = Date.now();
    return layout(state.snapshot(now), { width, rows: Math.min(MAX_LINES, rows) }, bar, now);
  });
  return {
    event(event) {
      state.apply(event, Date.now());
      if (event.event === 'plan') area.redraw();
      if (event.event === 'warning')
        area.keep(terminal.paint('yellow', oneLine(`warning: ${event.message}`)));
      if (event.event === 'month' && event.month.stage === 'failed') {
        const { name, message = '' } = event.month;
        area.keep(terminal.paint('red', oneLine(`${name} failed: ${message}`)));
      }
    },
    stop: () => area.stop(),
  };
}
