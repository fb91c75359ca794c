import { MERCHANT_ID } from '@tillroll/contract';
import { usageError } from './errors.ts';

/** Where and as whom. */
export interface ConnectionOptions {
  /** The service's address, such as `https://exports.example.com` or `https://api.clover.com`. */
  url: string;
  merchant: string;
  token: string;
}

export interface Connection {
  /** Without a slash at its end; may have a path. */
  base: URL;
  merchant: string;
  token: string;
}

function addressOf(text: string): URL {
  const allowed = 'an http or https address such as https://api.clover.com';
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw usageError(
      `url must be ${allowed}; got ${JSON.stringify(text)}`,
      'It begins with https:// or http://',
    );
  }
  if (url.username || url.password)
    throw usageError('url must not hold a user or a password; the token is given apart');
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw usageError(`url must be ${allowed}; got ${JSON.stringify(text)}`);
  if (url.search || url.hash) throw usageError('url must not hold a query or a fragment');
  if (/\/v3(\/|$)/.test(url.pathname))
    throw usageError(
      `url must end before /v3; got ${JSON.stringify(text)}`,
      `Use ${url.origin}${url.pathname.replace(/\/v3(\/.*)?$/, '')}`,
    );
  url.pathname = url.pathname.replace(/\/+$/, '');
  return url;
}

/** @throws ExportError USAGE, naming what is wrong and what is allowed; never the token itself. */
export function connect(options: ConnectionOptions): Connection {
  const base = addressOf(options.url);
  // From plain JavaScript, a variable that is not set would become the text `undefined`.
  if (typeof options.merchant !== 'string' || !MERCHANT_ID.test(options.merchant))
    throw usageError(
      `merchant must be 1 to 64 of the characters A-Z a-z 0-9 _ -; got ${JSON.stringify(options.merchant)}`,
    );
  if (typeof options.token !== 'string' || options.token === '')
    throw usageError('token must not be empty');
  const odd = /[^\x21-\x7e]/.exec(options.token)?.[0];
  if (odd !== undefined)
    throw usageError(
      `token must be printable characters without blanks; it holds ${JSON.stringify(odd)}`,
      'Was a line break copied with it?',
    );
  return { base, merchant: options.merchant, token: options.token };
}
