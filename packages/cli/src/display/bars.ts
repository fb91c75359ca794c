import cliProgress, { type SingleBar } from 'cli-progress';
import { oneLine } from '../errors.ts';
import type { Display } from './display.ts';
import { layout, type DrawBar } from './layout.ts';
import { PullState } from './state.ts';
import { wrap, type Terminal } from './terminal.ts';

const FRAMES_A_SECOND = 5;
/** The whole, four ranges, what it waits for: more lines would be read by nobody. */
const MOST_LINES = 6;
/** The longest bar that a line may ask for. */
const BAR_SIZE = 60;

/** Progress that is drawn over in place. Lines that must stay (warnings, failures) go above it. */
export function barDisplay(
  stream: NodeJS.WriteStream,
  terminal: Terminal,
  converts: boolean,
  now = Date.now,
): Display {
  const state = new PullState(converts, now());
  let lines: string[] = [];
  const [complete, empty] = terminal.blocks;
  const options = {
    stream,
    fps: FRAMES_A_SECOND,
    hideCursor: true,
    clearOnComplete: true,
    // What is logged above moves the lines; a line that did not change must be drawn all the same.
    forceRedraw: true,
    // Signals end a command in order, and that stops this display.
    gracefulExit: false,
    barsize: BAR_SIZE,
    barGlue: '',
    barCompleteChar: complete,
    barIncompleteChar: empty,
  };
  const multi = new cliProgress.MultiBar({ ...options, format: '' });
  const slots: SingleBar[] = [];
  let running = true;

  const draw: DrawBar = (fraction, barsize) =>
    cliProgress.Format.BarFormat(Math.min(1, Math.max(0, fraction)), {
      ...options,
      barsize,
      barCompleteString: complete.repeat(barsize + 1),
      barIncompleteString: empty.repeat(barsize + 1),
    });

  // Lines are only ever added, and empty ones left blank: cli-progress leaves traces of removed ones.
  function refresh(): void {
    const size = {
      width: Math.max(1, (stream.columns || terminal.width) - 1),
      rows: Math.min(MOST_LINES, Math.max(1, (stream.rows || MOST_LINES + 1) - 1)),
    };
    lines = layout(state.snapshot(now()), size, draw, now());
    while (slots.length < lines.length) {
      const index = slots.length;
      slots.push(multi.create(100, 0, {}, { format: () => lines[index] ?? '' }));
    }
  }

  function log(style: 'red' | 'yellow', text: string): void {
    const width = Math.max(20, (stream.columns || terminal.width) - 1);
    // The display's own lines lie below: what is left of them is cleared.
    const shown = wrap(oneLine(text), width).map((line) => terminal.paint(style, line));
    multi.log(shown.map((line) => `${line}\u001b[K\n`).join(''));
  }

  function stop(): void {
    if (!running) return;
    running = false;
    process.removeListener('exit', stop);
    if (slots.length === 0) return;
    // Stopping does not write what is still to be logged.
    multi.update();
    multi.stop();
  }

  multi.on('update-pre', refresh);
  // A second Ctrl-C ends the process at once; the cursor must be back all the same.
  process.once('exit', stop);
  return {
    event(event) {
      if (!running) return;
      state.apply(event, now());
      if (event.event === 'plan') refresh();
      if (event.event === 'warning') log('yellow', `warning: ${event.message}`);
      if (event.event === 'range' && event.range.stage === 'failed')
        log('red', `${event.range.name} failed: ${event.range.message ?? ''}`);
    },
    stop,
  };
}
