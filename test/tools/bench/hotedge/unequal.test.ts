import { expect, test } from 'vitest';
import { changeOf } from '../../../../tools/bench/hotedge/unequal.ts';

const frame = (endedAt: number, roundTripMs: number, plan: string) => ({ endedAt, roundTripMs, plan });

test('a change is found with the first result on another plan', () => {
  const frames = [
    frame(500, 500, 'old'),
    frame(1000, 500, 'old'),
    frame(2300, 1300, 'old'),
    frame(4300, 2000, 'old'),
    frame(6200, 1900, 'old'),
    frame(8500, 700, 'new'),
    frame(9200, 700, 'new'),
  ];
  expect(changeOf(frames, 1200)).toEqual({
    foundMs: 7300,
    longestGapMs: 2300,
    beforeMs: 500,
    // Without the frame that was under way.
    slowedMs: 1950,
  });
});

test('a plan that stays was not changed', () => {
  const { foundMs, slowedMs } = changeOf([frame(500, 500, 'old'), frame(2000, 1500, 'old')], 700);
  expect(foundMs).toBeUndefined();
  expect(slowedMs).toBe(1500);
});
