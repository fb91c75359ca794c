import { join } from 'node:path';

/** Only the name of the socket's file depends on it; nothing listens on a network. */
export const PORT = 5432;
export const USER = 'tillroll';
export const DATABASE = 'tillroll';

/** The postmaster's options, for a shell: they hold, whatever postgresql.conf says. */
export function postmasterOptions(home: string, socketDirectory: string): string {
  const settings = {
    listen_addresses: '',
    port: String(PORT),
    // A list: quotes keep a comma or a space in the path from splitting it.
    unix_socket_directories: `"${socketDirectory.replaceAll('"', '""')}"`,
    unix_socket_permissions: '0700',
    max_connections: '100',
    shared_buffers: '256MB',
    max_wal_size: '4GB',
    // One machine, no replica: bulk loads need not be logged twice.
    wal_level: 'minimal',
    max_wal_senders: '0',
    jit: 'off',
    timezone: 'UTC',
    // Into files, one for each weekday and reused, so that they are bounded.
    logging_collector: 'on',
    log_directory: join(home, 'log'),
    log_filename: 'postgresql-%a.log',
    log_rotation_age: '1d',
    log_rotation_size: '0',
    log_truncate_on_rotation: 'on',
    log_timezone: 'UTC',
  };
  return Object.entries(settings)
    .map(([name, value]) => `-c ${shellQuote(`${name}=${value}`)}`)
    .join(' ');
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
