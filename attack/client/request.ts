/** Sends one request of the normal client. */
import { request as httpRequest, type Agent } from 'node:http';
import type { Target } from '../target.ts';

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

export interface Ask {
  readonly path: string;
  readonly method?: string;
  readonly token?: string;
  readonly body?: string;
  /** False: a connection of its own, closed afterwards. */
  readonly agent?: Agent | false;
  readonly timeoutMs: number;
}

const FROM = '127.0.0.1';

/** One request of the normal client, answer read to its end. @throws when that takes too long. */
export function ask({ host, port }: Target, wanted: Ask): Promise<Answer> {
  const { path, method = 'GET', token, body, agent = false, timeoutMs } = wanted;
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      host,
      port,
      path,
      method,
      agent,
      localAddress: FROM,
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }),
      },
    });
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }),
      );
    });
    request.end(body);
  });
}

/** The fault, in a few words. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { name, code } = error as NodeJS.ErrnoException;
  return name === 'AbortError' || name === 'TimeoutError' ? 'timed out' : (code ?? error.message);
}
