import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { openApiDocument } from '../src/http/openapi-document.ts';

test('docs/openapi.json is what the routes say; if not: npm run openapi', async () => {
  const checkedIn: unknown = JSON.parse(
    await readFile(new URL('../../../docs/openapi.json', import.meta.url), 'utf8'),
  );
  // Through JSON, as it was written: undefined members are gone.
  expect(JSON.parse(JSON.stringify(await openApiDocument()))).toEqual(checkedIn);
});

test('the document is OpenAPI 3.1 and names every public route', async () => {
  const document = (await openApiDocument()) as { openapi: string; paths: Record<string, object> };
  expect(document.openapi).toBe('3.1.0');
  expect(Object.keys(document.paths).toSorted()).toEqual([
    '/.well-known/jwks.json',
    '/health',
    '/ready',
    '/v3/availability',
    '/v3/files/{path}',
    '/v3/merchants/{mId}/exports',
    '/v3/merchants/{mId}/exports/{exportId}',
    '/v3/merchants/{mId}/exports/{exportId}/receipt',
    '/v3/merchants/{mId}/orders/bulk',
    '/v3/merchants/{mId}/orders/bulk-delete',
    '/v3/merchants/{mId}/payments/bulk',
    '/v3/merchants/{mId}/payments/bulk-delete',
  ]);
});
