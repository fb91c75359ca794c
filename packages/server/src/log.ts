/** Makes the logger, which removes secrets from its lines. */
import { writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino';

export type { Logger };

/**
 * Tokens and signatures that came where none belong (a path, a body, a request id) and would be
 * repeated in a line. What comes in their proper places is never logged to begin with.
 */
const SECRETS = /(tr_[0-9A-Z]{13}_|signature=|access_token=)[^"&\\\s]+|()[0-9a-f]{64}/gi;

const STDERR = 2;
/** A pipe whose reader is slow, and which was made non-blocking, is tried again for so long. */
const BUSY_PAUSE_MS = 10;
const BUSY_TRIES = 100;

/** One JSON line an event, on stderr: stdout carries only what a command was asked for. */
export function createLogger(level: string): Logger {
  return pino(
    {
      level,
      // Which of several processes on several machines says so.
      base: { host: hostname(), pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      hooks: { streamWrite: (line) => line.replace(SECRETS, '$1[hidden]') },
      formatters: { level: (label) => ({ level: label }) },
    },
    new LineWriter(STDERR),
  );
}

/**
 * Writes lines to a descriptor synchronously, so that the last ones before an exit or a crash are not
 * lost. A line that cannot be written, as on a full disk, is dropped and counted: the log must not
 * stop what it tells of.
 */
export class LineWriter implements DestinationStream {
  readonly #descriptor: number;
  #lost = 0;
  #isTorn = false;
  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  write(line: string): void {
    try {
      if (this.#lost > 0) {
        // A line that was written in part ends here.
        this.#writeAll(`${this.#isTorn ? '\n' : ''}${this.#lossLine()}`);
        this.#lost = 0;
      }
      this.#writeAll(line);
    } catch {
      this.#lost++;
    }
  }

  #lossLine(): string {
    const msg = 'log lines were lost: stderr could not be written';
    const time = new Date().toISOString();
    return `${JSON.stringify({ level: 'error', time, host: hostname(), pid: process.pid, lines: this.#lost, msg })}\n`;
  }

  #writeAll(text: string): void {
    const bytes = Buffer.from(text);
    let busy = 0;
    for (let at = 0; at < bytes.length;) {
      try {
        at += writeSync(this.#descriptor, bytes, at);
        this.#isTorn = at < bytes.length;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || ++busy > BUSY_TRIES) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BUSY_PAUSE_MS);
      }
    }
  }
}
