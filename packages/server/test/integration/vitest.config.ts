import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    name: 'integration',
    include: ['*.test.ts'],
    globalSetup: ['./global-setup.ts'],
    // Processes of their own, and one PostgreSQL with a hundred connections for all of them.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 90_000,
    hookTimeout: 60_000,
  },
});
