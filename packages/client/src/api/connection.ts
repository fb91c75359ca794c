/** Checks the address, merchant and token of a client. */
import { MERCHANT_ID } from '@tillroll/contract';
import { usageError } from '../errors.ts';
import { isLoopback } from '../http/proxies.ts';

/** The service and the merchant, as a caller names them. */
export interface ConnectionOptions {
  /** The service's address, such as `https://exports.example.com` or `https://api.clover.com`. */
  url: string;
  merchant: string;
  token: string;
}

/** Checked connection options. */
export interface Connection {
  /** Without a slash at its end; may have a path. */
  base: URL;
  merchant: string;
  token: string;
}

/** Checks connection options. @throws ExportError USAGE, naming what is wrong and what is allowed; never the token itself. */
export function parseConnection({ url, merchant, token }: ConnectionOptions): Connection {
  const base = parseBase(url);
  // In plain JavaScript a variable that is not set would become the text `undefined`.
  if (typeof merchant !== 'string' || !MERCHANT_ID.test(merchant))
    throw usageError(
      `must be 1 to 64 of the characters A-Z a-z 0-9 _ -; got ${JSON.stringify(merchant)}`,
      { option: 'merchant' },
    );
  if (typeof token !== 'string' || token === '')
    throw usageError('must not be empty', { option: 'token' });
  if (/^bearer\s/i.test(token))
    throw usageError('must be the token alone, without "Bearer " in front', { option: 'token' });
  const badCharacter = /[^\x21-\x7e]/.exec(token)?.[0];
  if (badCharacter !== undefined)
    throw usageError(
      `must be printable characters without blanks; it holds ${JSON.stringify(badCharacter)}`,
      {
        option: 'token',
        hint: 'Check whether a line break was copied with it',
      },
    );
  return { base, merchant, token };
}

function parseBase(text: string): URL {
  const option = 'url';
  const allowed = 'an http or https address such as https://api.clover.com';
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw usageError(`must be ${allowed}; got ${JSON.stringify(text)}`, {
      option,
      hint: 'It begins with https:// or http://',
    });
  }
  if (url.username || url.password)
    throw usageError('must not hold a user or a password; give the token instead', { option });
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw usageError(`must be ${allowed}; got ${JSON.stringify(text)}`, { option });
  if (url.search || url.hash) throw usageError('must not hold a query or a fragment', { option });
  if (/\/v3(\/|$)/.test(url.pathname))
    throw usageError(`must end before /v3; got ${JSON.stringify(text)}`, {
      option,
      hint: `Use ${url.origin}${url.pathname.replace(/\/v3(\/.*)?$/, '')}`,
    });
  url.pathname = url.pathname.replace(/\/+$/, '');
  return url;
}

/** Tells whether the token would travel unencrypted to another machine, which users are warned of. */
export function isPlainHttp(url: URL): boolean {
  return url.protocol === 'http:' && !isLoopback(url);
}
