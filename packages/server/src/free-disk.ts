/** Tells how much room a disk has. */
import { statfs } from 'node:fs/promises';

/** Bytes that may still be written to the disk of a directory that exists. */
export async function readFreeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}
