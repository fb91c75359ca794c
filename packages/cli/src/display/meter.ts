/** Shows the progress of a single thing, such as a download, on a terminal or in a log. */
import type { Context } from '../context.ts';
import { oneLine } from '../errors.ts';
import { wholeSecond } from '../format.ts';
import { detectTerminal, drawBar, fit } from './terminal.ts';

/** Progress of one thing: a line that is drawn over, or a line in a log now and then. */
export interface Meter {
  /** @param fraction 0 to 1. @param stage a change of it is logged at once. */
  update(fraction: number, stage: string, detail?: string): void;
  /** Shows what is waited for, until the next update. */
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
  const { live } = detectTerminal(context);
  return live && !flags.plain ? liveMeter(context) : lineMeter(context);
}

function lineMeter({ stderr }: Context, now = Date.now): Meter {
  let last = '';
  let lastAt = -Infinity;
  const line = (text: string) => void stderr.write(`${wholeSecond(now())} ${oneLine(text)}\n`);
  function isDue(stage: string): boolean {
    if (stage === last && now() - lastAt < AGAIN_MS) return false;
    last = stage;
    lastAt = now();
    return true;
  }
  return {
    update(fraction, stage, detail = '') {
      if (isDue(stage)) line(`${stage} ${Math.floor(fraction * 100)} % ${detail}`);
    },
    waiting(text) {
      if (isDue('waiting')) line(text);
    },
    stop: () => undefined,
  };
}

async function liveMeter(context: Context): Promise<Meter> {
  // log-update is loaded only on a terminal.
  const { startLiveArea } = await import('./live-area.ts');
  const bar = drawBar(detectTerminal(context).blocks);
  let done = 0;
  let words = '';
  const area = startLiveArea(context, ({ width }) => [
    fit(`${bar(done, BAR_SIZE)} ${Math.floor(done * 100)} %  ${oneLine(words)}`, width),
  ]);
  return {
    update(fraction, stage, detail = '') {
      done = fraction;
      words = `${stage}  ${detail}`;
    },
    waiting(text) {
      words = text;
    },
    stop: () => area.stop(),
  };
}
