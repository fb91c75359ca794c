/** Reads headers of an answer. */
import type { IncomingHttpHeaders } from 'node:http';

/** Finds the first value of a header. @param name in lower case. */
export function findHeader(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Tells whether an answer announces its body as gzip. The body may be something else: proxies inflate and keep the header. */
export function isGzipAnnounced(headers: IncomingHttpHeaders): boolean {
  return /^(?:x-)?gzip$/i.test((findHeader(headers, 'content-encoding') ?? '').trim());
}
