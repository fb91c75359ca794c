/**
 * Reads memory, processor time and open files of a process from /proc: null on another system, or when it has ended.
 */
import { readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const KIB = 1024;
/** Ticks of the processor's accounting in a second: 100 on every Linux that Node runs on. */
const TICKS = 100;

async function readMegabytes(pid: number, member: string): Promise<number | null> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kibibytes = new RegExp(`^${member}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
  return kibibytes === undefined ? null : (Number(kibibytes) * KIB) / 1e6;
}

/** Resident memory now, MB. */
export function readMemory(pid: number): Promise<number | null> {
  return readMegabytes(pid, 'VmRSS');
}

/** The most resident memory since `resetPeak`, MB. */
export function readPeak(pid: number): Promise<number | null> {
  return readMegabytes(pid, 'VmHWM');
}

/** Lets the peak start again from what is resident now. @returns false where that is not allowed. */
export async function resetPeak(pid: number): Promise<boolean> {
  return writeFile(`/proc/${pid}/clear_refs`, '5').then(
    () => true,
    () => false,
  );
}

/** Seconds of processor time so far. */
export async function readCpuSeconds(pid: number): Promise<number | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (text === null) return null;
  // The name, in parentheses, may hold blanks; user and system time are the 12th and 13th behind it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Open descriptors. */
export async function countDescriptors(pid: number): Promise<number | null> {
  return readdir(`/proc/${pid}/fd`).then(
    (names) => names.length,
    () => null,
  );
}

/** Looking at more links than this would cost more than it tells. */
const MAX_LINKS = 4_000;

/** Megabytes on disk of files that the process has open below `directory`: also of those without a name. */
export async function readOpenFiles(pid: number, directory: string): Promise<number | null> {
  const names = await readdir(`/proc/${pid}/fd`).catch(() => null);
  if (names === null || names.length > MAX_LINKS) return null;
  let bytes = 0;
  for (const name of names) {
    const path = join(`/proc/${pid}/fd`, name);
    const target = await readlink(path).catch(() => '');
    if (!target.startsWith(`${directory}/`)) continue;
    bytes += await stat(path).then(
      ({ blocks }) => blocks * 512,
      () => 0,
    );
  }
  return bytes / 1e6;
}
