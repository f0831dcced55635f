/** A simulation as a picture: a row per device, a bar per task, and thin ones for what travels meanwhile. */

import type { Simulation, TimelineEvent } from '../../services/core/planning/simulate/types.ts';
import { deviceColours, element, escapeText, STYLE, text } from '../plan/svg.ts';
import { type Row, timelineRows } from './timeline-rows.ts';

export interface TimelineOptions {
  /** Pixels; default 1000. */
  readonly width?: number;
  /** By device id: its bars in its colour. Absent: bars in the colours of their blocks, explained below. */
  readonly colours?: ReadonlyMap<string, string>;
  /** Milliseconds shown; default: all of them. */
  readonly untilMs?: number;
  /** Devices shown, the busiest; the rest is counted. Default 40. */
  readonly mostDevices?: number;
}

/** Height of a row by what it shows. */
const HEIGHT = { device: 20, thin: 7 } as const;
const GAP = 3;
const LABELS = 130;
const TOP = 8;
const AXIS = 26;
const LEGEND = 22;
/** Width of one entry of the legend. */
const ENTRY = 86;
/** A bar narrower than this has no room for its number. */
const ROOM = 16;
/** Ticks are at least so many pixels apart. */
const TICK = 70;

interface Scale {
  readonly until: number;
  readonly x: (at: number) => number;
}

/** A whole `<svg>` element; readable on a light and on a dark page. Bars carry the number of their frame. */
export function timelineSvg({ timeline = [] }: Simulation, options: TimelineOptions = {}): string {
  const { width = 1000, colours, mostDevices = 40 } = options;
  const last = timeline.reduce((most, { to }) => Math.max(most, to), 0);
  const until = Math.max(1e-6, Math.min(options.untilMs ?? last, last));
  const scale: Scale = { until, x: (at) => LABELS + (at / until) * (width - LABELS - 16) };
  const { rows, hidden } = timelineRows(
    timeline.filter(({ from }) => from < until),
    mostDevices,
  );
  const blocks = [...new Set(timeline.map(({ block }) => block))].sort((a, b) => a - b);
  const byBlock = deviceColours(blocks.map((block) => `block ${block}`));
  const colourOf = ({ device, block }: TimelineEvent): string | undefined =>
    colours?.get(device) ?? byBlock.get(`block ${block}`);
  let y = TOP;
  const drawn = rows.map((row) => {
    const at = y;
    y += HEIGHT[row.look] + GAP;
    return drawRow(row, at, scale, colourOf);
  });
  const bottom = y;
  const remark = hidden === 0 ? undefined : `and ${hidden} more devices`;
  const legend = drawLegend(colours === undefined ? byBlock : new Map(), remark, bottom + AXIS, width);
  const height = bottom + AXIS + legend.height;
  const content = [
    element('style', {}, STYLE),
    element('rect', { width, height, class: 'page' }),
    axis(scale, bottom),
    ...drawn,
    legend.svg,
  ].join('');
  return element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      'font-family': 'system-ui, sans-serif',
      role: 'img',
    },
    content,
  );
}

function drawRow(
  { label, look, events }: Row,
  y: number,
  { until, x }: Scale,
  colourOf: (event: TimelineEvent) => string | undefined,
): string {
  const height = HEIGHT[look];
  const size = look === 'device' ? 12 : 8;
  const name = text(LABELS - 8, y + height / 2 + size / 3, label, {
    size,
    look: look === 'device' ? 'ink' : 'muted',
    anchor: 'end',
    width: LABELS - 12,
  });
  const bars = events.map((event) => {
    const left = x(event.from);
    const wide = Math.max(0.4, x(Math.min(event.to, until)) - left);
    const said = element('title', {}, escapeText(describe(event)));
    const bar = element('rect', { x: left, y, width: wide, height, rx: 1.5, fill: colourOf(event) }, said);
    if (look !== 'device' || wide < ROOM) return bar;
    const number = element(
      'text',
      { x: left + wide / 2, y: y + 14, fill: '#ffffff', 'font-size': 10, 'text-anchor': 'middle' },
      String(event.frame),
    );
    return bar + number;
  });
  return name + bars.join('');
}

function describe({ resource, kind, from, to, frame, block, part }: TimelineEvent): string {
  const when = `${from.toFixed(1)} to ${to.toFixed(1)} ms`;
  return `${resource}: ${kind}, frame ${frame}, block ${block}, part ${part}, ${when}`;
}

function axis({ until, x }: Scale, y: number): string {
  const step = tickStep((until * TICK) / (x(until) - x(0)));
  const ticks: string[] = [];
  for (let number = 0; number * step <= until; number++) {
    const at = number * step;
    ticks.push(
      element('line', { x1: x(at), y1: TOP, x2: x(at), y2: y + 4, class: 'line', 'stroke-opacity': 0.35 }),
    );
    const label = `${Number(at.toPrecision(6))}${number === 0 ? ' ms' : ''}`;
    ticks.push(text(x(at), y + 16, label, { size: 10, look: 'muted', anchor: 'middle' }));
  }
  return ticks.join('');
}

/** 1, 2 or 5 times a power of ten, no less than `least`. */
export function tickStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5].find((times) => times * power >= least) ?? 10);
}

function drawLegend(
  colours: ReadonlyMap<string, string>,
  remark: string | undefined,
  y: number,
  width: number,
): { svg: string; height: number } {
  const perRow = Math.max(1, Math.floor((width - LABELS) / ENTRY));
  const swatches = [...colours].map(([entry, fill], at) => {
    const left = LABELS + (at % perRow) * ENTRY;
    const top = y + Math.floor(at / perRow) * LEGEND;
    const swatch = element('rect', { x: left, y: top, width: 12, height: 12, rx: 2, fill });
    return swatch + text(left + 18, top + 10, entry, { size: 11 });
  });
  const rows = Math.ceil(colours.size / perRow);
  if (remark !== undefined)
    swatches.push(text(LABELS, y + rows * LEGEND + 10, remark, { size: 11, look: 'muted' }));
  return { svg: swatches.join(''), height: (rows + (remark === undefined ? 0 : 1)) * LEGEND };
}
