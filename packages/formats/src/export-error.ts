/** Turns errors of DuckDB and of the disk into errors of the client library. */
import { ExportError } from '@tillroll/client';

/** Faults of the disk, as codes and messages name them. */
const DISK = /ENOSPC|EDQUOT|EIO|EROFS|EFBIG|No space left|Disk quota|IO Error/;
const MEMORY = /Out of Memory Error/;
const TWICE = /duplicate key "([^"]*)"/i;
const NOT_JSON = /Malformed JSON|Invalid unicode|Conversion Error/;

/** Makes the error of a failed conversion that the caller can act on. Other errors stay as they are. */
export function toExportError(cause: unknown, signal: AbortSignal, what: string): unknown {
  if (signal.aborted) return new ExportError('INTERRUPTED', `${what}: interrupted`, { cause });
  if (cause instanceof ExportError || !(cause instanceof Error)) return cause;
  const { code = '' } = cause as NodeJS.ErrnoException;
  const [line = ''] = cause.message.split('\n');
  if (MEMORY.test(cause.message)) {
    return new ExportError('DISK', `${what}: not enough memory`, {
      hint: 'Use a machine with more memory, or CSV, which needs little.',
      cause,
    });
  }
  if (DISK.test(code) || DISK.test(line)) {
    return new ExportError('DISK', `${what}: ${line}`, {
      hint: 'Free some disk space, then run the same again: what was downloaded is kept.',
      cause,
    });
  }
  const twice = TWICE.exec(line);
  if (twice) {
    return new ExportError('DUPLICATE_ID', `${what}: the same id twice: ${twice[1]}`, { cause });
  }
  if (NOT_JSON.test(line)) {
    return new ExportError('BAD_FILE', `${what}: ${line}`, { cause });
  }
  return cause;
}
