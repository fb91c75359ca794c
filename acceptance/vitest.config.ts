/** Settings of vitest for the acceptance suite. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    name: 'acceptance',
    include: ['*.test.ts'],
    globalSetup: ['./start.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
