import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { State } from '../src/directory/state.ts';
import { readState } from './directory-scene.ts';
import { catchFailure, MONTH_FILE, Scene } from './scene.ts';

/** A directory that somebody prepared: a pull touches nothing outside of it. */

const VICTIM = 'precious\n';

class Hostile implements AsyncDisposable {
  readonly scene: Scene;
  /** Beside the directory. */
  readonly victim: string;

  private constructor(scene: Scene) {
    this.scene = scene;
    this.victim = join(scene.directory, 'victim');
  }

  /** A sound directory after one pull, and files outside that nobody must touch. */
  static async begin(): Promise<Hostile> {
    const scene = await Scene.begin();
    await scene.pull();
    const hostile = new Hostile(scene);
    mkdirSync(hostile.victim);
    for (const name of ['data.jsonl', '2026-02.jsonl', 'lines', 'state.json'])
      writeFileSync(join(hostile.victim, name), VICTIM);
    return hostile;
  }

  edit(change: (state: State) => void): void {
    const state = readState(this.scene.out);
    change(state);
    writeFileSync(join(this.scene.out, '.tillroll/state.json'), JSON.stringify(state));
  }

  /** Replaces a folder of the directory by a link to the victim. */
  link(path: string): void {
    const inside = join(this.scene.out, path);
    rmSync(inside, { recursive: true, force: true });
    symlinkSync(this.victim, inside);
  }

  expectUntouched(): void {
    expect(readdirSync(this.victim).toSorted()).toEqual([
      '2026-02.jsonl',
      'data.jsonl',
      'lines',
      'state.json',
    ]);
    for (const name of readdirSync(this.victim))
      expect(readFileSync(join(this.victim, name), 'utf8')).toBe(VICTIM);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scene[Symbol.asyncDispose]();
  }
}

const OUTSIDE = [
  '../victim/data.jsonl',
  'orders/../../victim/data.jsonl',
  '.tillroll/../../victim/data.jsonl',
  'orders/2026-02.jsonl/../../../victim/data.jsonl',
  'orders\\..\\..\\victim\\data.jsonl',
  './orders/2026-02.jsonl',
  'orders//2026-02.jsonl',
  'ORDERS/2026-02.jsonl',
  'orders/2026-13.jsonl',
  'orders/2026-02.jsonl.gz',
  'orders/2026-02.csv',
  'receipt.json\n',
  '',
];

describe('a prepared state', () => {
  test.each(OUTSIDE)('with the path %j is refused', async (path) => {
    await using hostile = await Hostile.begin();
    const absolute = join(hostile.victim, 'data.jsonl');
    for (const bad of [path, absolute])
      for (const change of [
        (state: State) => void state.made.push(bad),
        (state: State) => void state.obsolete.push(bad),
        (state: State) => void state.pending.push({ staged: '1/lines', path: bad }),
      ]) {
        const before = readFileSync(join(hostile.scene.out, '.tillroll/state.json'));
        hostile.edit(change);
        const error = await catchFailure(hostile.scene.pull(), 'DIRECTORY');
        expect(error.message).toMatch(/state\.json is damaged/);
        writeFileSync(join(hostile.scene.out, '.tillroll/state.json'), before);
      }
    hostile.expectUntouched();
  });

  test.each([
    '../../victim/lines',
    '../../../victim/lines',
    '/etc/passwd',
    '1/../../x',
    'lines',
    '',
  ])('with the staged file %j is refused', async (staged) => {
    await using hostile = await Hostile.begin();
    hostile.edit((state) => void state.pending.push({ staged, path: MONTH_FILE }));
    await catchFailure(hostile.scene.pull(), 'DIRECTORY');
    hostile.expectUntouched();
    expect(existsSync(join(hostile.scene.out, MONTH_FILE))).toBe(true);
  });

  test.each(['../../../victim', '..', 'a/b', '.', ''])(
    'with the export %j is refused',
    async (id) => {
      await using hostile = await Hostile.begin();
      hostile.edit((state) => {
        const { wanted, exports } = state.types.ORDERS as NonNullable<State['types']['ORDERS']>;
        exports.push({ ...wanted, id });
      });
      await catchFailure(hostile.scene.pull(), 'DIRECTORY');
      hostile.expectUntouched();
    },
  );

  test('that anybody may write is refused, and so is one of another user', async ({ skip }) => {
    await using hostile = await Hostile.begin();
    const state = join(hostile.scene.out, '.tillroll/state.json');
    chmodSync(state, 0o666);
    expect((await catchFailure(hostile.scene.pull(), 'DIRECTORY')).message).toMatch(/state\.json/);
    chmodSync(state, 0o600);
    chmodSync(join(hostile.scene.out, '.tillroll'), 0o777);
    await catchFailure(hostile.scene.pull(), 'DIRECTORY');
    chmodSync(join(hostile.scene.out, '.tillroll'), 0o700);
    skip(process.getuid?.() !== 0, 'needs to give a file away');
    chownSync(state, 12_345, 12_345);
    await catchFailure(hostile.scene.pull(), 'DIRECTORY');
  });
});

describe('a link', () => {
  test.each([
    '.tillroll',
    '.tillroll/staging',
    '.tillroll/parts',
    '.tillroll/ids',
    '.tillroll/ids/orders',
    '.tillroll/state.json',
    'orders',
    MONTH_FILE,
    'receipt.json',
    'SHA256SUMS',
  ])('instead of %s: nothing behind it is touched', async (path) => {
    await using hostile = await Hostile.begin();
    if (path.includes('.json') || path === 'SHA256SUMS') {
      const inside = join(hostile.scene.out, path);
      rmSync(inside);
      symlinkSync(join(hostile.victim, 'data.jsonl'), inside);
    } else hostile.link(path);
    // Refusing and replacing it are both right.
    await hostile.scene.pull({ sinceLast: true, to: undefined }).catch(() => undefined);
    hostile.expectUntouched();
  });

  test('instead of the directory is refused, with what to do', async () => {
    await using scene = await Scene.begin();
    const real = join(scene.directory, 'real');
    mkdirSync(real);
    symlinkSync(real, scene.out);
    expect((await catchFailure(scene.pull(), 'DIRECTORY')).hint).toMatch(/that the link leads to/);
    expect(readdirSync(real)).toEqual([]);
  });
});

test('a device or a pipe instead of a file does not hang a pull', async ({ skip }) => {
  await using hostile = await Hostile.begin();
  const path = join(hostile.scene.out, '.tillroll/state.json');
  renameSync(path, `${path}.old`);
  skip(spawnSync('mkfifo', [path]).status !== 0, 'needs mkfifo');
  await catchFailure(hostile.scene.pull(), 'DIRECTORY');
});
