import { hostname } from 'node:os';
import { pino, stdTimeFunctions, type Logger } from 'pino';

export type { Logger };

/**
 * Tokens and signatures that came where none belong (a path, a body, a request id) and would be
 * repeated in a line. What comes in their proper places is never logged to begin with.
 */
const SECRETS = /(tr_[0-9A-Z]{13}_|signature=|access_token=)[^"&\\\s]+|()[0-9a-f]{64}/gi;

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
    // Synchronous, so that the last lines before an exit or a crash are not lost.
    pino.destination({ dest: 2, sync: true }),
  );
}
