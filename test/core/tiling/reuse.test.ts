import { describe, expect, it } from 'vitest';
import { readGraph } from '../../../services/core/graph/read-graph.ts';
import { everything } from '../../../services/core/planning/choose-blocks.ts';
import { type Region, sameRegion } from '../../../services/core/tensor/region.ts';
import { analyse } from '../../../services/core/tiling/analyse.ts';
import { bandCover, gridCover } from '../../../services/core/tiling/cover.ts';
import { reuseParts, reuseTiles } from '../../../services/core/tiling/reuse.ts';
import { tileBlock, tileCost } from '../../../services/core/tiling/tile-block.ts';
import type { FusedBlock, Tile } from '../../../services/core/tiling/types.ts';
import { ModelBuilder } from '../../support/model-builder.ts';
import { problem } from '../../support/tensors.ts';

/** `depth` padded 3x3 convolutions `c1`, `c2`, ... of 2 channels. */
async function stack(depth: number, rows: number, columns: number) {
  const builder = new ModelBuilder().input('c0', [1, 2, rows, columns]);
  for (let i = 1; i <= depth; i++)
    builder
      .random(`w${i}`, [2, 2, 3, 3])
      .node('Conv', [`c${i - 1}`, `w${i}`], [`c${i}`], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] });
  const graph = await readGraph(builder.output(`c${depth}`).encode());
  const analysis = analyse(graph);
  const block: FusedBlock = { ...everything(graph), kind: 'tile' };
  return { graph, analysis, block, uncut: analysis.blockMacs(block) };
}

const macsOf = (tiles: readonly Tile[]): number => tiles.reduce((sum, { macs }) => sum + macs, 0);

/** Ranges of rows by name. */
const rowsOf = (regions: ReadonlyMap<string, Region>) =>
  Object.fromEntries([...regions].map(([name, region]) => [name, region[2]]));

describe('tiles that reuse', () => {
  it('the tile between two others takes two rows per layer and side, and computes what nobody has', async () => {
    const { graph, analysis, block, uncut } = await stack(3, 30, 9);
    const tiles = reuseTiles(graph, analysis, block, gridCover(3, 1));
    expect(tiles.map(({ inputs }) => rowsOf(inputs))).toEqual([
      { c0: [0, 13] },
      {
        c0: [11, 19],
        'c2@before': [9, 11],
        'c2@after': [19, 21],
        'c1@before': [10, 12],
        'c1@after': [18, 20],
      },
      { c0: [17, 30] },
    ]);
    expect(tiles.map(({ outputs }) => rowsOf(outputs))).toEqual([
      { c3: [0, 10], 'c2@before': [9, 11], 'c1@before': [10, 12] },
      { c3: [10, 20] },
      { c3: [20, 30], 'c2@after': [19, 21], 'c1@after': [18, 20] },
    ]);
    expect(macsOf(tiles)).toBe(uncut);
    expect(macsOf(tileBlock(graph, analysis, block, gridCover(3, 1)))).toBeGreaterThan(1.1 * uncut);
    // A strip is as wide as the map: 2 channels, 2 rows, 9 columns.
    expect(tileCost(graph, tiles[1] as Tile).bytesIn).toBe(4 * 2 * 9 * (8 + 4 * 2));
  });

  it('works along columns as along rows', async () => {
    const { graph, analysis, block, uncut } = await stack(3, 9, 30);
    const tiles = reuseTiles(graph, analysis, block, gridCover(1, 3));
    expect(tiles[1]?.inputs.get('c1@after')).toEqual([
      [0, 1],
      [0, 2],
      [0, 9],
      [18, 20],
    ]);
    expect(tiles[1]?.strips?.get('c1@after')).toEqual({ tensor: 'c1', side: 'after', along: 'columns' });
    expect(macsOf(tiles)).toBe(uncut);
  });

  it('tiles inside share their sub-models, whatever their size', async () => {
    const { graph, analysis, block } = await stack(2, 80, 8);
    const shares = [1, 2, 3, 2, 2, 3, 2, 4, 1].map((share) => ({ share, columns: [1] }));
    const tiles = reuseTiles(graph, analysis, block, bandCover(shares));
    const pattern = (index: number) => tiles[index]?.pattern;
    expect([3, 5, 7].map(pattern)).toEqual([1, 1, 1].map(pattern));
    expect([4, 6].map(pattern)).toEqual([2, 2].map(pattern));
    expect(new Set(tiles.map((tile) => tile.pattern)).size).toBe(4);
  });

  it('a tile lower than its halo gets rows made by others and computes only its last layers', async () => {
    const { graph, analysis, block, uncut } = await stack(6, 36, 8);
    const cover = bandCover([16, 4, 16].map((share) => ({ share, columns: [1] })));
    const [, middle] = reuseTiles(graph, analysis, block, cover) as [Tile, Tile, Tile];
    expect(rowsOf(middle.inputs)).toEqual({
      'c5@before': [15, 17],
      'c5@after': [19, 21],
      'c4@before': [16, 18],
      'c4@after': [18, 20],
    });
    expect(middle.macs).toBe((uncut / 6 / 36) * (4 + 2));
    expect([...middle.inputs.keys()]).not.toContain('c0');
  });

  it('a chain computes nothing twice however low its tiles are, and no tile has a strip on both sides', async () => {
    const { graph, analysis, block, uncut } = await stack(8, 48, 8);
    const cover = gridCover(12, 1);
    const chain = reuseTiles(graph, analysis, block, cover, { order: 'chain' });
    expect(macsOf(chain)).toBe(uncut);
    for (const { inputs, outputs } of chain)
      for (const name of inputs.keys()) expect(outputs.has(name)).toBe(false);
    const alternate = macsOf(reuseTiles(graph, analysis, block, cover));
    expect(alternate).toBeGreaterThan(uncut);
    expect(alternate).toBeLessThan(macsOf(tileBlock(graph, analysis, block, cover)) / 1.5);
  });

  it('every strip that is taken is given once, and strips under one name have no rows in common', async () => {
    const { graph, analysis, block } = await stack(8, 48, 8);
    for (const order of ['alternate', 'chain'] as const) {
      const tiles = reuseTiles(graph, analysis, block, gridCover(12, 1), { order });
      const given = tiles.flatMap(({ outputs, strips }) =>
        [...outputs].filter(([name]) => strips?.has(name)),
      );
      const taken = tiles.flatMap(({ inputs, strips }) => [...inputs].filter(([name]) => strips?.has(name)));
      expect(given.length).toBe(taken.length);
      for (const [name, region] of taken)
        expect(given.filter(([other, part]) => other === name && sameRegion(part, region))).toHaveLength(1);
      for (const [i, [name, [, , rows]]] of given.entries())
        for (const [other, [, , others]] of given.slice(i + 1))
          if (name === other && rows !== undefined && others !== undefined)
            expect(rows[1] <= others[0] || others[1] <= rows[0]).toBe(true);
    }
  });

  it('computes again what is not sent', async () => {
    const { graph, analysis, block, uncut } = await stack(4, 40, 8);
    const cover = gridCover(4, 1);
    const macs = (sends: (tensor: string) => boolean) =>
      macsOf(reuseTiles(graph, analysis, block, cover, { sends }));
    const none = reuseTiles(graph, analysis, block, cover, { sends: () => false });
    const recomputing = tileBlock(graph, analysis, block, cover);
    expect(none.map(({ pattern, strips }) => [pattern, strips])).toEqual(
      recomputing.map(({ pattern }) => [pattern, undefined]),
    );
    expect(macs(() => true)).toBe(uncut);
    expect(macs((tensor) => tensor === 'c2')).toBeGreaterThan(uncut);
    expect(macs((tensor) => tensor === 'c2')).toBeLessThan(macsOf(recomputing));
  });

  it('regions for a cost model are those the macs are of', async () => {
    const { graph, analysis, block } = await stack(4, 40, 8);
    for (const { tile, regions } of reuseParts(graph, analysis, block, gridCover(5, 1))) {
      expect(regions.macs).toBe(tile.macs);
      expect([...regions.inputs.keys()]).toEqual(
        [...tile.inputs.keys()].filter((name) => !name.includes('@')),
      );
    }
  });

  it('one tile is a tile as any; a grid is refused with the reason', async () => {
    const { graph, analysis, block } = await stack(2, 12, 12);
    const [only] = reuseTiles(graph, analysis, block, gridCover(1, 1));
    expect(only?.pattern).toBe(tileBlock(graph, analysis, block, gridCover(1, 1))[0]?.pattern);
    expect(() => reuseTiles(graph, analysis, block, gridCover(2, 2))).toThrow(
      problem('tiling-refused', 'grid'),
    );
  });

  it('more strips than a message carries are refused; those of every second layer will do', async () => {
    const { graph, analysis, block } = await stack(130, 1200, 2);
    expect(() => reuseTiles(graph, analysis, block, gridCover(3, 1))).toThrow(
      problem('tiling-refused', 'a message carries 256'),
    );
    const even = (tensor: string): boolean => Number(tensor.slice(1)) % 2 === 0;
    const [, middle] = reuseTiles(graph, analysis, block, gridCover(3, 1), { sends: even });
    expect(middle?.strips?.size).toBe(2 * 64);
  });

  it('leaves names alone that the model has itself', async () => {
    const model = new ModelBuilder()
      .input('x', [1, 1, 12, 6])
      .random('w', [1, 1, 3, 3])
      .node('Conv', ['x', 'w'], ['y'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
      .node('Conv', ['y', 'w'], ['y@before'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
      .output('y@before')
      .encode();
    const graph = await readGraph(model);
    const tiles = reuseTiles(graph, analyse(graph), { ...everything(graph), kind: 'tile' }, gridCover(2, 1));
    expect([...(tiles[1]?.inputs.keys() ?? [])]).toEqual(['x', 'y@before2']);
  });
});
