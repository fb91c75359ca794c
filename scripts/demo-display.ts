import { MultiBar, Presets } from 'cli-progress';

/** Progress while one waits: bars on a terminal, a line a range elsewhere. */
export interface Display {
  /** @param done ranges finished, with the running one as a fraction. */
  progress(name: string, done: number): void;
  stop(): void;
}

export function createDisplay(names: readonly string[], total: number): Display {
  return process.stdout.isTTY ? bars(names, total) : lines(total);
}

function bars(names: readonly string[], total: number): Display {
  const multi = new MultiBar(
    {
      format: '{name} {bar} {percentage}%',
      hideCursor: true,
      clearOnComplete: false,
      gracefulExit: false,
    },
    Presets.shades_classic,
  );
  const width = Math.max(...names.map((name) => name.length));
  const byName = new Map(
    names.map((name) => [name, multi.create(total, 0, { name: name.padEnd(width) })]),
  );
  return {
    progress: (name, done) => byName.get(name)?.update(done),
    stop: () => multi.stop(),
  };
}

function lines(total: number): Display {
  const seen = new Map<string, number>();
  return {
    progress(name, done) {
      const whole = Math.floor(done);
      if (whole === 0 || seen.get(name) === whole) return;
      seen.set(name, whole);
      console.log(`${name}: range ${whole} of ${total}`);
    },
    stop: () => undefined,
  };
}
