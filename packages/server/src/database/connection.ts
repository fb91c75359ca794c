/** Parses the address of a database. */
import { userInfo } from 'node:os';
import type { ConnectionOptions } from 'node:tls';
import { findErrorCode } from '../errors.ts';
import { readEncryption, type Encryption, type SslParameters } from './tls.ts';

/** Address of the database: the parts that every pool, client and cancel request is made of. */
export interface Connection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** libpq's `options`: settings of each session. A pooler may refuse them. */
  readonly options?: string;
  readonly sslnegotiation?: 'direct';
  /** The encryption of the next connection. */
  ssl: false | ConnectionOptions;
  /** The encryption to try once the server has refused that one; null or absent: none. */
  alternative?: false | ConnectionOptions | null;
}

type Environment = Readonly<Record<string, string | undefined>>;

const SHAPE = 'must look like postgres://user:password@host:5432/database';
const ENCODE =
  'percent-encode what is special in a user name or password: @ as %40, # as %23, / as %2F, ? as %3F, % as %25, : as %3A';

/**
 * An address of a database, as libpq reads it. PG* variables give what it leaves open.
 * @throws an Error in one sentence, which never repeats the address: it holds a password.
 */
export function parseDatabaseUrl(text: string, environment: Environment): Connection {
  const url = parseAddress(text);
  const parameter = (name: string, variable: string): string | null =>
    url.searchParams.get(name) ?? (environment[variable] || null);
  const host = parameter('host', 'PGHOST');
  const named = decode(url.hostname).replace(/^\[(.+)\]$/, '$1');
  // A user without a host, as in `user:password@/database?host=/directory`, was given this one.
  const written = named === NOBODY ? '' : named;
  const user =
    url.searchParams.get('user') ??
    (decode(url.username) || environment['PGUSER'] || userInfo().username);
  const options = parameter('options', 'PGOPTIONS');
  const address = url.searchParams.get('host') ?? (written || host || 'localhost');
  return {
    host: address,
    port: readPort(url.searchParams.get('port') ?? (url.port || environment['PGPORT'] || '5432')),
    user,
    password:
      url.searchParams.get('password') ?? (decode(url.password) || environment['PGPASSWORD'] || ''),
    database:
      url.searchParams.get('dbname') ??
      (decode(url.pathname.slice(1)) || environment['PGDATABASE'] || user),
    ...(options !== null && { options }),
    ...(parameter('sslnegotiation', 'PGSSLNEGOTIATION') === 'direct' && {
      sslnegotiation: 'direct' as const,
    }),
    // A socket in a directory has no TLS, whatever is asked for: so it is with libpq.
    ...(address.startsWith('/') ? PLAIN : readEncryption(sslParameters(parameter))),
  };
}

const NOBODY = 'nobody.invalid';
const PLAIN: Encryption = { ssl: false, alternative: null };

/** `#`, `/` and `?` end the host of an address: what follows them may be the rest of a password. */
function parseAddress(text: string): URL {
  if (!/^postgres(ql)?:\/\//.test(text)) throw new Error(SHAPE);
  if (text.includes('#')) throw new Error(`${SHAPE}; it has a #: ${ENCODE}`);
  const url = URL.parse(text) ?? URL.parse(text.replace('@/', `@${NOBODY}/`));
  if (!url) {
    const isCut = /^[^/]+:\/\/[^@/?]*[/?].*@/.test(text);
    throw new Error(isCut ? `${SHAPE}; ${ENCODE}` : SHAPE);
  }
  if (url.pathname.includes('@') || (url.username === '' && url.search.includes('@'))) {
    throw new Error(`${SHAPE}; it has an @ behind the host: ${ENCODE}`);
  }
  return url;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error(`${SHAPE}; it has a % without two hexadecimal digits: ${ENCODE}`);
  }
}

function readPort(text: string): number {
  const port = Number(text);
  if (!/^[0-9]{1,5}$/.test(text) || port < 1 || port > 65_535) throw new Error(SHAPE);
  return port;
}

function sslParameters(
  parameter: (name: string, variable: string) => string | null,
): SslParameters {
  return {
    sslmode: parameter('sslmode', 'PGSSLMODE'),
    sslrootcert: parameter('sslrootcert', 'PGSSLROOTCERT'),
    sslcert: parameter('sslcert', 'PGSSLCERT'),
    sslkey: parameter('sslkey', 'PGSSLKEY'),
    sslpassword: parameter('sslpassword', 'PGSSLPASSWORD'),
    sslcrl: parameter('sslcrl', 'PGSSLCRL'),
  };
}

const REFUSED_ENCRYPTION = /does not support SSL|establishing an SSL connection/i;

/**
 * Changes over to the other kind of connection (`sslmode` prefer, allow) when the server refused the
 * one that was tried.
 * @param tried what that connection used.
 * @returns whether it is worth connecting again.
 */
export function switchEncryption(
  connection: Connection,
  tried: Connection['ssl'],
  error: unknown,
): boolean {
  const { alternative } = connection;
  if (alternative === null || alternative === undefined) return false;
  const message = error instanceof Error ? error.message : '';
  // 28000: pg_hba.conf takes this kind of connection from nobody.
  const isRefused =
    REFUSED_ENCRYPTION.test(message) ||
    /^(28000|EPROTO|ERR_SSL_.*)$/.test(findErrorCode(error) ?? '');
  if (!isRefused) return false;
  // Another caller has changed over meanwhile.
  if (connection.ssl !== tried) return true;
  connection.ssl = alternative;
  connection.alternative = tried;
  return true;
}

/** Describes the database's address for people, without a password. */
export function describeConnection({ host, port, database }: Connection): string {
  return host.startsWith('/') ? `${database} in ${host}` : `${database} at ${host}:${port}`;
}
