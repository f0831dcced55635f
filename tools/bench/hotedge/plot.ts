/** The comparison as a picture: every plan's latency as a share of what it is compared with, the paper's figures beside. */

import { type Bar, type BarGroup, barChart } from '../emulated/bar-chart.ts';
import { type CellResult, reduction, type UnequalResult } from './targets.ts';

/** HotEdge'19: its parallel plan at 200 Mbit/s against one device. */
const PAPER: readonly Bar[] = [
  paper("HotEdge'19, 2.4 GHz", 1 - 0.4415),
  paper("HotEdge'19, 1.2 GHz", 1 - 0.4794),
];
/** Its adaptive tiles against even ones, one device at a quarter: on the fast link, and on the middle one. */
const PAPER_UNEQUAL: readonly Bar[] = [
  paper("HotEdge'19, fast link", 1 - 0.5069),
  paper("HotEdge'19, middle link", 1 - 0.3945),
];

const FAST = '200mbit';
const MOST = 1.5;

/** An SVG document. */
export function plot(equal: readonly CellResult[], unequal: readonly UnequalResult[]): string {
  const cells = [...new Set(equal.map(cellOf))].map((cell) =>
    equalGroup(equal.filter((result) => cellOf(result) === cell)),
  );
  const links = unequal.map((result): BarGroup => {
    const { link, adaptiveMs, evenMs, aloneMs } = result;
    return {
      title: `${link}, one of four devices at a quarter: against tiles of one size (${Math.round(evenMs)} ms)`,
      bars: [
        bar('one normal device', aloneMs, evenMs),
        { ...bar('adaptive', adaptiveMs, evenMs), note: `-${reduction(result).toFixed(1)} %`, kind: 'ours' },
        ...(link === FAST ? PAPER_UNEQUAL : []),
      ],
    };
  });
  return barChart({
    title: 'VGG-16 on four emulated devices: latency as a share of one device alone',
    groups: [...cells, ...links],
    most: MOST,
    line: 1,
  });
}

function cellOf({ link, cpu }: CellResult): string {
  return `${link}, ${cpu}`;
}

function equalGroup(own: readonly CellResult[]): BarGroup {
  const alone = own.find(({ plan }) => plan === 'all-in-one')?.medianMs ?? Number.NaN;
  const bars = own.map(({ plan, medianMs, interval: [low, high], n }): Bar => {
    const { note, ...rest } = bar(plan, medianMs, alone);
    return {
      ...rest,
      note: `${note} (n ${n})`,
      kind: plan.startsWith('ours') ? 'ours' : 'other',
      range: [low / alone, high / alone],
    };
  });
  const [first] = own;
  const title = first === undefined ? '' : cellOf(first);
  return { title, bars: [...bars, ...(first?.link === FAST ? PAPER : [])] };
}

function bar(label: string, ms: number, against: number): Bar {
  const value = ms / against;
  return { label, value, note: `${Math.round(ms)} ms, ${value.toFixed(2)}`, kind: 'other' };
}

function paper(label: string, value: number): Bar {
  return { label, value, note: value.toFixed(2), kind: 'paper' };
}
