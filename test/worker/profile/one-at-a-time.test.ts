import { existsSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { oneAtATime } from '../../../services/worker/profile/one-at-a-time.ts';
import { temporaryFolder } from '../../support/cluster.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const lock = (name: string): string => join(folder.path, name);

test('of those that come together one works, and the others take its result', async () => {
  let result: number | undefined;
  let works = 0;
  const once = () =>
    oneAtATime(
      lock('together'),
      () => result,
      async () => {
        works++;
        expect(existsSync(lock('together'))).toBe(true);
        result = 7;
        return result;
      },
    );
  expect(await Promise.all([once(), once(), once()])).toEqual([7, 7, 7]);
  expect(works).toBe(1);
  expect(existsSync(lock('together'))).toBe(false);
});

test('work that fails lets the next one try', async () => {
  const fails = oneAtATime(
    lock('fails'),
    () => undefined,
    () => Promise.reject(new Error('no')),
  );
  const next = oneAtATime(
    lock('fails'),
    () => undefined,
    async () => 'yes',
  );
  await expect(fails).rejects.toThrow('no');
  expect(await next).toBe('yes');
});

test('what a process left that was ended is taken away', async () => {
  writeFileSync(lock('left'), '');
  const longAgo = new Date(Date.now() - 60_000);
  utimesSync(lock('left'), longAgo, longAgo);
  expect(
    await oneAtATime(
      lock('left'),
      () => undefined,
      async () => 1,
    ),
  ).toBe(1);
});
