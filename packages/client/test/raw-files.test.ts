import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { RawFilesOptions, RawFilesResult, RawManifest } from '../src/index.ts';
import type { FakeServerOptions } from './fake-server/index.ts';
import { catchFailure, FROM, Scene, TO } from './scene.ts';

interface Made extends AsyncDisposable {
  scene: Scene;
  exportId: string;
  download: (options?: Partial<RawFilesOptions>) => Promise<RawFilesResult>;
}

async function make(options: FakeServerOptions = {}): Promise<Made> {
  const scene = await Scene.begin(options);
  const client = scene.client();
  const { id } = await client.create({ type: 'ORDERS', startTime: FROM, endTime: TO });
  return {
    scene,
    exportId: id,
    download: (more) => client.download(id, { out: scene.out, ...more }),
    [Symbol.asyncDispose]: () => scene[Symbol.asyncDispose](),
  };
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const files = ({ scene }: Made) => scene.fake.requests.filter(({ kind }) => kind === 'file');

async function expectWhole({ scene, exportId }: Made, gzip = false): Promise<void> {
  const served = scene.fake.exports.find(({ id }) => id === exportId);
  const manifest = JSON.parse(
    await readFile(join(scene.out, 'manifest.json'), 'utf8'),
  ) as RawManifest;
  expect(manifest).toMatchObject({
    export: exportId,
    type: 'ORDERS',
    startTime: FROM,
    endTime: TO,
    complete: true,
  });
  expect(manifest.files).toHaveLength(served?.files.length ?? -1);
  for (const [position, file] of manifest.files.entries()) {
    const suffix = gzip ? '.json.gz' : '.json';
    expect(file.path).toBe(`${String(position).padStart(4, '0')}${suffix}`);
    const bytes = await readFile(join(scene.out, file.path));
    expect((gzip ? gunzipSync(bytes) : bytes).equals(served?.makeBytes(position) ?? bytes)).toBe(
      true,
    );
    expect(file).toMatchObject({
      objects: served?.files[position]?.length,
      bytes: bytes.length,
      sha256: sha256(bytes),
    });
  }
  const names = [...manifest.files.map(({ path }) => path), 'manifest.json'];
  expect((await readdir(scene.out)).toSorted()).toEqual(names.toSorted());
}

describe('the raw files of an export', () => {
  test.each([
    [false, true],
    [true, true],
    [false, false],
    [true, false],
  ])('are those that are served; compressed %j, served compressed %j', async (gzip, served) => {
    await using made = await make({ gzip: served, faults: { order: { how: 'shuffled' } } });
    const seen: unknown[] = [];
    const result = await made.download({ gzip, onProgress: (progress) => seen.push(progress) });
    expect(result).toMatchObject({ objects: 45, files: [{ objects: 10 }, {}, {}, {}, {}] });
    expect(seen.at(-1)).toMatchObject({ files: 5, filesTotal: 5, objects: 45 });
    await expectWhole(made, gzip);
    expect((await stat(join(made.scene.out, '0000.json' + (gzip ? '.gz' : '')))).mode & 0o777).toBe(
      0o600,
    );
    expect((await stat(made.scene.out)).mode & 0o777).toBe(0o700);
  });

  test('may be read by others where that is wanted', async () => {
    await using made = await make();
    await made.download({ fileMode: 0o640 });
    expect((await stat(join(made.scene.out, '0000.json'))).mode & 0o777).toBe(0o640);
    expect((await stat(join(made.scene.out, 'manifest.json'))).mode & 0o777).toBe(0o640);
    expect((await stat(made.scene.out)).mode & 0o777).toBe(0o750);
  });

  test('the same call again asks nobody, and continues where files were altered', async () => {
    await using made = await make();
    const first = await made.download();
    const asked = made.scene.fake.requests.length;
    expect(await made.download()).toEqual(first);
    expect(made.scene.fake.requests).toHaveLength(asked);
    await writeFile(join(made.scene.out, '0002.json'), '{"elements":[]}');
    expect(await made.download()).toEqual(first);
    await expectWhole(made);
  });

  test('interrupted, continue: what is there and whole is not fetched again', async () => {
    await using made = await make();
    const stop = new AbortController();
    const onProgress = (progress: { files: number }): void => {
      if (progress.files === 3) stop.abort();
    };
    await catchFailure(
      made.download({ onProgress, downloads: 1, signal: stop.signal }),
      'INTERRUPTED',
    );
    const manifest = join(made.scene.out, 'manifest.json');
    expect(JSON.parse(await readFile(manifest, 'utf8'))).toMatchObject({
      complete: false,
      files: [],
    });
    const before = files(made).filter(({ outcome }) => outcome === 'sent').length;
    // One that is there was altered meanwhile: it is not vouched for.
    await writeFile(join(made.scene.out, '0001.json'), '{"elements":[]}');
    await made.download();
    await expectWhole(made);
    const again = files(made)
      .slice(before)
      .map(({ position }) => position);
    expect(again).not.toContain(0);
    expect(again).not.toContain(2);
    expect(again).toContain(1);
  });

  test('an altered file never gets its name', async () => {
    await using made = await make({ faults: { altered: { position: 2 } as never } });
    const error = await catchFailure(made.download(), 'BAD_FILE');
    expect(error.message).toMatch(
      /^file 2 of export \w+ is damaged: its SHA-256 is \w+, and the manifest says \w+/,
    );
    expect(await readdir(made.scene.out)).not.toContain('0002.json');
    made.scene.fake.set({});
    await made.download();
    await expectWhole(made);
  });

  test.each(['gzip-unmarked', 'unknown', 'gzip'] as const)('come as %s', async (how) => {
    await using made = await make({ faults: { encoding: { on: 'file', how } } });
    await made.download();
    await expectWhole(made);
  });

  test('none at all: a manifest', async () => {
    await using made = await make({ faults: { empty: {} } });
    expect(await made.download()).toEqual({ files: [], objects: 0 });
    await expectWhole(made);
  });
});

describe('refused', () => {
  test('a directory that holds something else; dot files and lost+found aside', async () => {
    await using made = await make();
    await mkdir(join(made.scene.out, 'lost+found'), { recursive: true });
    await writeFile(join(made.scene.out, '.hidden'), '');
    await writeFile(join(made.scene.out, 'mine.txt'), 'mine');
    const error = await catchFailure(made.download(), 'DIRECTORY');
    expect(error.message).toMatch(/is not empty: it holds mine\.txt$/);
    await rm(join(made.scene.out, 'mine.txt'));
    await writeFile(join(made.scene.out, 'manifest.json'), '{"name":"an app"}');
    await catchFailure(made.download(), 'DIRECTORY');
    await rm(join(made.scene.out, 'manifest.json'));
    await made.download();
  });

  test('the files of another export, and another form of the same', async () => {
    await using made = await make({ maxOpen: 9 });
    await made.download();
    const client = made.scene.client();
    const { id } = await client.create({ type: 'ORDERS', startTime: FROM, endTime: TO });
    const other = await catchFailure(client.download(id, { out: made.scene.out }), 'DIRECTORY');
    expect(other.message).toContain(`holds the files of export ${made.exportId}`);
    const error = await catchFailure(made.download({ gzip: true }), 'USAGE');
    expect(error.option).toBe('gzip');
  });

  test('links instead of files', async () => {
    await using made = await make();
    const victim = join(made.scene.directory, 'victim');
    await writeFile(victim, 'precious');
    await mkdir(made.scene.out, { mode: 0o700 });
    await symlink(victim, join(made.scene.out, 'manifest.json'));
    await catchFailure(made.download(), 'DIRECTORY');
    await rm(join(made.scene.out, 'manifest.json'));
    await mkdir(join(made.scene.directory, 'parts'));
    await symlink(join(made.scene.directory, 'parts'), join(made.scene.out, '.tillroll-parts'));
    await catchFailure(made.download(), 'DIRECTORY');
    expect(await readFile(victim, 'utf8')).toBe('precious');
  });

  test.each([
    ['an id that is none', '../x', {}, 'exportId'],
    ['too many at once', 'X', { downloads: 17 }, 'downloads'],
    ['odd permissions', 'X', { fileMode: 0o1777 }, 'fileMode'],
  ])('%s', async (_name, id, options, option) => {
    await using made = await make();
    const out = join(made.scene.directory, 'none');
    const error = await catchFailure(
      made.scene.client().download(id, { out, ...options }),
      'USAGE',
    );
    expect(error.option).toBe(option);
    expect(await readdir(made.scene.directory)).toEqual([]);
  });

  test('an export that is not DONE, or not there', async () => {
    await using made = await make({ faults: { unfinished: {} } });
    expect((await catchFailure(made.download(), 'UNAVAILABLE')).message).toMatch(
      /IN_PROGRESS, not DONE/,
    );
    const { out } = made.scene;
    await catchFailure(made.scene.client().download('NOSUCHEXPORT0', { out }), 'NOT_FOUND');
  });

  test('a place where nothing can be written', async () => {
    await using made = await make();
    await writeFile(join(made.scene.directory, 'file'), '');
    await catchFailure(made.download({ out: join(made.scene.directory, 'file') }), 'DIRECTORY');
    await catchFailure(made.download({ out: '/proc/nothing/here' }), 'DIRECTORY');
  });
});
