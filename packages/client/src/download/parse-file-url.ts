import { ExportError } from '../errors.ts';

/**
 * Checks the URL of a file: http or https, never http where `from` is https, without a user.
 * @param from the API's address, or the URL that redirected here.
 * @throws ExportError PROTOCOL
 */
export function parseFileUrl(text: string, from: URL): URL {
  const fault = (why: string): ExportError =>
    new ExportError(
      'PROTOCOL',
      `a file URL ${why}: ${JSON.stringify(text.split('?')[0]?.slice(0, 200))}`,
    );
  if (!URL.canParse(text)) throw fault('is not a URL');
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw fault('is neither http nor https');
  if (url.protocol === 'http:' && from.protocol === 'https:') throw fault('leaves https for http');
  if (url.username || url.password)
    // Not shown: it may be a secret.
    throw new ExportError('PROTOCOL', `a file URL of ${url.host} holds a user or a password`);
  return url;
}
