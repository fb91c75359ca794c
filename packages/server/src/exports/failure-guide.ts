/** Describes each reason for a failure to the operator. */
import type { FailureCode } from '@tillroll/contract';

/** The meaning of a code for the operator. Its meaning for the client is in the contract. */
export interface FailureAdvice {
  /** The event, as a part of a sentence. */
  readonly happened: string;
  /** The remedy, in whole sentences. */
  readonly todo: string;
}

/** Every code, for `status`, `exports show` and the table in docs/operating.md. */
export const FAILURE_GUIDE: Readonly<Record<FailureCode, FailureAdvice>> = {
  SOURCE_UNAVAILABLE: {
    happened: 'the statement that reads the objects failed',
    todo: 'Read the error: a view over your own tables may be broken, or a right on it may be missing. Select from the view as the role of the service, then retry the export.',
  },
  SOURCE_BEHIND: {
    happened:
      'the standby that exports are read from did not have what was committed before the export, after a bounded wait',
    todo: 'Look at the lag of the standby (pg_stat_replication on the primary) and at what holds its replay up. When the error says that it left its primary, set TILLROLL_SOURCE_DATABASE_URL to a server that follows DATABASE_URL. Then retry the export.',
  },
  SOURCE_SILENT: {
    happened: 'the database sent no row for 5 minutes',
    todo: 'Look in pg_stat_activity for a lock that the statement waits for. Create the index that "Your own tables as the source" names if the view has none, then retry the export.',
  },
  SOURCE_DISORDERED: {
    happened: 'the rows came out of order, or were outside of the range',
    todo: 'Correct created_time in the view: it must be a number of milliseconds that the selection and the order see alike. Then retry the export.',
  },
  STORAGE_UNAVAILABLE: {
    happened:
      'files could not be written to the store, or the store is not the one of this database',
    todo: 'Read the error, then mount the directory, or correct its rights or TILLROLL_STORAGE_URL; for S3, check endpoint, keys and bucket. Retry the export once `status` says that the storage is good.',
  },
  STORAGE_FULL: {
    happened: 'the store is full, or its disk has less free space than TILLROLL_MIN_FREE_DISK',
    todo: 'Make room, enlarge the disk or the quota, or shorten TILLROLL_RETENTION. Then retry the export.',
  },
  OBJECT_TOO_LARGE: {
    happened: 'an object is above 64 MiB',
    todo: 'Find it with max(octet_length(object)) over the range, and load a smaller one in its place. Then retry the export.',
  },
  WORKER_LOST: {
    happened:
      'the export was interrupted more than 20 times: workers were killed, or lost their connection',
    todo: 'Look for the reason in the log of the workers and of the system, such as the out-of-memory killer or restarts in a loop. Then retry the export.',
  },
  INTERNAL: {
    happened: 'a fault that the program does not know',
    todo: 'Read the error and the log lines of the export. Retry it; if it fails again, report the error.',
  },
};

/** The table in docs/operating.md, in Markdown. */
export function failuresTable(): string {
  const rows = Object.entries(FAILURE_GUIDE).map(
    ([code, { happened, todo }]) => `| \`${code}\` | ${happened} | ${todo} |`,
  );
  return ['| code | what happened | what to do |', '|---|---|---|', ...rows].join('\n');
}
