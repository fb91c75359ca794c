/** Makes requests as text: Latin-1 and CRLF, as they are on the wire. */

export type Headers = Readonly<Record<string, string>>;

export function request(method: string, path: string, headers: Headers = {}, body = ''): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\nHost: service\r\n${lines.join('')}\r\n${body}`;
}

export function get(path: string, headers: Headers = {}): string {
  return request('GET', path, headers);
}

export function bearer(token: string): Headers {
  return { Authorization: `Bearer ${token}` };
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

function randomText(alphabet: string, length: number): string {
  return Array.from({ length }, () => alphabet[Math.floor(Math.random() * alphabet.length)]).join(
    '',
  );
}

/** A token that looks right and that nobody was given. */
export function unknownToken(): string {
  return `tr_${randomText(CROCKFORD, 13)}_${randomText(BASE64URL, 43)}`;
}
