/** Reads libpq's TLS parameters into options of a connection. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';

export const SSL_MODES = [
  'disable',
  'allow',
  'prefer',
  'require',
  'verify-ca',
  'verify-full',
] as const;
export type SslMode = (typeof SSL_MODES)[number];

/** libpq's parameters for TLS, by their names in an address; a missing one is null. */
export interface SslParameters {
  sslmode: string | null;
  sslrootcert: string | null;
  sslcert: string | null;
  sslkey: string | null;
  sslpassword: string | null;
  sslcrl: string | null;
}

/** The encryption of a connection, and the one to try when the server refuses it; null: none. */
export interface Encryption {
  ssl: false | ConnectionOptions;
  alternative: false | ConnectionOptions | null;
}

/** The value of `sslrootcert` that means the authorities which this machine, or Node, trusts. */
const SYSTEM = 'system';

/** Accepts any name in the certificate: the authority alone is checked. */
const anyName = (): undefined => undefined;

/**
 * TLS as libpq means it (PostgreSQL documentation, "SSL Support"): `require` encrypts and verifies
 * nothing unless there is a root certificate; `prefer` and `allow` take what the server offers.
 * @throws an Error in one sentence when the parameters contradict one another or a file is missing.
 */
export function readEncryption(parameters: SslParameters): Encryption {
  const { sslrootcert } = parameters;
  const mode = readMode(parameters);
  if (mode === 'disable') return { ssl: false, alternative: null };
  const root = readRoot(sslrootcert);
  const identity = readIdentity(parameters);
  const unverified: ConnectionOptions = { ...identity, rejectUnauthorized: false };
  const authority: ConnectionOptions = { ...identity, ...root, checkServerIdentity: anyName };
  switch (mode) {
    case 'allow':
      return { ssl: false, alternative: unverified };
    case 'prefer':
      return { ssl: unverified, alternative: false };
    case 'require':
      // As in libpq: where a root certificate is given, it is meant to be used.
      return { ssl: root ? authority : unverified, alternative: null };
    case 'verify-ca':
      if (!root) {
        throw new Error(
          'sslmode=verify-ca needs sslrootcert=FILE, the certificate of the authority; for a public one use sslmode=verify-full',
        );
      }
      return { ssl: authority, alternative: null };
    case 'verify-full':
      return { ssl: { ...identity, ...root }, alternative: null };
  }
}

function readMode({ sslmode, sslrootcert }: SslParameters): SslMode {
  // pg's own word for `require` without verification.
  const text = sslmode === 'no-verify' ? 'require' : sslmode;
  if (text === null) return sslrootcert === SYSTEM ? 'verify-full' : 'prefer';
  const mode = SSL_MODES.find((candidate) => candidate === text);
  if (!mode) throw new Error(`sslmode "${text}" is not one of ${SSL_MODES.join(', ')}`);
  if (sslrootcert === SYSTEM && mode !== 'verify-full') {
    throw new Error(`sslrootcert=system needs sslmode=verify-full, not ${mode}`);
  }
  return mode;
}

function readParameterFile(parameter: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new Error(`${parameter}: ${path} cannot be read`, { cause });
  }
}

function readRoot(sslrootcert: string | null): ConnectionOptions | null {
  if (sslrootcert === SYSTEM) return null;
  const usual = join(homedir(), '.postgresql', 'root.crt');
  if (sslrootcert === null && !existsSync(usual)) return null;
  return { ca: readParameterFile('sslrootcert', sslrootcert ?? usual) };
}

function readIdentity({ sslcert, sslkey, sslpassword, sslcrl }: SslParameters): ConnectionOptions {
  return {
    ...(sslcert !== null && { cert: readParameterFile('sslcert', sslcert) }),
    ...(sslkey !== null && { key: readParameterFile('sslkey', sslkey) }),
    ...(sslpassword !== null && { passphrase: sslpassword }),
    ...(sslcrl !== null && { crl: readParameterFile('sslcrl', sslcrl) }),
  };
}
