import { expect, test } from 'vitest';
import { barChart } from '../../../../tools/bench/emulated/bar-chart.ts';

test('bars end where their values are, longer ones at the edge', () => {
  const svg = barChart({
    title: 'figures',
    most: 2,
    line: 1,
    groups: [
      {
        title: 'a < b',
        bars: [
          { label: 'half', value: 1, note: '1', kind: 'ours', range: [0.5, 1.5] },
          { label: 'too long', value: 50, note: '50', kind: 'other' },
          { label: 'reported', value: 2, note: '2', kind: 'paper' },
        ],
      },
    ],
  });
  const widths = [...svg.matchAll(/width="(\d+\.\d)"/g)].map(([, width]) => Number(width));
  expect(widths).toEqual([225, 450, 450]);
  expect(svg).toContain('a &lt; b');
  expect(svg.match(/<line /g)).toHaveLength(2);
});
