import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { olderNode } from '../packages/server/test/older-node.ts';
import {
  CHECKOUT,
  COMMAND,
  copyWorkspace,
  install,
  PACKED,
  run,
  listImports,
} from './packed-workspace.ts';

const MINUTE = 60_000;
describe('the packages as they are published', () => {
  let directory: string;
  let workspace: string;
  /** Bytes of the tarballs. */
  const sizes = new Map<string, number>();
  const tarballs = new Map<string, string>();
  let project: string;
  /** A project with the command alone. */
  let shop: string;

  const listTarballs = (names: readonly string[]): string[] =>
    names.map((name) => tarballs.get(name) ?? name);

  beforeAll(async () => {
    directory = await realpath(await mkdtemp(join(tmpdir(), 'tillroll-packed-')));
    workspace = join(directory, 'workspace');
    project = join(directory, 'project');
    shop = join(directory, 'shop');
    for (const each of [workspace, project, shop]) await mkdir(each);
    await copyWorkspace(workspace);

    await run('npm', ['run', 'tarballs'], { cwd: workspace });
    const folder = join(workspace, 'tarballs');
    for (const file of await readdir(folder)) {
      const name = /^tillroll-([a-z]+)-/.exec(file)?.[1] ?? 'cli';
      tarballs.set(name, join(folder, file));
      sizes.set(name, (await stat(join(folder, file))).size);
    }
    expect([...tarballs.keys()].toSorted()).toEqual([...PACKED].toSorted());

    await install(listTarballs(PACKED), project);
    await install(listTarballs(COMMAND), shop);
  }, 10 * MINUTE);

  afterAll(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  test.each(PACKED)('packing leaves %s as it was', async (name) => {
    const left = await readdir(join(workspace, 'packages', name));
    expect(left).not.toContain('dist');
    expect(left).not.toContain('package.json.source');
    const manifest = join('packages', name, 'package.json');
    expect(await readFile(join(workspace, manifest), 'utf8')).toBe(
      await readFile(join(CHECKOUT, manifest), 'utf8'),
    );
  });

  test(
    'a pack that was interrupted is undone by the next one, unless the manifest was edited',
    async () => {
      const cwd = join(workspace, 'packages/contract');
      const step = (name: string) =>
        run(process.execPath, ['../../scripts/package.ts', name], { cwd });
      const source = await readFile(join(cwd, 'package.json'), 'utf8');
      await step('prepack');
      const packed = await readFile(join(cwd, 'package.json'), 'utf8');
      expect(JSON.parse(packed)).toMatchObject({
        exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' } },
      });
      await step('prepack');
      expect(await readFile(join(cwd, 'package.json.source'), 'utf8')).toBe(source);

      await writeFile(join(cwd, 'package.json'), packed.replace('0.1.0', '0.2.0'));
      await expect(step('prepack')).rejects.toThrow(/edited after a pack was interrupted/);
      await writeFile(join(cwd, 'package.json'), packed);

      await step('postpack');
      expect(await readFile(join(cwd, 'package.json'), 'utf8')).toBe(source);
      expect(await readdir(cwd)).not.toContain('dist');
    },
    MINUTE,
  );

  test('the packed client stays below 100 kB, and its dependencies are few and not native', async () => {
    expect(sizes.get('client')).toBeLessThan(100_000);
    const lock = await readFile(join(shop, 'node_modules/.package-lock.json'), 'utf8');
    const { packages } = JSON.parse(lock) as {
      packages: Record<string, { hasInstallScript?: boolean; os?: string[] }>;
    };
    const installed = Object.entries(packages);
    expect(installed.filter(([, { hasInstallScript, os }]) => hasInstallScript || os)).toEqual([]);
    const manifest = JSON.parse(
      await readFile(join(shop, 'node_modules/@tillroll/client/package.json'), 'utf8'),
    ) as { dependencies: Record<string, string> };
    const dependencies = Object.keys(manifest.dependencies);
    expect(dependencies).toContain('undici');
    expect(dependencies.length).toBeLessThanOrEqual(8);
  });

  const entries = ['@tillroll/contract', '@tillroll/client', '@tillroll/formats'];
  test.each(entries)('%s can be imported', async (name) => {
    const program = `console.log(Object.keys(await import('${name}')).length > 0)`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], {
      cwd: project,
    });
    expect(stdout).toBe('true\n');
  });

  test(
    'the installed library pulls: its thread is found where it was packed',
    async () => {
      const { startFakeServer } = await import('../packages/client/test/fake-server/index.ts');
      await using fake = await startFakeServer({ orders: 1200, payments: 300 });
      const program = `
        import { ExportClient } from '@tillroll/client';
        const client = new ExportClient(JSON.parse(process.argv[1]));
        const { complete, received } = await client.pull({ from: '2026-01-01', to: '2026-03-02', out: 'pulled' });
        console.log(complete, received.objects);`;
      const connection = JSON.stringify({
        url: fake.url,
        merchant: fake.merchant,
        token: fake.token,
      });
      const { stdout } = await run(
        process.execPath,
        ['--input-type=module', '-e', program, connection],
        { cwd: project },
      );
      expect(stdout).toBe('true 1500\n');
      expect(await readdir(join(project, 'pulled/orders'))).toContain('2026-01.jsonl');
      // No path of the checkout was packed.
      const packed = join(project, 'node_modules/@tillroll/client/dist');
      for (const file of await readdir(packed, { recursive: true }))
        if (file.endsWith('.js'))
          expect(await readFile(join(packed, file), 'utf8')).not.toContain(workspace);
    },
    MINUTE,
  );

  test('the receipt schema is published with the client', async () => {
    const program =
      "import schema from '@tillroll/client/receipt.schema.json' with { type: 'json' }; console.log(schema.$schema)";
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], {
      cwd: project,
    });
    expect(stdout).toContain('json-schema.org');
  });

  test('the command brings neither the server nor DuckDB', async () => {
    const scopes = await readdir(join(shop, 'node_modules'));
    expect(scopes).not.toContain('@duckdb');
    expect(scopes).toContain('tillroll');
    expect((await readdir(join(shop, 'node_modules/@tillroll'))).toSorted()).toEqual([
      'client',
      'contract',
      'formats',
    ]);
  });

  test(
    'the installed command pulls and verifies, and asks for DuckDB by name',
    async () => {
      const bin = join(shop, 'node_modules/.bin/tillroll');
      const { startFakeServer } = await import('../packages/client/test/fake-server/index.ts');
      await using fake = await startFakeServer({ orders: 1200, payments: 300 });
      const env = {
        ...process.env,
        TILLROLL_URL: fake.url,
        TILLROLL_MERCHANT: fake.merchant,
        TILLROLL_TOKEN: fake.token,
      };
      const tillroll = (...args: string[]) =>
        run(process.execPath, [bin, ...args], { cwd: shop, env });
      const span = ['--from', '2026-01-01', '--to', '2026-03-02'];
      await tillroll('pull', ...span, '--out', 'sales');
      const { stdout } = await tillroll('verify', 'sales');
      expect(stdout).toContain('1,500 objects');
      await tillroll('pull', ...span, '--out', 'tables', '--format', 'csv');
      expect(await readdir(join(shop, 'tables/line_items'))).toContain('2026-01.csv');
      await expect(
        tillroll('pull', ...span, '--out', 'other', '--format', 'parquet'),
      ).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('@duckdb/node-api') });
    },
    MINUTE,
  );

  test.each(PACKED)('%s has a README, and names what it needs', async (name) => {
    const folder = join(project, 'node_modules', name === 'cli' ? 'tillroll' : `@tillroll/${name}`);
    const readme = await readFile(join(folder, 'README.md'), 'utf8');
    expect(readme).toMatch(/^# (?:@tillroll\/)?[a-z]+\n/);
    const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Record<
      'dependencies' | 'peerDependencies',
      Record<string, string> | undefined
    >;
    const needs = { ...manifest.dependencies, ...manifest.peerDependencies };
    const imported = await listImports(join(folder, 'dist'));
    const packages = imported.filter((each) => !each.startsWith('node:'));
    expect(packages.length > 0).toBe(name !== 'contract');
    expect(packages.filter((each) => !(each in needs)).toSorted()).toEqual([]);
  });

  test(
    'installed globally, the command finds DuckDB installed globally',
    async () => {
      const prefix = join(directory, 'global');
      const install = ['install', '--global', '--no-audit', '--no-fund', '--prefer-offline'];
      await mkdir(prefix);
      await run('npm', [
        ...install,
        '--prefix',
        prefix,
        ...COMMAND.map((name) => tarballs.get(name) ?? ''),
      ]);
      const { startFakeServer } = await import('../packages/client/test/fake-server/index.ts');
      await using fake = await startFakeServer({ orders: 5 });
      const env = {
        PATH: process.env['PATH'],
        HOME: directory,
        TILLROLL_URL: fake.url,
        TILLROLL_MERCHANT: fake.merchant,
        TILLROLL_TOKEN: fake.token,
      };
      const span = ['--from', '2026-01-01', '--to', '2026-03-02', '--types', 'orders'];
      const output = ['--out', 'global-tables', '--format', 'parquet'];
      const command = [join(prefix, 'bin/tillroll'), 'pull', ...span, ...output];
      const pull = () => run(process.execPath, command, { cwd: directory, env });
      const { stderr } = await pull().then(
        () => expect.fail('it did not fail'),
        (error: unknown) => error as { stderr: string },
      );
      const [, hint = ''] = /Run npm (install @duckdb\/node-api)/.exec(stderr) ?? [];
      expect(stderr).toContain('with --global where this was installed so');
      const version = (
        JSON.parse(await readFile(join(CHECKOUT, 'package.json'), 'utf8')) as {
          devDependencies: Record<string, string>;
        }
      ).devDependencies['@duckdb/node-api'];
      const asked = hint.replace('install ', '');
      await run('npm', [...install, '--prefix', prefix, `${asked}@${version}`]);
      await pull();
      expect(await readdir(join(directory, 'global-tables/orders'))).toContain('2026-01.parquet');
    },
    5 * MINUTE,
  );

  test(
    'tillroll-server --help exits 0',
    async () => {
      const bin = join(project, 'node_modules/.bin/tillroll-server');
      const { stdout } = await run(process.execPath, [bin, '--help'], { cwd: project });
      expect(stdout).toContain('tillroll-server');
    },
    MINUTE,
  );

  test(
    "the packed server's threads check uploads",
    async () => {
      const entry = join(project, 'node_modules/@tillroll/server/dist/ingest/check-threads.js');
      const program = `
        import { openSync } from 'node:fs';
        const { CheckThreads } = await import(${JSON.stringify(entry)});
        const threads = new CheckThreads();
        const body = async function* () { yield Buffer.from('{"id":"A","createdTime":1}\\n'); };
        const target = { content: 'ORDERS', now: Date.now(), encoding: 'identity', fd: openSync('spool', 'w') };
        const never = new AbortController().signal;
        console.log((await threads.check(target, body(), () => undefined, never)).rows);
        await threads.close();`;
      const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], {
        cwd: project,
      });
      expect(stdout).toBe('1\n');
    },
    MINUTE,
  );

  const older = olderNode();
  test.skipIf(older === undefined)(
    `under an older Node (${older ?? 'none on PATH'}) and no other, one line says what is needed`,
    () => {
      const bin = join(project, 'node_modules/.bin/tillroll-server');
      const ended = spawnSync(older ?? '', [bin, '--help'], { cwd: project, encoding: 'utf8' });
      expect(ended.status).toBe(1);
      expect(ended.stdout).toBe('');
      expect(ended.stderr).toMatch(/^tillroll-server: needs Node 24 or newer[^\n]*\n$/);
    },
  );
});
