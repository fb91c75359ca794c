import { open, rename, rm } from 'node:fs/promises';

/** Where a file is written before it is complete. */
export function partOf(path: string): string {
  return `${path}.part`;
}

/** Makes the part file the file, so that a power cut leaves either all of it or what was before. */
export async function place(path: string): Promise<void> {
  const file = await open(partOf(path), 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(partOf(path), path);
}

export async function removePart(path: string): Promise<void> {
  await rm(partOf(path), { force: true });
}
