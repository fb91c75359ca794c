/** Watches the service's memory and disk during an attack. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Service } from '../service.ts';
import { countDescriptors, readMemory, readOpenFiles } from './process.ts';

const SAMPLE_MS = 100;
/** Above this the attack has shown what it can do, and the machine is needed for more. */
export const MAX_MEMORY_MB = 2_500;
export const MAX_SPOOL_MB = 3_000;

export interface Peaks {
  memoryMb: number | null;
  descriptors: number | null;
  spoolMb: number | null;
  /** The attack was ended early: the service took more memory or disk than the suite allows it. */
  isRunaway: boolean;
}

function most(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b);
}

/** Samples the service until the signal aborts. @param onRunaway called once, above the suite's bounds. */
export async function watch(
  service: Service,
  signal: AbortSignal,
  onRunaway: () => void,
): Promise<Peaks> {
  const peaks: Peaks = { memoryMb: null, descriptors: null, spoolMb: null, isRunaway: false };
  for (let n = 0; !signal.aborted; n++) {
    peaks.memoryMb = most(peaks.memoryMb, await readMemory(service.pid));
    peaks.descriptors = most(peaks.descriptors, await countDescriptors(service.pid));
    if (n % 5 === 0)
      peaks.spoolMb = most(peaks.spoolMb, await readOpenFiles(service.pid, service.spool));
    const isRunaway = (peaks.memoryMb ?? 0) > MAX_MEMORY_MB || (peaks.spoolMb ?? 0) > MAX_SPOOL_MB;
    if (isRunaway && !peaks.isRunaway) {
      peaks.isRunaway = true;
      onRunaway();
    }
    await delay(SAMPLE_MS, undefined, { signal }).catch(() => undefined);
  }
  return peaks;
}
