/** An export of the fake server, ready to be downloaded in parts. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import pLimit from 'p-limit';
import { ExportApi } from '../src/api/export-api.ts';
import type { ClientOptions } from '../src/api/call-options.ts';
import {
  type ExportParts,
  type ExportPartsOptions,
  openExportParts,
} from '../src/download/export-parts.ts';
import { obtainExport } from '../src/download/obtain-export.ts';
import type { FakeServerOptions } from './fake-server/index.ts';
import { FROM, RETRY, Scene, TO } from './scene.ts';

const REQUEST = { type: 'ORDERS', startTime: FROM, endTime: TO } as const;

export interface Prepared {
  scene: Scene;
  api: ExportApi;
  exportId: string;
  folder: string;
  open: (options?: Partial<ExportPartsOptions>) => Promise<ExportParts>;
}

export async function prepare(
  options: FakeServerOptions = {},
  client: Partial<ClientOptions> = {},
): Promise<Prepared & AsyncDisposable> {
  const scene = await Scene.begin(options);
  const { url, merchant, token } = scene.fake;
  const api = new ExportApi({ url, merchant, token, retry: RETRY, ...client });
  const { id: exportId } = await obtainExport(api, REQUEST);
  const folder = join(scene.directory, 'parts', exportId);
  const open = (more?: Partial<ExportPartsOptions>): Promise<ExportParts> =>
    openExportParts({
      api,
      exportId,
      folder,
      limit: pLimit(4),
      signal: new AbortController().signal,
      ...more,
    });
  return {
    scene,
    api,
    exportId,
    folder,
    open,
    [Symbol.asyncDispose]: () => scene[Symbol.asyncDispose](),
  };
}

export async function readAll(parts: ExportParts): Promise<Buffer[]> {
  const contents: Buffer[] = [];
  for (let position = 0; position < parts.count; position++) {
    const { path } = await parts.part(position);
    const content = await readFile(path);
    contents.push(content[0] === 0x1f ? gunzipSync(content) : content);
  }
  return contents;
}

export function servedBy({ scene, exportId }: Prepared): Buffer[] {
  const served = scene.fake.exports.find(({ id }) => id === exportId);
  return (served?.files ?? []).map((_, position) => served?.makeBytes(position) ?? Buffer.alloc(0));
}

export const requests = ({ scene }: Prepared) =>
  scene.fake.requests.filter(({ kind }) => kind === 'file');
