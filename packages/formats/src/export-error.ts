import { ExportError } from '@tillroll/client';

/** Of the system, in the order in which they are worth looking for in a message. */
const DISK = /ENOSPC|EDQUOT|EIO|EROFS|EFBIG|No space left|Disk quota|IO Error/;
const MEMORY = /Out of Memory Error/;
const TWICE = /duplicate key "([^"]*)"/i;
const NOT_JSON = /Malformed JSON|Invalid unicode|Conversion Error/;

/** What a failed conversion was about, for the caller; a fault of our own stays as it is. */
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
