import { createHash } from 'node:crypto';
import type { ExportObject } from '@tillroll/contract';

/** All orders and payments of the suite lie in this range, which one export can hold. */
export const FROM = Date.UTC(2026, 0, 1);
export const TO = Date.UTC(2026, 0, 31);

const REQUEST_MS = 120_000;

/** An answer; status 0 when none came. */
export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/** Sends one request. A connection that breaks is an answer, too. */
export async function ask(url: string, init: RequestInit = {}): Promise<Answer> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(REQUEST_MS), ...init });
    return { status: response.status, body: Buffer.from(await response.arrayBuffer()) };
  } catch {
    return { status: 0, body: Buffer.alloc(0) };
  }
}

/** One merchant's calls. The address is an argument, because processes come and go. */
export class Api {
  readonly merchant: string;
  readonly #token: string;
  constructor(merchant: string, token: string) {
    this.merchant = merchant;
    this.#token = token;
  }

  ask(url: string, path: string, init: RequestInit = {}): Promise<Answer> {
    const headers = { ...(init.headers as Record<string, string>), ...this.#authorization() };
    return ask(`${url}/v3/merchants/${this.merchant}${path}`, { ...init, headers });
  }

  #authorization(): { authorization: string } {
    return { authorization: `Bearer ${this.#token}` };
  }

  /** Asks for an export of all orders. */
  async create(url: string): Promise<{ status: number; id: string | null }> {
    const body = JSON.stringify({ type: 'ORDERS', startTime: FROM, endTime: TO });
    const answer = await this.ask(url, '/exports', { method: 'POST', body });
    const { status } = answer;
    return { status, id: status === 200 ? parse(answer).id : null };
  }

  /** @throws when the answer is not 200. */
  async read(url: string, exportId: string): Promise<ExportObject> {
    const answer = await this.ask(url, `/exports/${exportId}`);
    if (answer.status !== 200)
      throw new Error(`export ${exportId} reads as ${answer.status} ${answer.body.toString()}`);
    return parse(answer);
  }

  load(url: string, body: Buffer): Promise<Answer> {
    const headers = { 'content-type': 'application/x-ndjson' };
    // A copy of the view alone: the type of a Buffer admits shared memory, which fetch refuses.
    return this.ask(url, '/orders/bulk', { method: 'POST', headers, body: new Uint8Array(body) });
  }
}

function parse({ body }: Answer): ExportObject {
  return JSON.parse(body.toString()) as ExportObject;
}

/** A file's address at one process: the one that it was minted with may be gone. */
export function moveTo(url: string, fileUrl: string): string {
  const { pathname, search } = new URL(fileUrl);
  return url + pathname + search;
}

export function sha256(data: Buffer | string): string {
  return createHash('sha256').update(data).digest('hex');
}

/** @throws for a file that cannot be downloaded. @returns its bytes, inflated. */
export async function download(url: string, fileUrl: string): Promise<Buffer> {
  const { status, body } = await ask(moveTo(url, fileUrl));
  if (status !== 200)
    throw new Error(`${fileUrl} answers ${status} ${body.toString().slice(0, 200)}`);
  return body;
}
