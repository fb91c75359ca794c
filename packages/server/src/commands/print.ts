/** Prints a command's result on stdout, and notices when that fails. */
import { findErrorCode } from '../errors.ts';

/** stdout took nothing more. */
export class PrintError extends Error {
  override name = 'PrintError';
  /** True when the reader, such as `head`, closed the pipe: not an error of most commands. */
  readonly isClosedPipe: boolean;
  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.isClosedPipe = findErrorCode(cause) === 'EPIPE';
  }
}

/**
 * Writes text to stdout and waits until the system has taken it.
 * @throws PrintError
 */
export function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => {
      if (error) reject(new PrintError('the output could not be written to stdout', error));
      else resolve();
    });
  });
}
