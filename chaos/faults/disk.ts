import { execFile } from 'node:child_process';
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** A small disk in memory, mounted on a directory, that can be filled and freed. */
export class SmallDisk implements AsyncDisposable {
  readonly #directory: string;
  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async mount(directory: string, mebibytes: number): Promise<SmallDisk> {
    await mkdir(directory, { recursive: true });
    const options = `size=${mebibytes}m,mode=700`;
    await execute('mount', ['-t', 'tmpfs', '-o', options, 'tillroll-chaos', directory]);
    return new SmallDisk(directory);
  }

  get #ballast(): string {
    return join(this.#directory, 'ballast');
  }

  /** Leaves so many bytes free. */
  async fill(leaving: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.#directory);
    const ballast = Buffer.alloc(Math.max(0, bavail * bsize - leaving));
    await writeFile(this.#ballast, ballast).catch((error: NodeJS.ErrnoException) => {
      // An export that wrote meanwhile left less room than there was: the disk is as full as it can be.
      if (error.code !== 'ENOSPC') throw error;
    });
  }

  async free(): Promise<void> {
    await rm(this.#ballast, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await execute('umount', ['-l', this.#directory]);
  }
}
