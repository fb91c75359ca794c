/** Checks a pull's options against its directory before anything is changed. */
import { resolve } from 'node:path';
import type { ExportApi } from '../api/export-api.ts';
import { Directory } from '../directory/directory.ts';
import type { DirectorySettings, State } from '../directory/state.ts';
import type { PullOptions } from './types.ts';
import {
  checkDates,
  checkOptions,
  checkTypesHaveColumns,
  chooseSettings,
  type CheckedOptions,
} from './options.ts';

/** The directory of a pull, as it is known without a lease. */
export interface ChosenDirectory {
  checked: CheckedOptions;
  /** Absolute. */
  out: string;
  /** The settings that the directory is to have. */
  settings: DirectorySettings;
  /** Its present state; undefined where no pull was. */
  state: State | undefined;
}

/**
 * Checks a pull's options against its directory. Asks no server and writes nothing, so that a bad date leaves no
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
  const settings = chooseSettings(api.source, options, state, out);
  checkDates(options, settings.timezone);
  checkTypesHaveColumns(options, settings, state);
  return { checked, out, settings, state };
}
