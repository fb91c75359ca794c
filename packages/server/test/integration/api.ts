import type { ExportObject } from '@tillroll/contract';
import { until } from './until.ts';

/** An export object as it comes over the wire, with nothing assumed present. */
export type Exported = ExportObject;

/** One merchant's view of a service, over HTTP. */
export class Api {
  readonly #url: string;
  readonly #merchant: string;
  readonly #token: string;
  constructor(url: string, merchant: string, token: string) {
    this.#url = url;
    this.#merchant = merchant;
    this.#token = token;
  }

  fetch(
    path: string,
    init: Omit<RequestInit, 'headers'> & { headers?: Record<string, string>; duplex?: 'half' } = {},
  ): Promise<Response> {
    return fetch(`${this.#url}/v3/merchants/${this.#merchant}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${this.#token}`, ...init.headers },
    });
  }

  post(startTime: number, endTime: number, type = 'ORDERS'): Promise<Response> {
    return this.fetch('/exports', {
      method: 'POST',
      body: JSON.stringify({ type, startTime, endTime }),
    });
  }

  async create(startTime: number, endTime: number, type = 'ORDERS'): Promise<Exported> {
    return json(await this.post(startTime, endTime, type));
  }

  async read(exportId: string): Promise<Exported> {
    return json(await this.fetch(`/exports/${exportId}`));
  }

  /** Polls until the export has ended, however it did. @param seen gets every answer on the way. */
  ended(
    exportId: string,
    timeoutMs = 30_000,
    seen: (answer: Exported) => void = () => undefined,
  ): Promise<Exported> {
    return until(
      `export ${exportId} has ended`,
      async () => {
        const answer = await this.read(exportId);
        seen(answer);
        return answer.status !== 'PENDING' && answer.status !== 'IN_PROGRESS' && answer;
      },
      { timeoutMs },
    );
  }

  /** Creates an export and waits for its end. */
  async export(startTime: number, endTime: number, type = 'ORDERS'): Promise<Exported> {
    return this.ended((await this.create(startTime, endTime, type)).id);
  }
}

async function json(response: Response): Promise<Exported> {
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${response.status}: ${text}`);
  return JSON.parse(text) as Exported;
}

/** The identity bytes of every file of a DONE export, in order. */
export async function download(exported: Exported): Promise<Buffer[]> {
  const files: Buffer[] = [];
  for (const { url } of exported.exportUrls?.elements ?? []) {
    const response = await fetch(url, { headers: { 'accept-encoding': 'identity' } });
    const bytes = Buffer.from(await response.arrayBuffer());
    if (response.status !== 200) throw new Error(`${response.status}: ${bytes.toString()}`);
    files.push(bytes);
  }
  return files;
}

/** The ids of all objects of all files, in file order. */
export function parseIds(files: readonly Buffer[]): string[] {
  return files.flatMap((file) =>
    (JSON.parse(file.toString()) as { elements: { id: string }[] }).elements.map(({ id }) => id),
  );
}
