/**
 * Fetches the parts of an export in a process of its own, to be killed:
 * `node packages/client/test/parts-process.ts '{"client":{...},"exportId":"...","folder":"..."}'`
 * prints `part N` as each one is on disk.
 */
import pLimit from 'p-limit';
import { ExportApi } from '../src/api/export-api.ts';
import type { ClientOptions } from '../src/api/call-options.ts';
import { openExportParts } from '../src/download/export-parts.ts';

const { client, exportId, folder } = JSON.parse(process.argv[2] ?? '') as {
  client: ClientOptions;
  exportId: string;
  folder: string;
};
await using parts = await openExportParts({
  api: new ExportApi(client),
  exportId,
  folder,
  limit: pLimit(4),
  signal: new AbortController().signal,
});
for (let position = 0; position < parts.count; position++) {
  await parts.part(position);
  console.log(`part ${position}`);
}
