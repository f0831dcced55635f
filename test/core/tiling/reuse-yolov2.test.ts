/** The figures of docs/reuse.md: YOLOv2's first 16 layers, what DeepThings cuts, in six strips of rows. */

import { beforeAll, expect, it } from 'vitest';
import { readGraph } from '../../../services/core/graph/read-graph.ts';
import type { Graph } from '../../../services/core/graph/types.ts';
import { everything } from '../../../services/core/planning/choose-blocks.ts';
import { type Analysis, analyse } from '../../../services/core/tiling/analyse.ts';
import { bandCover, gridCover } from '../../../services/core/tiling/cover.ts';
import { reuseTiles } from '../../../services/core/tiling/reuse.ts';
import { tileBlock, tileCost } from '../../../services/core/tiling/tile-block.ts';
import type { Cover, FusedBlock, Tile } from '../../../services/core/tiling/types.ts';
import { encodeDrawing } from '../../../tools/zoo/write-network.ts';
import { yolov2First } from '../../../tools/zoo/yolov2.ts';

let graph: Graph;
let analysis: Analysis;
let block: FusedBlock;
beforeAll(async () => {
  const { model, bytes } = encodeDrawing('yolov2-16', yolov2First(), 'absent');
  // Work and bytes depend on no weight.
  const read = (_: string, __: number, length: number) => new Uint8Array(length);
  graph = await readGraph(model, { external: { size: () => bytes, read } });
  analysis = analyse(graph);
  block = { ...everything(graph), kind: 'tile' };
});

interface Figures {
  /** Over the uncut model's multiply-accumulates. */
  readonly work: number;
  /** Highest of the tiles, alike. */
  readonly highest: number;
  /** Highest of the first round and of the second, alike. */
  readonly rounds: number;
  /** Bytes to and from the devices, strips in both; and the strips alone, one way. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly strips: number;
  readonly patterns: number;
}

function figures(name: string, tiles: readonly Tile[]): Figures {
  const uncut = analysis.blockMacs(block);
  const sum = (of: (tile: Tile) => number): number => tiles.reduce((total, tile) => total + of(tile), 0);
  const highest = (all: readonly Tile[]): number => Math.max(...all.map(({ macs }) => macs)) / uncut;
  const stripsOf = (tile: Tile): number => {
    const inputs = new Map([...tile.inputs].filter(([input]) => tile.strips?.has(input)));
    return tileCost(graph, { ...tile, inputs }).bytesIn;
  };
  const made: Figures = {
    work: sum(({ macs }) => macs) / uncut,
    highest: highest(tiles),
    rounds: highest(tiles.filter((_, i) => i % 2 === 0)) + highest(tiles.filter((_, i) => i % 2 === 1)),
    bytesIn: sum((tile) => tileCost(graph, tile).bytesIn),
    bytesOut: sum((tile) => tileCost(graph, tile).bytesOut),
    strips: sum(stripsOf),
    patterns: new Set(tiles.map(({ pattern }) => pattern)).size,
  };
  const mb = (bytes: number): string => (bytes / 1e6).toFixed(2);
  process.stdout.write(
    `${name}: ${((made.work * uncut) / 1e9).toFixed(2)} GMAC (${made.work.toFixed(3)} of uncut), ` +
      `highest tile ${made.highest.toFixed(3)}, ` +
      `${name.includes('alternate') ? `two rounds ${made.rounds.toFixed(3)}, ` : ''}` +
      `in ${mb(made.bytesIn)} MB, out ${mb(made.bytesOut)} MB, strips ${mb(made.strips)} MB, ${made.patterns} sub-models\n`,
  );
  return made;
}

const rows = (shares: readonly number[]): Cover =>
  bandCover(shares.map((share) => ({ share, columns: [1] })));

it('six equal strips do 58 % more work than uncut, with reuse 1.2 %, in a chain none', () => {
  const again = figures('6x1 computed again', tileBlock(graph, analysis, block, gridCover(6, 1)));
  const reuse = figures('6x1 alternate', reuseTiles(graph, analysis, block, gridCover(6, 1)));
  const chain = figures('6x1 chain', reuseTiles(graph, analysis, block, gridCover(6, 1), { order: 'chain' }));
  expect(again.work).toBeCloseTo(1.575, 3);
  expect(reuse.work).toBeCloseTo(1.012, 3);
  expect(chain.work).toBe(1);
  expect(reuse.bytesIn).toBeLessThan(again.bytesIn);
  expect(reuse.patterns).toBeLessThan(6);
});

it('strips of which every second is three times as high do no work twice', () => {
  const reuse = figures('6x1 alternate 1:3', reuseTiles(graph, analysis, block, rows([1, 3, 1, 3, 1, 3])));
  expect(reuse.work).toBe(1);
  expect(reuse.highest).toBeLessThan(0.21);
});

it('twelve strips on six devices take less of their time in two rounds than six in one', () => {
  const again = figures('6x1 computed again', tileBlock(graph, analysis, block, gridCover(6, 1)));
  const grid = figures('3x2 computed again', tileBlock(graph, analysis, block, gridCover(3, 2)));
  const shares = [0.6, 2.4, 1, 2.4, 1, 2.4, 1, 2.4, 1, 2.4, 1, 1.44];
  const reuse = figures('12x1 alternate', reuseTiles(graph, analysis, block, rows(shares)));
  expect(reuse.rounds).toBeLessThan(Math.min(again.highest, grid.highest));
});
