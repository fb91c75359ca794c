/** An output directory in use: its state, and safe replacement of its files. */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import type { ExportType } from '@tillroll/contract';
import { ExportError } from '../errors.ts';
import { findDamaged, type Damage } from './damage.ts';
import { makeDirectory, syncFile, syncDirectory, writeSynced } from '../disk/write.ts';
import * as layout from './layout.ts';
import { Lease, type LeaseOptions } from './lease.ts';
import { formatChecksums, formatReceipt, makeReceipt } from './make-receipt.ts';
import { OWN_FOLDER_MODE, prepareDirectory } from './prepare.ts';
import type { Receipt } from './receipt.ts';
import { noteMade, replaceFiles } from './replace.ts';
import { checkFile, checkFolder } from '../disk/entries.ts';
import {
  emptyState,
  isStagedName,
  OWN_FILE_MODE,
  readState,
  writeState,
  type DirectorySettings,
  type State,
} from './state.ts';

/** A staged file, and the name that it gets. */
export interface Replacement {
  /** Absolute path below a folder that `stageFolder` gave. */
  staged: string;
  /** Relative path, as the layout makes it. */
  path: string;
}

/** Temporary files of a state or a lease whose process was killed. */
const STRAYS = /^(?:state\.json|lock)\../;

/**
 * An output directory, held by this process alone. What it holds changes in two ways: `update` writes
 * the state, `commit` replaces files as well. Both are safe at any kill, and the calls of several months
 * take turns.
 */
export class Directory implements AsyncDisposable {
  /** Absolute. */
  readonly out: string;
  readonly #lease: Lease;
  #state: State;
  #turn: Promise<unknown> = Promise.resolve();
  #stagedFolders = 0;

  private constructor(out: string, lease: Lease, state: State) {
    this.out = out;
    this.#lease = lease;
    this.#state = state;
  }

  /**
   * Reads the state of a directory. Takes no lease and changes nothing.
   * @returns undefined when no pull was there.
   * @throws ExportError DIRECTORY when it was written by another version, is damaged, or others may write it.
   */
  static async inspect(out: string): Promise<State | undefined> {
    return readState(resolve(out), true);
  }

  /**
   * Takes the lease of a directory, and completes what a killed pull left half done. A directory
   * that holds a state keeps it; `settings` are for a new one.
   * @throws ExportError DIRECTORY, LOCKED, INTERRUPTED; system errors as they are (`toDiskError`).
   */
  static async open(
    out: string,
    settings: DirectorySettings,
    options: LeaseOptions,
  ): Promise<Directory> {
    const path = resolve(out);
    await prepareDirectory(path, settings.fileMode);
    const lease = await Lease.acquire(path, options);
    try {
      const state = (await readState(path, true)) ?? emptyState(settings);
      const directory = new Directory(path, lease, state);
      await directory.#recover();
      return directory;
    } catch (error) {
      await lease[Symbol.asyncDispose]();
      throw error;
    }
  }

  get state(): Readonly<State> {
    return this.#state;
  }

  get layout(): layout.Layout {
    const { format, gzip } = this.#state;
    return { out: this.out, format, gzip };
  }

  /** Relative path of a month's JSON lines. */
  linesPath(type: ExportType, month: string): string {
    return layout.linesPath(this.#state, type, month);
  }

  /** Absolute path of the folder of an export's raw files. */
  partsFolder(exportId: string): string {
    return this.#absolute(layout.partsPath(exportId));
  }

  /** Makes a new, empty folder for files that will be committed, or for temporary ones. @returns its absolute path. */
  async stageFolder(): Promise<string> {
    const path = join(this.#absolute(layout.STAGING), String(++this.#stagedFolders));
    await mkdir(path, { mode: OWN_FOLDER_MODE });
    return path;
  }

  /** Replaces the state by a changed copy. @throws ExportError LOCKED when the lease was lost */
  async update(change: (draft: State) => void): Promise<void> {
    return this.#exclusive(async () => {
      const draft = structuredClone(this.#state);
      change(draft);
      await this.#write(draft);
    });
  }

  /**
   * Changes the state and replaces files as one step: after a kill, all of it happens, or none. The receipt
   * and SHA256SUMS are replaced last. Files of months that the change removes are deleted first.
   * @param replaced in the order of their renaming; each staged file is made durable first.
   * @param reasons why something is missing, by name, for the receipt.
   * @throws ExportError DIRECTORY when a file is in the way that no pull made; LOCKED
   */
  async commit(
    change: (draft: State) => void,
    replaced: readonly Replacement[],
    reasons: ReadonlyMap<string, string>,
  ): Promise<Receipt> {
    return this.#exclusive(async () => {
      const draft = structuredClone(this.#state);
      change(draft);
      const receipt = makeReceipt(draft, reasons);
      const all = [...replaced, ...(await this.#stageReceipt(receipt))];
      for (const { staged, path } of all) {
        await this.checkReplaceable(path);
        await syncFile(staged, this.#fileMode(path));
        await syncDirectory(dirname(staged));
      }
      draft.pending = all.map(({ staged, path }) => ({ staged: this.#stagedName(staged), path }));
      noteMade(draft);
      await this.#write(draft);
      await this.#finishPending();
      return receipt;
    });
  }

  /**
   * Checks that a pull may give a file this name.
   * @param path relative. @throws ExportError DIRECTORY when something is there that no pull made.
   */
  async checkReplaceable(path: string): Promise<void> {
    const parsed = layout.parsePath(this.#state, path);
    if (!parsed) throw new TypeError(`not a path of this directory: ${path}`);
    const final = this.#absolute(path);
    await checkFolder(dirname(final));
    if (!(await checkFile(final)) || layout.isOwnPath(path)) return;
    if (!this.#state.made.includes(path))
      throw new ExportError('DIRECTORY', `${final} was not made by a pull`, {
        hint: 'Move it away, then run the pull again',
      });
    // DuckDB would apply the changes of the old file to the new one.
    if (parsed.kind === 'database' && (await checkFile(`${final}.wal`)))
      throw new ExportError('DIRECTORY', `another program changes ${final}: there is a .wal file`, {
        hint: 'Close the program, or delete both files; then run the pull again',
      });
  }

  /** Finds the files of the state that are missing or have another length. Their content is not read. */
  async findDamaged(): Promise<Damage[]> {
    return findDamaged(this.out, this.#state);
  }

  /** Removes the raw files of exports that are no longer needed. */
  async sweepParts(keep: ReadonlySet<string>): Promise<void> {
    const folder = this.#absolute(layout.PARTS);
    for (const name of await readdir(folder)) {
      if (keep.has(name)) continue;
      await this.#lease.check();
      await rm(join(folder, name), { recursive: true, force: true });
    }
  }

  /** Empties the staging folder and releases the lease. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turn.catch(() => undefined);
    // When the lease was lost or the disk fails, the next pull empties it.
    if (this.#state.pending.length === 0) await this.#emptyStaging().catch(() => undefined);
    await this.#lease[Symbol.asyncDispose]();
  }

  #absolute(path: string): string {
    return layout.absolutePath(this, path);
  }

  #fileMode(path: string): number {
    return layout.isOwnPath(path) ? OWN_FILE_MODE : this.#state.fileMode;
  }

  #stagedName(staged: string): string {
    const name = relative(this.#absolute(layout.STAGING), staged).replaceAll(sep, '/');
    if (isStagedName(name)) return name;
    throw new TypeError(`not a staged file: ${staged}`);
  }

  /** Runs one change at a time, each on a directory where nothing is half done. */
  async #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn
      .catch(() => undefined)
      .then(async () => {
        await this.#finishPending();
        return work();
      });
    this.#turn = turn;
    return turn;
  }

  async #write(state: State): Promise<void> {
    await writeState(this.out, state, this.#lease.token, () => this.#lease.check());
    this.#state = state;
  }

  async #recover(): Promise<void> {
    for (const path of [layout.PARTS, layout.STAGING])
      await makeDirectory(this.#absolute(path), OWN_FOLDER_MODE);
    await this.#finishPending();
    const own = this.#absolute(layout.OWN);
    for (const name of await readdir(own))
      if (STRAYS.test(name)) await rm(join(own, name), { force: true });
    await this.#emptyStaging();
    await this.#write(this.#state);
    await syncDirectory(this.out);
  }

  async #emptyStaging(): Promise<void> {
    const folder = this.#absolute(layout.STAGING);
    await this.#lease.check();
    for (const name of await readdir(folder))
      await rm(join(folder, name), { recursive: true, force: true });
  }

  async #stageReceipt(receipt: Receipt): Promise<Replacement[]> {
    const folder = await this.stageFolder();
    const text = formatReceipt(receipt);
    const replacements: Replacement[] = [];
    for (const [path, content] of [
      [layout.RECEIPT_FILE, text],
      [layout.CHECKSUMS_FILE, formatChecksums(receipt, text)],
    ] as const) {
      const staged = join(folder, path);
      await writeSynced(staged, content, this.#state.fileMode);
      replacements.push({ staged, path });
    }
    return replacements;
  }

  /** Replaces and removes the files that the state names; after a kill, those that are left. */
  async #finishPending(): Promise<void> {
    const { pending, obsolete } = this.#state;
    if (pending.length === 0 && obsolete.length === 0) return;
    await replaceFiles(this.out, this.#state, () => this.#lease.check());
    await this.#write({ ...this.#state, pending: [], obsolete: [] });
  }
}
