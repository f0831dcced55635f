import { expect, it } from 'vitest';
import { leanEnvironment, PromptCollector } from '../../services/worker/lean-memory.ts';

it('keeps what the environment says already', () => {
  const environment = leanEnvironment({ HOME: '/root', NODE_OPTIONS: '--enable-source-maps' });
  expect(environment).toMatchObject({
    HOME: '/root',
    NODE_OPTIONS: '--enable-source-maps --max-semi-space-size=1',
    MALLOC_ARENA_MAX: '1',
  });
  expect(leanEnvironment({}).NODE_OPTIONS).toBe('--max-semi-space-size=1');
});

it('gives the memory of messages back that nobody holds any more', async () => {
  const collector = new PromptCollector();
  collector.start();
  const size = 4 * 2 ** 20;
  const held: Buffer[] = [];
  const bytes = (): number => process.memoryUsage().arrayBuffers - before;
  const before = process.memoryUsage().arrayBuffers;
  for (let message = 0; message < 4; message++) held[0] = Buffer.allocUnsafeSlow(size);
  collector.spent(size);
  // Another thread frees what was found.
  await expect.poll(bytes, { timeout: 10_000 }).toBeLessThan(3 * size);
  expect(held[0]?.byteLength).toBe(size);
});
