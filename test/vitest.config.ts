import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/support/property-seed.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // Many times what any test takes by itself: on a busy machine a wait is no defect.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // `expect.poll` gives up after a second by default: less than a busy machine takes for anything.
    expect: { poll: { timeout: 20_000 } },
    env: { TILEPIPE_LOG: 'error' },
  },
});
