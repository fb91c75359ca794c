/** Fetches one file from a server that a test scripts. */

import type { ExportApi } from '../src/api/export-api.ts';
import { fetchFile } from '../src/download/fetch-file.ts';
import type { FileUrls } from '../src/download/file-urls.ts';
import { MemorySink } from '../src/download/sink.ts';
import type { Waiting } from '../src/index.ts';
import { FileServer, fixedUrls, noise } from './file-server.ts';

export const BODY = noise(200_000);

export const STRONG = { etag: '"one"' };

const signal = new AbortController().signal;

export interface Fetched {
  bytes: Buffer;
  encoding: string | undefined;
  waits: Waiting[];
  received: number;
}

export async function fetchFrom(
  server: FileServer,
  how: { api?: ExportApi; urls?: FileUrls; expectedBytes?: number; signal?: AbortSignal } = {},
): Promise<Fetched> {
  const { api = server.api(), urls = fixedUrls(`${server.url}/f`), expectedBytes } = how;
  const sink = new MemorySink();
  const waits: Waiting[] = [];
  let received = 0;
  const expected =
    expectedBytes === undefined ? undefined : { objects: 1, bytes: expectedBytes, sha256: '' };
  const file = { key: 'f', name: 'file 0 of export X', expected };
  await fetchFile(api, file, urls, sink, {
    signal: how.signal ?? signal,
    onWaiting: (waiting) => void waits.push(waiting),
    onBytes: (bytes) => void (received += bytes),
  });
  return { bytes: sink.take(), encoding: sink.head?.encoding, waits, received };
}
