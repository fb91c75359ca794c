import { execFile } from 'node:child_process';
import { readFile, readlink, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { hasCode } from './directories.ts';

const execute = promisify(execFile);

/** The content of postmaster.pid. A postmaster writes it first, and adds lines while it starts. */
export interface PostmasterStatus {
  readonly pid: number;
  /** The directory of its socket, once it listens. */
  readonly host: string | null;
  readonly port: number;
}

/** Reads postmaster.pid; null when it is missing. A file that was copied from another data directory has no host. */
export async function readPostmasterStatus(data: string): Promise<PostmasterStatus | null> {
  const text = await readFile(join(data, 'postmaster.pid'), 'utf8').catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  });
  if (text === null) return null;
  const [pid = '', directory, , port = '', host] = text.split('\n').map((line) => line.trim());
  const here = directory === data;
  return {
    pid: Number.parseInt(pid, 10) || 0,
    host: here && host ? host : null,
    port: Number.parseInt(port, 10) || 0,
  };
}

/**
 * Tells whether this process is the postmaster of this directory: a pid alone may long be another's
 * (after a reboot, in a container), and a zombie that nobody reaps still has its pid.
 */
export async function isPostmaster(pid: number, data: string): Promise<boolean> {
  if (pid <= 0) return false;
  if (process.platform !== 'linux') {
    const { stdout } = await execute('ps', ['-o', 'command=', '-p', String(pid)]).catch(() => ({
      stdout: '',
    }));
    // `control.ts` starts it with a path relative to the cluster's home, which its settings name.
    return stdout.includes('/postgres -D data ') && stdout.includes(dirname(data));
  }
  try {
    const [program = ''] = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
    // Its working directory is the data directory, also after that was moved under it.
    return program.endsWith('/postgres') && (await readlink(`/proc/${pid}/cwd`)) === data;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) return false;
    throw error;
  }
}

/**
 * Removes the file when no postmaster of the directory is running and it would stop a start all the same: PostgreSQL refuses
 * when the pid in it is alive, whatever process has that pid now, and when the file is empty, as after a power cut. A
 * dead pid is left to PostgreSQL, which then also looks for children that outlived a killed postmaster.
 */
export async function removeStale(data: string): Promise<void> {
  const status = await readPostmasterStatus(data);
  if (status && (status.pid === 0 || isAlive(status.pid)))
    await rm(join(data, 'postmaster.pid'), { force: true });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
