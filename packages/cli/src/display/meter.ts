import type { Context } from '../context.ts';
import { oneLine } from '../errors.ts';
import { wholeSecond } from './instant.ts';
import { fit, terminalOf } from './terminal.ts';

/** Progress of one thing: a line that is drawn over, or now and then a line in a log. */
export interface Meter {
  /** @param fraction 0 to 1. @param stage a change of it is told in a log at once. */
  update(fraction: number, stage: string, detail?: string): void;
  /** What it waits for, until the next update. */
  waiting(text: string): void;
  stop(): void;
}

const AGAIN_MS = 30_000;
const BAR_SIZE = 24;

const SILENT_METER: Meter = {
  update: () => undefined,
  waiting: () => undefined,
  stop: () => undefined,
};

export interface MeterFlags {
  plain?: boolean;
  quiet?: boolean;
}

export async function createMeter(context: Context, flags: MeterFlags): Promise<Meter> {
  if (flags.quiet) return SILENT_METER;
  const { live } = terminalOf(context);
  return live && !flags.plain ? barMeter(context) : lineMeter(context);
}

function lineMeter({ stderr }: Context, now = Date.now): Meter {
  let last = '';
  let lastAt = -Infinity;
  const line = (text: string) => void stderr.write(`${wholeSecond(now())} ${oneLine(text)}\n`);
  function told(key: string): boolean {
    if (key === last && now() - lastAt < AGAIN_MS) return true;
    last = key;
    lastAt = now();
    return false;
  }
  return {
    update(fraction, stage, detail = '') {
      if (!told(stage)) line(`${stage} ${Math.floor(fraction * 100)} % ${detail}`);
    },
    waiting(text) {
      if (!told('waiting')) line(text);
    },
    stop: () => undefined,
  };
}

async function barMeter(context: Context): Promise<Meter> {
  // The library of the bars is loaded only where there is a terminal.
  const { Format, SingleBar } = (await import('cli-progress')).default;
  const { stderr } = context;
  const { blocks, width } = terminalOf(context);
  let words = '';
  const bar = new SingleBar({
    stream: stderr,
    fps: 5,
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
    barsize: BAR_SIZE,
    barCompleteChar: blocks[0],
    barIncompleteChar: blocks[1],
    format: (options, { progress }) =>
      fit(
        `${Format.BarFormat(progress, options)} ${Math.floor(progress * 100)} %  ${words}`,
        (stderr.columns || width) - 1,
      ),
  });
  let running = true;
  const stop = () => {
    if (!running) return;
    running = false;
    process.removeListener('exit', stop);
    bar.stop();
  };
  // A second Ctrl-C ends the process at once; the cursor must be back all the same.
  process.once('exit', stop);
  bar.start(1, 0);
  return {
    update(fraction, stage, detail = '') {
      words = `${stage}  ${detail}`;
      bar.update(fraction);
    },
    waiting(text) {
      words = text;
      bar.update({});
    },
    stop,
  };
}
