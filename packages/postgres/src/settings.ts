import { createHash } from 'node:crypto';
import { join } from 'node:path';

/** The settings that all clusters share. Only the name of the socket's file depends on the port. */
export const CONNECTION = {
  port: 5432,
  user: 'tillroll',
  database: 'tillroll',
  /** Said outright, because PGSSLMODE would otherwise apply to the socket too. */
  ssl: false,
} as const;

/** sockaddr_un holds 104 bytes on macOS and the BSDs, 108 on Linux, a NUL among them. */
const LONGEST_SOCKET = 103;

/** The directory of the socket: in home or, if that path is too long for a socket, a short one. */
export function socketDirectory(home: string): string {
  const inside = join(home, 'socket');
  if (Buffer.byteLength(join(inside, `.s.PGSQL.${CONNECTION.port}`)) <= LONGEST_SOCKET)
    return inside;
  return join('/tmp', `tillroll-${hashPath(home)}`);
}

/** A short name for a path. */
export function hashPath(path: string): string {
  return createHash('sha256').update(path).digest('hex').slice(0, 16);
}

/** The postmaster's options, for a shell: they hold, whatever postgresql.conf says. */
export function postmasterOptions(home: string): string {
  const settings = {
    listen_addresses: '',
    port: CONNECTION.port,
    // A list: quotes keep a comma or a space in the path from splitting it.
    unix_socket_directories: `"${socketDirectory(home).replaceAll('"', '""')}"`,
    unix_socket_permissions: '0700',
    max_connections: 100,
    shared_buffers: '256MB',
    max_wal_size: '4GB',
    // One machine, no replica: bulk loads need not be logged twice.
    wal_level: 'minimal',
    max_wal_senders: 0,
    jit: 'off',
    timezone: 'UTC',
    // Into files, one for each weekday and reused, so that they are bounded.
    logging_collector: 'on',
    log_directory: join(home, 'log'),
    log_filename: 'postgresql-%a.log',
    log_rotation_age: '1d',
    log_rotation_size: 0,
    log_truncate_on_rotation: 'on',
    log_timezone: 'UTC',
  };
  return Object.entries(settings)
    .map(([name, value]) => `-c '${`${name}=${value}`.replaceAll("'", String.raw`'\''`)}'`)
    .join(' ');
}
