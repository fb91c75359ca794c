import { writeFile } from 'node:fs/promises';

/** Debian's `libfaketime`, which changes the wall clock of one process. */
export const FAKETIME = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/faketime/libfaketimeMT.so.1`;

/** A wall clock that jumps while its process runs; the monotonic clock does not. */
export class Clock {
  readonly #file: string;
  /** The settings with which a process lives by this clock. */
  readonly environment: Readonly<Record<string, string>>;

  private constructor(file: string) {
    this.#file = file;
    this.environment = {
      LD_PRELOAD: FAKETIME,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      FAKETIME_DONT_RESET: '1',
    };
  }

  static async create(file: string): Promise<Clock> {
    const clock = new Clock(file);
    await clock.jumpTo(0);
    return clock;
  }

  /** @param offsetS seconds from the true time. */
  async jumpTo(offsetS: number): Promise<void> {
    await writeFile(this.#file, `${offsetS < 0 ? '-' : '+'}${Math.abs(offsetS)}s\n`);
  }
}
