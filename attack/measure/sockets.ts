/** Counts the connections that the service holds, from /proc/net/tcp. */
import { readFile } from 'node:fs/promises';

const LOCAL = 1;
const REMOTE = 2;
const STATE = 3;
const INODE = 9;
/** 127.0.0.1 as /proc/net/tcp writes it. */
const NORMAL_CLIENT = '0100007F';
const TIME_WAIT = '06';
const LISTEN = '0A';

/**
 * Connections that the service still holds for anybody but the normal client: those whose local side
 * is its port and that belong to a process. Null where there is no /proc.
 */
export async function countConnections(port: number): Promise<number | null> {
  const text = await readFile('/proc/net/tcp', 'utf8').catch(() => null);
  if (text === null) return null;
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return text.split('\n').filter((line) => {
    const fields = line.trim().split(/\s+/);
    return (
      fields[LOCAL]?.endsWith(suffix) === true &&
      fields[REMOTE]?.startsWith(NORMAL_CLIENT) === false &&
      fields[STATE] !== TIME_WAIT &&
      fields[STATE] !== LISTEN &&
      fields[INODE] !== '0'
    );
  }).length;
}
