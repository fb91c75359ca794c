import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    name: 'integration',
    include: ['*.test.ts'],
    globalSetup: ['./global-setup.ts'],
    // One file after another: a PostgreSQL of a hundred connections serves all that they start, and
    // inside the two files that mostly wait, tests run side by side.
    fileParallelism: false,
    sequence: { groupOrder: 1 },
    maxConcurrency: 4,
    testTimeout: 90_000,
    hookTimeout: 60_000,
  },
});
