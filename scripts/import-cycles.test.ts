import { describe, expect, test, vi } from 'vitest';
import { plant } from './linted-tree.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

describe('a cycle of imports is refused', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((name) => `planted/${name}.ts`) as [string, string, string];

  test.each([
    ['of values', `import './b.ts';`, `import './a.ts';`],
    [
      'of types alone',
      `import type { B } from './b.ts'; export type A = B;`,
      `import { type A } from './a.ts'; export type B = A;`,
    ],
    ['of re-exported types', `export type { B } from './b.ts';`, `export * from './a.ts';`],
    ['of types within types', `export type A = import('./b.ts').B;`, `import './a.ts';`],
    ['of imports at run time', `await import('./b.ts');`, `import './a.ts';`],
  ])('%s', async (_, ofA, ofB) => {
    for (const folder of [
      'packages/server/src/http',
      'packages/cli/src',
      'acceptance',
      'scripts',
    ]) {
      const [inA, inB] = [`${folder}/${a}`, `${folder}/${b}`];
      const { status, faults } = await plant({ file: inA, text: ofA }, { file: inB, text: ofB });
      expect(faults.toSorted()).toEqual([
        `${inA}: an import cycle: ${inA} -> ${inB} -> ${inA}`,
        `${inB}: an import cycle: ${inB} -> ${inA} -> ${inB}`,
      ]);
      expect(status).not.toBe(0);
    }
  });

  test('also a long one, and of a file with itself', async () => {
    const { faults } = await plant(
      { file: `scripts/${a}`, text: `import './b.ts';` },
      { file: `scripts/${b}`, text: `import type { C } from './c.ts'; export type B = C;` },
      { file: `scripts/${c}`, text: `export * from '../planted/a.ts'; import './c.ts';` },
    );
    expect(faults).toHaveLength(4);
    expect(faults).toContain(
      `scripts/${a}: an import cycle: scripts/${a} -> scripts/${b} -> scripts/${c} -> scripts/${a}`,
    );
    expect(faults).toContain(`scripts/${c}: an import cycle: scripts/${c} -> scripts/${c}`);
  });

  test('but not two files that share a third', async () => {
    const { faults } = await plant(
      { file: `scripts/${a}`, text: `import './b.ts'; import './c.ts';` },
      { file: `scripts/${b}`, text: `import './c.ts';` },
      { file: `scripts/${c}`, text: 'export const c = 1;' },
    );
    expect(faults).toEqual([]);
  });
});
