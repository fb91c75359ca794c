import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';

/** A download as it is on the wire, which may break at any byte. */
export interface Partial {
  readonly bytes: Buffer;
  readonly etag: string;
  /** The answer ended as HTTP says that it must. */
  readonly isWhole: boolean;
}

const ANSWER_MS = 30_000;

/**
 * Downloads a file, or the rest of one that broke.
 * @returns null when there is no answer at all. @throws for an answer that is not a file.
 */
export async function downloadPart(
  url: string,
  former: Partial | null = null,
): Promise<Partial | null> {
  const rest = former && { range: `bytes=${former.bytes.length}-`, 'if-range': former.etag };
  const request = get(url, {
    headers: { 'accept-encoding': 'identity', ...rest },
    agent: false,
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  const answered = once(request, 'response') as Promise<[IncomingMessage]>;
  const [response] = await answered.catch(() => [null]);
  if (!response) return null;
  const { statusCode = 0, headers } = response;
  if (statusCode !== 200 && statusCode !== 206)
    throw new Error(`${url} answers ${statusCode} ${String(rest?.range)}`);
  const chunks = statusCode === 206 && former ? [former.bytes] : [];
  let isWhole = true;
  try {
    for await (const chunk of response) chunks.push(chunk as Buffer);
  } catch {
    isWhole = false;
  }
  return { bytes: Buffer.concat(chunks), etag: headers.etag ?? '', isWhole };
}
