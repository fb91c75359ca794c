import { createHash } from 'node:crypto';
import { rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Account } from './account.ts';
import { PORT } from './settings.ts';

/** sockaddr_un holds 104 bytes on macOS and the BSDs, 108 on Linux, a NUL among them. */
const LONGEST = 103;

/** Chooses the directory of the socket: in home or, if that path is too long for a socket, a short one. */
export function socketDirectory(home: string, account: Account): string {
  const name = `tillroll-${createHash('sha256').update(home).digest('hex').slice(0, 16)}`;
  // Root's TMPDIR may be closed to the user that PostgreSQL runs as.
  const roots = account.drop ? ['/tmp'] : [tmpdir(), '/tmp'];
  const candidates = [join(home, 'socket'), ...roots.map((root) => join(root, name))];
  return (
    candidates.find((directory) => Buffer.byteLength(socketPath(directory)) <= LONGEST) ??
    join('/tmp', name)
  );
}

/** Removes the socket's directory outside home. One that holds a new socket stays. */
export async function removeSocketDirectory(home: string, directory: string): Promise<void> {
  if (directory !== join(home, 'socket')) await rmdir(directory).catch(() => undefined);
}

function socketPath(directory: string): string {
  return join(directory, `.s.PGSQL.${PORT}`);
}
