/** The table as a picture: every row's latency as a share of one device alone. */

import { type Bar, type BarGroup, barChart } from '../emulated/bar-chart.ts';
import { cellName, WIRES } from './cells.ts';
import { type Row, reduction } from './targets.ts';

const MOST = 1.5;

/** An SVG document. */
export function wirePlot(rows: readonly Row[]): string {
  const networks = [...new Set(rows.map(({ network }) => network))];
  const groups = networks.map((network): BarGroup => {
    const own = rows.filter((row) => row.network === network);
    return { title: network, bars: own.flatMap(barsOf) };
  });
  return barChart({
    title: 'Four emulated devices and a hub: latency as a share of one device alone',
    groups,
    most: MOST,
    line: 1,
  });
}

function barsOf(row: Row): Bar[] {
  const { accuracy, mode, oursMs, aloneMs, interval, int8Ms, n } = row;
  const wire = WIRES.find(({ name }) => name === row.wire) ?? WIRES[0];
  const bar: Bar = {
    label: `${cellName({ wire, accuracy })}: ${mode}`,
    value: oursMs / aloneMs,
    note: `${Math.round(oursMs)} ms, ${(-reduction(row)).toFixed(0)} % (n ${n})`,
    kind: 'ours',
    range: [interval[0] / aloneMs, interval[1] / aloneMs],
  };
  if (int8Ms === undefined) return [bar];
  return [
    bar,
    { label: 'one device, int8', value: int8Ms / aloneMs, note: `${Math.round(int8Ms)} ms`, kind: 'other' },
  ];
}
