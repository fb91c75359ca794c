/** `npm run openapi`: writes docs/openapi.json. A test compares the two. */
import { writeFile } from 'node:fs/promises';
import { openApiDocument } from '../packages/server/src/http/openapi-document.ts';

const target = new URL('../docs/openapi.json', import.meta.url);
await writeFile(target, `${JSON.stringify(await openApiDocument(), null, 2)}\n`);
