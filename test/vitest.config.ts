import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/support/property-seed.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // `expect.poll` gives up after a second by default: less than a busy machine takes for anything.
    expect: { poll: { timeout: 20_000 } },
    env: { TILEPIPE_LOG: 'error' },
  },
});
