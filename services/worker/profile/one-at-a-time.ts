/** Work that only one process of a machine does at a time: workers that measured it together would measure each other. */

import { closeSync, openSync, rmSync, statSync, utimesSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

/** How often the holder says that it lives, and others look. */
const SIGN_MS = 500;
/** Without a sign for so long it was ended. */
const ABANDONED_MS = 10_000;

/**
 * Runs `work` while it holds the file `lock`, which is there meanwhile. Whoever waits asks `enough` again and again: a
 * result is then somebody else's.
 */
export async function oneAtATime<T>(
  lock: string,
  enough: () => T | undefined,
  work: () => Promise<T>,
): Promise<T> {
  for (;;) {
    const found = enough();
    if (found !== undefined) return found;
    if (take(lock)) break;
    await setTimeout(SIGN_MS);
  }
  const sign = setInterval(() => touch(lock), SIGN_MS);
  sign.unref();
  try {
    // Somebody may have finished between the look and the lock.
    return enough() ?? (await work());
  } finally {
    clearInterval(sign);
    rmSync(lock, { force: true });
  }
}

function take(lock: string): boolean {
  try {
    closeSync(openSync(lock, 'wx'));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const { mtimeMs = Date.now() } = statSync(lock, { throwIfNoEntry: false }) ?? {};
  if (Date.now() - mtimeMs > ABANDONED_MS) rmSync(lock, { force: true });
  return false;
}

function touch(lock: string): void {
  try {
    utimesSync(lock, new Date(), new Date());
  } catch {
    // Taken for abandoned, as after the machine slept: two measure then, which is less exact and nothing worse.
  }
}
