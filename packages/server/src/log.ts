import { pino, stdTimeFunctions, type Logger } from 'pino';

export type { Logger };

/** One JSON line an event, on stderr: stdout carries only what a command was asked for. */
export function createLogger(level: string): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    // Synchronous, so that the last lines before an exit or a crash are not lost.
    pino.destination({ dest: 2, sync: true }),
  );
}
