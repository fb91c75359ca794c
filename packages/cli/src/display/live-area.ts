/** Draws the last lines of a terminal over and over, in place. */
import { createLogUpdate } from 'log-update';
import type { Context } from '../context.ts';
import { MAX_WIDTH, PLAIN_WIDTH } from './terminal.ts';

const FRAME_MS = 200;
const PLAIN_ROWS = 24;

/** Room for drawing, in characters and lines. */
export interface Size {
  width: number;
  rows: number;
}

/** The last lines of a terminal, which are drawn over in place. */
export interface LiveArea {
  /** Writes a line above the area, where it stays. */
  keep(line: string): void;
  redraw(): void;
  /** Erases the area and shows the cursor again. */
  stop(): void;
}

/** Draws on stderr until it is stopped. @param draw gives the lines of a frame. */
export function startLiveArea(context: Context, draw: (size: Size) => string[]): LiveArea {
  const { stderr } = context;
  // Some pseudo-terminals have a size of 0 by 0. log-update takes the size from the stream.
  stderr.columns ||= PLAIN_WIDTH;
  stderr.rows ||= PLAIN_ROWS;
  const update = createLogUpdate(stderr);

  function redraw(): void {
    if (!running) return;
    const lines = draw({
      width: Math.max(1, Math.min(MAX_WIDTH, stderr.columns) - 1),
      rows: Math.max(1, stderr.rows - 1),
    });
    if (lines.length === 0) update.clear();
    else update(lines.join('\n'));
  }

  function stop(): void {
    if (!running) return;
    running = false;
    clearInterval(timer);
    stderr.off('resize', redraw);
    context.restoreTerminal = () => undefined;
    update.clear();
    update.done();
  }

  let running = true;
  const timer = setInterval(redraw, FRAME_MS);
  stderr.on('resize', redraw);
  context.restoreTerminal = stop;
  return {
    keep(line) {
      if (!running) return;
      update.persist(line);
      redraw();
    },
    redraw,
    stop,
  };
}
