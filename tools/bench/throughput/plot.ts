/** The streams as a picture: every cell's frames per second as a multiple of one device's, what others report beside. */

import { type Bar, type BarGroup, barChart } from '../emulated/bar-chart.ts';
import type { MeasuredStream } from './streams.ts';
import { speedUp } from './targets.ts';

/** On eight Raspberry Pis. */
const PAPERS: readonly Bar[] = [
  { label: 'PICO, 8 devices', value: 6.8, note: '6.8 x', kind: 'paper' },
  { label: 'Hadidi and Cao, 8 devices', value: 7.5, note: 'about 7.5 x', kind: 'paper' },
];
const MOST = 9;
/** What the dashed line stands at: one device. */
const ONE = 1;

/** An SVG document. */
export function throughputPlot(results: readonly MeasuredStream[]): string {
  const networks = [...new Set(results.map(({ network }) => network))];
  const groups = networks.map((network): BarGroup => {
    const own = results.filter((result) => result.network === network);
    return { title: network, bars: [...own.flatMap(bars), ...PAPERS] };
  });
  return barChart({
    title: 'Frames per second on emulated devices, as a multiple of one device',
    groups,
    most: MOST,
    line: ONE,
  });
}

function bars(result: MeasuredStream): Bar[] {
  const { devices, memory, interval, aloneFramesPerSecond, simulatedFramesPerSecond, n } = result;
  const [low, high] = interval;
  const simulated = simulatedFramesPerSecond / aloneFramesPerSecond;
  return [
    {
      label: `${devices} devices, ${memory}`,
      value: speedUp(result),
      note: `${speedUp(result).toFixed(2)} x (n ${n}), simulated ${simulated.toFixed(2)}`,
      kind: 'ours',
      range: [low / aloneFramesPerSecond, high / aloneFramesPerSecond],
    },
  ];
}
