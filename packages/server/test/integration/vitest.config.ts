import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    name: 'integration',
    include: ['*.test.ts'],
    globalSetup: ['./global-setup.ts'],
    // Two files at a time, however many cores there are: they wait more than they compute, each in a database
    // of its own, and a PostgreSQL of a hundred connections serves all that they start. In the files that
    // mostly wait, tests run side by side.
    maxWorkers: 2,
    sequence: { groupOrder: 1 },
    maxConcurrency: 4,
    testTimeout: 90_000,
    hookTimeout: 60_000,
  },
});
