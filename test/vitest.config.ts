import { defineConfig } from 'vitest/config';

/**
 * What only computes: these files share two processes, for starting one and loading the sources takes longer than most
 * of them. Those that load whole networks have a process each, which takes their memory with it.
 */
const SHARING = ['flow', 'graph', 'planning', 'tensor', 'vision', 'wire'].map(
  (name) => `test/core/${name}/**/*.test.ts`,
);
const LARGE = ['test/core/graph/models.test.ts'];

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    setupFiles: ['test/support/property-seed.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // Many times what any test takes by itself: on a busy machine a wait is no defect.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // `expect.poll` gives up after a second by default: less than a busy machine takes for anything.
    expect: { poll: { timeout: 20_000 } },
    env: { TILEPIPE_LOG: 'error' },
    projects: [
      { extends: true, test: { name: 'sharing', include: SHARING, exclude: LARGE, isolate: false } },
      { extends: true, test: { name: 'large', include: LARGE } },
      { extends: true, test: { name: 'apart', include: ['test/**/*.test.ts'], exclude: SHARING } },
    ],
  },
});
