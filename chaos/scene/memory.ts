import { readFile } from 'node:fs/promises';

/** Reads the resident memory of a process, in MB. @throws where /proc does not tell. */
export async function readMemoryMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kilobytes = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN);
  if (!Number.isFinite(kilobytes)) throw new Error(`process ${pid} has no resident memory`);
  return kilobytes / 1024;
}

/** Finds the growth of memory in MB: the median of the last quarter of the samples over that of the second. */
export function findGrowth(samples: readonly number[]): number {
  const quarter = Math.floor(samples.length / 4);
  const median = (part: readonly number[]): number =>
    part.toSorted((a, b) => a - b)[Math.floor(part.length / 2)] ?? 0;
  return median(samples.slice(-quarter)) - median(samples.slice(quarter, 2 * quarter));
}
