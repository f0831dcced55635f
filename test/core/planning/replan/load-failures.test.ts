/** Which plans are not tried again, how long, and whom is planned without meanwhile. */

import { expect, test } from 'vitest';
import { LoadFailures } from '../../../../services/core/planning/replan/load-failures.ts';

const MINUTE = 60_000;

test('a plan that failed is refused for a minute, and twice as long after every other attempt', () => {
  const failures = new LoadFailures();
  let now = 0;
  for (const minutes of [1, 2, 4, 8, 16, 30, 30]) {
    failures.failed('p', ['a'], now);
    // Another one of the same attempt.
    failures.failed('p', ['b'], now + 1);
    now += minutes * MINUTE;
    expect([failures.refuses('p', now - 1), failures.refuses('p', now)]).toEqual([true, false]);
  }
  expect(failures.refuses('q', 0)).toBe(false);
});

test('it is tried again when those that could not load it have gone, or could after all', () => {
  const failures = new LoadFailures();
  failures.failed('p', ['a', 'b'], 0);
  failures.online(new Set(['b', 'c']));
  expect(failures.refuses('p', 1)).toBe(true);
  failures.loaded('p', 'b');
  failures.loaded('q', 'b');
  expect(failures.refuses('p', 1)).toBe(false);
});

test('workers are left out while the wait lasts, where there is no other plan', () => {
  const failures = new LoadFailures();
  failures.failed('p', ['a'], 0);
  expect([...failures.leftOut(1)]).toEqual([]);
  expect(failures.refuses('p', 1)).toBe(true);
  failures.leaveOut('p');
  failures.failed('p', ['b'], 1);
  failures.leaveOut('q');
  expect([...failures.leftOut(2)]).toEqual(['a', 'b']);
  // Without them it is as good as any.
  expect(failures.refuses('p', 2)).toBe(false);
  expect([...failures.leftOut(MINUTE)]).toEqual([]);
});

test('it remembers the last 64', () => {
  const failures = new LoadFailures();
  for (let i = 0; i < 65; i++) failures.failed(`p${i}`, ['a'], 0);
  expect([failures.refuses('p0', 1), failures.refuses('p1', 1)]).toEqual([false, true]);
});
