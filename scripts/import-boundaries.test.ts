import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { CHECKOUT, lint, plant } from './linted-tree.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

test('`npm run lint` is where imports are checked', async () => {
  const { scripts } = JSON.parse(await readFile(join(CHECKOUT, 'package.json'), 'utf8')) as {
    scripts: { lint: string };
  };
  expect(scripts.lint).toContain('oxlint --type-aware --deny-warnings');
});

test('the tree as it is breaks none', () => {
  expect(lint().faults).toEqual([]);
});

const SRC = 'packages/server/src';

const CLIENT = 'packages/client/src';

describe('refused', () => {
  test.each([
    // Between modules, in every way to write an import.
    [`${SRC}/storage/planted.ts`, `import '../http/app.ts';`, 'storage must not import http'],
    [
      `${SRC}/storage/a/b/planted.ts`,
      `import '../../../sink/cutter.ts';`,
      'storage must not import sink',
    ],
    [
      `${SRC}/exports/planted.ts`,
      `import type { A } from '../queue/a.ts'; export type B = A;`,
      'exports must not import queue',
    ],
    [
      `${SRC}/exports/planted.ts`,
      `export * from '../storage/keys.ts';`,
      'exports must not import storage',
    ],
    [
      `${SRC}/exports/planted.ts`,
      `export { a } from '../worker/a.ts';`,
      'exports must not import worker',
    ],
    [
      `${SRC}/database/planted.ts`,
      `await import('../exports/sql.ts');`,
      'database must not import exports',
    ],
    [
      `${SRC}/database/planted.ts`,
      `export type A = import('../access/token.ts').A;`,
      'database must not import access',
    ],
    [`${SRC}/sink/planted.ts`, `import '../../src/source/rows.ts';`, 'sink must not import source'],
    [
      `${SRC}/source/planted.ts`,
      `await import(process.argv[2] ?? '');`,
      'a computed import: no boundary can be checked',
    ],
    [`${SRC}/commands/planted.ts`, `import '../http/app.ts';`, 'commands must not import http'],
    [`${SRC}/commands/planted.ts`, `import '../main.ts';`, 'commands must not import main.ts'],
    [`${SRC}/worker/planted.ts`, `import '../service.ts';`, 'worker must not import service.ts'],
    [
      `${SRC}/clock.ts`,
      `import './errors.ts';`,
      'clock.ts is a shared file: it imports nothing of ours, so not errors.ts',
    ],
    [
      `${SRC}/novelty/planted.ts`,
      `import '../database/pool.ts';`,
      'novelty is not among the modules: add it to scripts/import-boundaries.ts',
    ],
    // Files outside the server's package.
    [
      `${SRC}/http/planted.ts`,
      `import '@tillroll/client';`,
      'http must not import @tillroll/client: of ours, the server knows the contract, its own PostgreSQL and the sample alone',
    ],
    [
      `${SRC}/http/planted.ts`,
      `import '@tillroll/postgres';`,
      'http must not import @tillroll/postgres: of ours, the server knows the contract, its own PostgreSQL and the sample alone',
    ],
    [
      `${SRC}/worker/planted.ts`,
      `import '@tillroll/sample';`,
      'worker must not import @tillroll/sample: of ours, the server knows the contract, its own PostgreSQL and the sample alone',
    ],
    [
      `${SRC}/http/planted.ts`,
      `import '../../../contract/src/index.ts';`,
      'http must not import packages/contract/src/index.ts, which is not in the package',
    ],
    // Packages of some modules alone.
    [
      `${SRC}/exports/planted.ts`,
      `import type { FastifyInstance } from 'fastify'; export type A = FastifyInstance;`,
      'exports must not import fastify',
    ],
    [
      `${SRC}/worker/planted.ts`,
      `import '@fastify/swagger';`,
      'worker must not import @fastify/swagger',
    ],
    [
      `${SRC}/exports/planted.ts`,
      `import 'pg-boss/dist/index.js';`,
      'exports must not import pg-boss',
    ],
    [
      `${SRC}/exports/planted.ts`,
      `import '@aws-sdk/client-s3';`,
      'exports must not import @aws-sdk/client-s3',
    ],
    [`${SRC}/http/planted.ts`, `import 'pg';`, 'http must not import pg'],
    [`${SRC}/sink/planted.ts`, `import 'pg-copy-streams';`, 'sink must not import pg-copy-streams'],
    // The other packages.
    [
      'packages/postgres/src/planted.ts',
      `import '@tillroll/contract';`,
      'packages/postgres must not import @tillroll/contract',
    ],
    [
      'packages/sample/src/planted.ts',
      `import '../../server/src/errors.ts';`,
      'packages/sample must not import packages/server/src/errors.ts',
    ],
    [
      'packages/contract/src/planted.ts',
      `import '@tillroll/client';`,
      'packages/contract must not import @tillroll/client',
    ],
    [
      'packages/contract/src/planted.ts',
      `import '../../server/src/errors.ts';`,
      'packages/contract must not import packages/server/src/errors.ts',
    ],
    [
      'packages/client/src/planted.ts',
      `import '@tillroll/server';`,
      'planted.ts must not import @tillroll/server: the client knows the contract alone',
    ],
    [
      'packages/client/src/planted.ts',
      `import '../../contract/src/index.ts';`,
      'planted.ts must not import packages/contract/src/index.ts, which is not in the package',
    ],
    [
      'packages/client/src/planted.ts',
      `import '@tillroll/formats';`,
      'planted.ts must not import @tillroll/formats: the client knows the contract alone',
    ],
    // Between modules of the client: downwards only, types included.
    [
      `${CLIENT}/pull/planted.ts`,
      `import type { A } from '../client.ts'; export type B = A;`,
      'pull must not import client.ts',
    ],
    [
      `${CLIENT}/directory/planted.ts`,
      `import '../pull/plan-type.ts';`,
      'directory must not import pull',
    ],
    [
      `${CLIENT}/assemble/planted.ts`,
      `import type { A } from '../directory/layout.ts'; export type B = A;`,
      'assemble must not import directory',
    ],
    [
      `${CLIENT}/download/planted.ts`,
      `export * from '../assemble/tally.ts';`,
      'download must not import assemble',
    ],
    [
      `${CLIENT}/api/planted.ts`,
      `await import('../download/parts.ts');`,
      'api must not import download',
    ],
    [`${CLIENT}/json/planted.ts`, `import '../api/export-api.ts';`, 'json must not import api'],
    [`${CLIENT}/time/planted.ts`, `import '../json/members.ts';`, 'time must not import json'],
    [`${CLIENT}/http/planted.ts`, `import '../time/zone.ts';`, 'http must not import time'],
    [
      `${CLIENT}/errors.ts`,
      `import './json/bytes.ts';`,
      'errors.ts is a shared file: it imports nothing of ours, so not json',
    ],
    [
      `${CLIENT}/novelty.ts`,
      `import './errors.ts';`,
      'novelty.ts is not among the modules: add it to scripts/import-boundaries.ts',
    ],
    [
      `${CLIENT}/api/planted.ts`,
      `import '../../test/scene.ts';`,
      'api must not import packages/client/test/scene.ts, which is not in the package',
    ],
    [
      'packages/formats/src/planted.ts',
      `import '../../client/src/index.ts';`,
      'packages/formats must not import packages/client/src/index.ts',
    ],
    [
      'packages/cli/src/planted.ts',
      `import '@tillroll/server';`,
      'packages/cli must not import @tillroll/server',
    ],
    [
      'acceptance/planted.ts',
      `import '@tillroll/contract';`,
      'acceptance must not import @tillroll/contract: it knows a base URL alone',
    ],
    [
      'acceptance/planted.ts',
      `import '../packages/client/src/index.ts';`,
      'acceptance must not import packages/client/src/index.ts: it knows a base URL alone',
    ],
    [
      'attack/attacks/planted.ts',
      `import '../../packages/server/src/http/app.ts';`,
      "attack must not import packages/server/src/http/app.ts: it knows HTTP and the operator's commands alone",
    ],
    [
      'attack/planted.ts',
      `import '@tillroll/contract';`,
      "attack must not import @tillroll/contract: it knows HTTP and the operator's commands alone",
    ],
  ])('%s: %s', async (file, text, message) => {
    const { status, faults } = await plant({ file, text });
    expect(faults).toEqual([`${file}: ${message}`]);
    expect(status).not.toBe(0);
  });
});

describe('allowed', () => {
  test.each([
    [
      `${SRC}/http/planted.ts`,
      `import '../exports/create.ts'; import './app.ts'; import 'fastify'; import '@tillroll/contract';`,
    ],
    [
      `${SRC}/storage/a/planted.ts`,
      `import '../keys.ts'; import '../../clock.ts'; import '@aws-sdk/client-s3'; import 'node:fs';`,
    ],
    [`${SRC}/queue/planted.ts`, `import 'pg-boss'; import 'pg'; import '../database/pool.ts';`],
    [`${SRC}/database/planted.ts`, `import '../../package.json' with { type: 'json' };`],
    [`${SRC}/main.ts`, `import './service.ts'; import './commands/a.ts'; import './http/app.ts';`],
    [`${CLIENT}/pull/planted.ts`, `import '@tillroll/contract'; import '../api/export-api.ts';`],
    [`${CLIENT}/http/planted.ts`, `import '../errors.ts'; import 'undici';`],
    [
      'attack/planted.ts',
      `import '../scripts/server-process.ts'; import './table.ts'; import 'node:net';`,
    ],
    [
      'packages/server/test/planted.ts',
      `import '../src/main.ts'; import '@tillroll/client'; import 'pg';`,
    ],
  ])('%s: %s', async (file, text) => {
    expect((await plant({ file, text })).faults).toEqual([]);
  });
});
