/** Exit codes, and the error of a wrong call. */

/** Exit codes; docs/cli.md lists them for scripts. */
export const EXIT = Object.freeze({
  /** All that was asked for is there. */
  complete: 0,
  failed: 1,
  usage: 2,
  /** EX_TEMPFAIL of sysexits: the server is closed or busy. */
  tryLater: 75,
  interrupted: 130,
  /** 128 + SIGPIPE, as a shell reports it: the reader of stdout closed the pipe. */
  closedPipe: 141,
});

/** A mistake in how a command was called. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** A value in an error message: quoted, and cut when it is long. */
export function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
