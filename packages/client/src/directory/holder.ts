/** Describes the process that holds a lease, and tells whether it still runs. */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** The process that holds a lease, as it describes itself. */
export interface Holder {
  host: string;
  pid: number;
  /** Both null where the system does not tell: whether the process is alive is then unknown. */
  boot: string | null;
  namespace: string | null;
  /** The start of the process in clock ticks since boot: process ids are reused. */
  started: string | null;
  /** Random, to tell one lease from another of the same process. */
  token: string;
  /** Fixed length, so that a renewal overwrites the text before it. */
  counter: string;
}

function readOrNull(read: () => string): string | null {
  try {
    return read();
  } catch {
    return null;
  }
}

/** Reads the state (such as `Z`) and the start of a process; null where the system does not tell. */
function readProcess(pid: number | 'self'): { state: string; started: string } | null {
  const stat = readOrNull(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  if (stat === null) return null;
  // The name in brackets may hold anything. Behind it, the first field is the state, the 20th the start.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', started: fields[19] ?? '' };
}

function readBoot(): string | null {
  return readOrNull(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
}

function readNamespace(): string | null {
  return readOrNull(() => readlinkSync('/proc/self/ns/pid'));
}

/** Describes this process as the holder of a lease. */
export function describeSelf(token: string): Holder {
  return {
    host: hostname().slice(0, 255),
    pid: process.pid,
    boot: readBoot(),
    namespace: readNamespace(),
    started: readProcess('self')?.started ?? null,
    token,
    counter: '0'.padStart(12, '0'),
  };
}

/** Parses the holder that a lock file names; undefined when it names none. */
export function parseHolder(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Partial<Holder> | null;
    const isHolder =
      Number.isSafeInteger(holder?.pid) &&
      (holder?.pid ?? 0) > 0 &&
      typeof holder?.host === 'string' &&
      typeof holder.token === 'string';
    return isHolder ? (holder as Holder) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Tells whether a holder's process still runs. It can be looked for only in the same boot and the same pid namespace:
 * elsewhere its number belongs to another process, or to none.
 * @returns `unknown` also for a process that is stopped: it may never continue.
 */
export function readLiveness({
  pid,
  boot,
  namespace,
  started,
}: Holder): 'dead' | 'alive' | 'unknown' {
  if (boot === null || namespace === null) return 'unknown';
  if (boot !== readBoot() || namespace !== readNamespace()) return 'unknown';
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return 'dead';
  }
  const found = readProcess(pid);
  if (!found) return 'unknown';
  // A zombie has ended: only its parent has not noticed.
  if ('ZX'.includes(found.state) || (started !== null && found.started !== started)) return 'dead';
  return 'RS'.includes(found.state) && started !== null ? 'alive' : 'unknown';
}
