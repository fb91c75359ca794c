import { defineConfig } from 'vitest/config';

/** `npm test` runs all of them: real processes and a real PostgreSQL, from npm alone. */
export default defineConfig({
  test: {
    // A worker for each core: vitest would leave one to itself, which on two cores is half of them.
    maxWorkers: '100%',
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            'packages/*/test/*.test.ts',
            'examples/**/*.test.ts',
            'scripts/*.test.ts',
            'attack/test/*.test.ts',
            'chaos/test/*.test.ts',
          ],
          testTimeout: 30_000,
        },
      },
      'packages/server/test/integration/vitest.config.ts',
      'acceptance/vitest.config.ts',
    ],
  },
});
