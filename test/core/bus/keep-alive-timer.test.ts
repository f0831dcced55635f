import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { keepAliveTimer } from '../../../services/core/bus/keep-alive-timer.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('the verdict waits as long as bytes come, and falls once none have come for a while', () => {
  let bytes = 0;
  let ticks = 0;
  let pings = 0;
  const timer = keepAliveTimer(
    () => bytes,
    () => pings++,
  );
  const id = timer.set(() => ticks++, 30_000);
  vi.advanceTimersByTime(60_000);
  expect(ticks).toBe(2);
  for (let i = 0; i < 5; i++) {
    bytes += 1000;
    vi.advanceTimersByTime(30_000);
  }
  expect(ticks).toBe(2);
  // Of the ticks 3 to 7, every second.
  expect(pings).toBe(2);
  vi.advanceTimersByTime(30_000);
  expect(ticks).toBe(3);
  timer.clear(id);
  vi.advanceTimersByTime(90_000);
  expect(ticks).toBe(3);
});

test('where nothing comes it falls when the library wants it to', () => {
  let ticks = 0;
  keepAliveTimer(
    () => 7,
    () => {},
  ).set(() => ticks++, 500);
  vi.advanceTimersByTime(1_500);
  expect(ticks).toBe(3);
});
