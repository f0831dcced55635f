/** The blocks of a plan in the order they run, with what travels between them. */

import type { BlockRow } from '../../services/core/planning/advise/block-rows.ts';
import type { DraftBlock } from '../../services/core/planning/draft.ts';
import { bytes, ms } from '../output.ts';
import { element, escapeText, text } from './svg.ts';
import type { Panels } from './tile-panels.ts';

const BOX = { width: 132, height: 96 } as const;
/** Room for an arrow and the bytes above it. */
const GAP = 64;
const STEP = BOX.width + GAP;
/** The hand-over of frame and answer at both ends. */
const END = 46;
const ROW = BOX.height + 30;

/** Rows of boxes as wide as `width` allows. `rows` and `blocks` are the same blocks. */
export function blockBoxes(
  rows: readonly BlockRow[],
  blocks: readonly DraftBlock[],
  colours: ReadonlyMap<string, string>,
  width: number,
): Panels {
  const perRow = Math.max(1, Math.floor((width - 2 * END - GAP) / STEP));
  const drawn = rows.flatMap((row, at) => {
    const x = END + GAP + (at % perRow) * STEP;
    const y = Math.floor(at / perRow) * ROW;
    const before = rows[at - 1];
    const end = at % perRow === perRow - 1 || at === rows.length - 1;
    return [
      row.kept
        ? arrow(x - GAP, y, ['strips', row.stripBytes], row.bytesIn > 0 ? ['in', row.bytesIn] : undefined)
        : arrow(x - GAP, y, before && ['out', before.bytesOut], ['in', row.bytesIn]),
      box(row, blocks[at], colours, x, y),
      ...(at === 0 ? [text(x - GAP - 4, y + BOX.height / 2 + 4, 'frame', { anchor: 'end' })] : []),
      ...(end && at === rows.length - 1
        ? [
            arrow(x + BOX.width, y, ['out', row.bytesOut], undefined),
            text(x + BOX.width + GAP + 4, y + BOX.height / 2 + 4, 'answer'),
          ]
        : []),
    ];
  });
  return { svg: drawn.join(''), height: Math.ceil(rows.length / perRow) * ROW };
}

/** What bytes are, and how many. */
type Moved = readonly [what: string, count: number];

/**
 * Bytes that leave the devices above the line, those that go to the next ones below it: halos make them differ. Of tiles
 * that stay, what goes from device to device.
 */
function arrow(x: number, y: number, out: Moved | undefined, into: Moved | undefined): string {
  const middle = y + BOX.height / 2;
  const label = (moved: Moved | undefined, at: number): string[] =>
    moved === undefined
      ? []
      : [
          text(x + GAP / 2 - 2, at, `${moved[0]} ${bytes(moved[1])}`, {
            size: 10,
            look: 'muted',
            anchor: 'middle',
          }),
        ];
  return [
    element('path', { d: `M${x + 2} ${middle} H${x + GAP - 8}`, class: 'line', 'stroke-width': 1.5 }),
    element('path', { d: `M${x + GAP - 9} ${middle - 4} l7 4 l-7 4 Z`, class: 'head' }),
    ...label(out, middle - 8),
    ...label(into, middle + 16),
  ].join('');
}

const PARTS: Readonly<Record<BlockRow['mode'], (count: number) => string>> = {
  whole: () => 'whole',
  tile: (count) => `${count} tiles`,
  shard: (count) => `${count} shards`,
  partial: (count) => `${count} partial sums`,
};

function box(
  row: BlockRow,
  block: DraftBlock | undefined,
  colours: ReadonlyMap<string, string>,
  x: number,
  y: number,
): string {
  const say = (line: number, content: string, look = 'ink'): string =>
    text(x + 10, y + 20 + line * 17, content, { look, size: line === 0 ? 12 : 11, width: BOX.width - 16 });
  const title = `block ${row.id}: ${row.first} to ${row.last}${row.reason === undefined ? '' : `; ${row.reason}`}`;
  return element(
    'g',
    {},
    [
      element('title', {}, escapeText(title)),
      element('rect', { x, y, ...BOX, rx: 6, class: 'box' }),
      say(0, `block ${row.id}`, 'strong'),
      say(
        1,
        `${PARTS[row.mode](row.parts)}${row.kept ? ', kept' : ''}, ${row.nodes} ${row.nodes === 1 ? 'node' : 'nodes'}`,
      ),
      say(2, `${Math.round(100 * row.macsShare)} % of the work`),
      say(3, `${ms(row.computeMs)} computing`, 'muted'),
      bar(block, colours, x, y + BOX.height - 12),
    ].join(''),
  );
}

/** Who does how much of a block, as shares of a bar. */
function bar(
  block: DraftBlock | undefined,
  colours: ReadonlyMap<string, string>,
  x: number,
  y: number,
): string {
  const parts = block?.parts ?? [];
  const weights = parts.map(({ tile }) => Math.max(1, tile.macs));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let left = x + 10;
  return parts
    .flatMap(({ devices }, at) => {
      const wide = ((BOX.width - 20) * (weights[at] as number)) / total / Math.max(1, devices.length);
      return devices.map((device) => {
        const piece = element('rect', {
          x: left,
          y,
          width: Math.max(0.5, wide - 1),
          height: 5,
          fill: colours.get(device),
        });
        left += wide;
        return piece;
      });
    })
    .join('');
}
