/** Finds the flag for an option of the library, so that a message names what the user typed. */
import type { ConnectionOptions } from '@tillroll/client';
import type { PullOptions } from '@tillroll/client/files';

/** The library's options that a usage error may be about. */
type OptionName =
  | keyof ConnectionOptions
  | Exclude<keyof PullOptions, 'tables' | 'signal' | 'onProgress'>
  | 'timeoutMs'
  | 'exportId';

/**
 * The command's name for each of the library's options. A URL, a merchant and a token may come
 * from a flag, the environment or a profile, so they are not called by their flag.
 */
const FLAGS: Readonly<Record<OptionName, string>> = {
  url: 'the URL',
  merchant: 'the merchant',
  token: 'the token',
  types: '--types',
  from: '--from',
  to: '--to',
  timezone: '--timezone',
  out: '--out',
  format: '--format',
  columns: '--columns',
  csvBom: '--csv-bom',
  gzip: '--gzip',
  fileMode: '--file-mode',
  sinceLast: '--since-last',
  overlapMs: '--overlap',
  concurrency: '--concurrency',
  downloads: '--parallel',
  timeoutMs: '--timeout',
  exportId: '<id>',
};

/** The command's name for an option of the library; undefined for one that it does not have. */
export function findFlag(option: string | undefined): string | undefined {
  return option !== undefined && Object.hasOwn(FLAGS, option)
    ? FLAGS[option as OptionName]
    : undefined;
}
