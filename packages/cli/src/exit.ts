/** How a command ends; docs/cli.md lists them for scripts. */
export const EXIT = Object.freeze({
  /** All that was asked for is there. */
  complete: 0,
  failed: 1,
  usage: 2,
  /** sysexits' EX_TEMPFAIL: nothing is wrong here, the far side is closed or busy. */
  tryLater: 75,
  interrupted: 130,
  /** 128 + SIGPIPE, as a shell reports it: whoever read our output went away before we had ended. */
  closedPipe: 141,
});

/** A mistake in how a command was called. */
export class UsageError extends Error {
  override name = 'UsageError';
}
