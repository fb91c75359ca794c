import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Mounts a small file system, of 1 MiB unless told otherwise, on a directory. @returns what unmounts it. */
export function mountSmall(directory: string, mib = 1): () => void {
  const args = ['-t', 'tmpfs', '-o', `size=${mib}m,mode=700`, 'tillroll-test', directory];
  execFileSync('mount', args, { stdio: 'ignore' });
  return () => void execFileSync('umount', [directory]);
}

/** Gives a file system that `mountSmall` mounted another size. */
export function resize(directory: string, mib: number): void {
  execFileSync('mount', ['-o', `remount,size=${mib}m`, directory], { stdio: 'ignore' });
}

/** Tells whether this process may mount a small file system, to fill it. */
export const canMount = ((): boolean => {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const directory = mkdtempSync(join(tmpdir(), 'tillroll-mount-'));
  try {
    mountSmall(directory)();
    return true;
  } catch {
    return false;
  } finally {
    rmdirSync(directory);
  }
})();
