import { resolve } from 'node:path';
import type { ExportApi } from '../api/export-api.ts';
import { Directory } from '../directory/directory.ts';
import type { DirectoryHead, State } from '../directory/state.ts';
import type { PullOptions } from './types.ts';
import {
  checkDates,
  checkOptions,
  checkTypesHaveColumns,
  chooseHead,
  type CheckedOptions,
} from './options.ts';

/** The directory of a pull, as far as it is known without a lease. */
export interface ChosenDirectory {
  checked: CheckedOptions;
  /** Absolute. */
  out: string;
  /** The settings that the directory is to have. */
  head: DirectoryHead;
  /** Its present state; undefined where no pull was. */
  state: State | undefined;
}

/**
 * Checks a pull's options against its directory. Asks no server and writes nothing: a bad date should leave no
 * directory behind.
 * @throws ExportError USAGE, DIRECTORY
 */
export async function chooseDirectory(
  api: ExportApi,
  options: PullOptions,
): Promise<ChosenDirectory> {
  const checked = checkOptions(options);
  const out = resolve(options.out);
  const state = await Directory.inspect(out);
  const head = chooseHead(api.source, options, state, out);
  checkDates(options, head.timezone);
  checkTypesHaveColumns(options, head, state);
  return { checked, out, head, state };
}
