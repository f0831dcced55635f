import { describe, expect, test } from 'vitest';
import { readGraph } from '../../../../services/core/graph/read-graph.ts';
import { everything } from '../../../../services/core/planning/choose-blocks.ts';
import { blockWeightBytes, tilePeak, wholePeak } from '../../../../services/core/planning/cost/memory.ts';
import type { KindWork, Work } from '../../../../services/core/planning/cost/work.ts';
import { shardWork, tileWork, wholeWork } from '../../../../services/core/planning/cost/work-of.ts';
import { analyse } from '../../../../services/core/tiling/analyse.ts';
import { gridCover } from '../../../../services/core/tiling/cover.ts';
import { partition } from '../../../../services/core/tiling/partition.ts';
import { blockRegions } from '../../../../services/core/tiling/regions.ts';
import { outputRectangles } from '../../../../services/core/tiling/sub-model.ts';
import { tileBlock } from '../../../../services/core/tiling/tile-block.ts';
import { layoutWeights } from '../../../../services/core/tiling/weights.ts';
import { ModelBuilder } from '../../../support/model-builder.ts';
import { residualNetwork, squeezeNetwork } from '../../../support/networks.ts';

const NONE: KindWork = { kind: '', runs: 0, macs: 0, bytes: 0, weights: 0 };
const entry = (work: Work, kind: string): KindWork => work.find((item) => item.kind === kind) ?? NONE;

async function open(bytes: Uint8Array) {
  const graph = await readGraph(bytes);
  return { graph, analysis: analyse(graph), all: everything(graph) };
}

/** 64 channels, one convolution, what is computed with it, and a sum with the input. */
function fusedNetwork(tail: 'fused' | 'apart'): Uint8Array {
  const builder = new ModelBuilder()
    .input('x', [1, 64, 16, 16])
    .random('w', [64, 64, 3, 3])
    .random('s', [64])
    .random('v', [64])
    .constant('ones', [64], new Array(64).fill(1))
    .node('Conv', ['x', 'w'], ['c'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
    .node('BatchNormalization', ['c', 's', 's', 'v', 'ones'], ['n'])
    .node('Relu', ['n'], ['r'])
    .output('r', 'float32', [1, 64, 16, 16]);
  return (tail === 'fused' ? builder : builder.output('c', 'float32', [1, 64, 16, 16])).encode();
}

describe('the work of a task', () => {
  test('counts a convolution with what is fused into it as one', async () => {
    const { graph, analysis, all } = await open(fusedNetwork('fused'));
    const work = wholeWork(graph, analysis, all);
    const map = 64 * 16 * 16 * 4;
    expect(entry(work, 'conv-dense')).toMatchObject({
      runs: 1,
      macs: 64 * 64 * 9 * 256,
      bytes: 2 * map,
      weights: 64 * 64 * 9 * 4,
    });
    expect(entry(work, 'pointwise').runs).toBe(0);
    expect(entry(work, 'task')).toMatchObject({ runs: 1, bytes: 2 * map });
    expect(entry(work, 'reorder').runs).toBe(2);
  });

  test('counts them apart where the convolution has another reader', async () => {
    const { graph, analysis, all } = await open(fusedNetwork('apart'));
    expect(entry(wholeWork(graph, analysis, all), 'pointwise').runs).toBeGreaterThan(0);
  });

  test('counts an activation by itself where its convolution is in another block', async () => {
    const { graph, analysis, all } = await open(fusedNetwork('fused'));
    const tail = { nodes: all.nodes.slice(1), inputs: ['c'], outputs: ['r'] };
    const work = wholeWork(graph, analysis, tail);
    expect(entry(work, 'conv-dense').runs).toBe(0);
    expect(entry(work, 'pointwise').runs).toBe(2);
  });

  test('counts x Sigmoid(x) once', async () => {
    const { graph, analysis, all } = await open(
      new ModelBuilder()
        .input('x', [1, 8, 8, 8])
        .node('Sigmoid', ['x'], ['s'])
        .node('Mul', ['x', 's'], ['y'])
        .output('y', 'float32', [1, 8, 8, 8])
        .encode(),
    );
    const work = wholeWork(graph, analysis, all);
    expect(entry(work, 'exponential').runs).toBe(1);
    expect(entry(work, 'pointwise').runs).toBe(0);
  });

  test.each([
    ['residual', residualNetwork],
    ['squeeze', squeezeNetwork],
  ])('of tiles is at least that of the block, and grows by the halo only (%s)', async (_, network) => {
    const { graph, analysis } = await open(network());
    for (const block of partition(graph, analysis).filter(({ kind }) => kind === 'tile')) {
      const whole = wholeWork(graph, analysis, block);
      const tiles = tileBlock(graph, analysis, block, gridCover(2, 2)).map((tile) => {
        const regions = blockRegions(graph, analysis, block, outputRectangles(analysis, tile));
        return tileWork(graph, analysis, block, regions);
      });
      for (const { kind, macs, weights } of whole) {
        const sum = tiles.reduce((total, work) => total + entry(work, kind).macs, 0);
        expect(sum).toBeGreaterThanOrEqual(macs * (1 - 1e-9));
        expect(sum).toBeLessThan(macs * 3 + 1);
        for (const work of tiles) expect(entry(work, kind).weights).toBe(weights);
      }
    }
  });

  test('of one tile that is the whole equals that of the block', async () => {
    const { graph, analysis } = await open(residualNetwork());
    const [block] = partition(graph, analysis);
    if (block === undefined) throw new Error('no block');
    const [tile] = tileBlock(graph, analysis, block, gridCover(1, 1));
    if (tile === undefined) throw new Error('no tile');
    const regions = blockRegions(graph, analysis, block, outputRectangles(analysis, tile));
    expect(tileWork(graph, analysis, block, regions)).toEqual(wholeWork(graph, analysis, block));
    expect(tilePeak(graph, analysis, block, regions)).toBe(wholePeak(graph, block));
  });

  test('of half the channels reads the inputs whole and half the weights', async () => {
    const { graph, analysis, all } = await open(fusedNetwork('fused'));
    const [half, whole] = [shardWork(graph, analysis, all, 0.5), wholeWork(graph, analysis, all)];
    expect(entry(half, 'conv-dense').weights).toBe(entry(whole, 'conv-dense').weights / 2);
    expect(entry(half, 'conv-dense').macs).toBe(entry(whole, 'conv-dense').macs / 2);
    expect(entry(half, 'conv-dense').bytes).toBe(entry(whole, 'conv-dense').bytes * 0.75);
  });
});

describe('the memory of a task', () => {
  test('counts what is computed in place once', async () => {
    const { graph, all } = await open(fusedNetwork('fused'));
    expect(wholePeak(graph, all)).toBe(2 * 64 * 16 * 16 * 4);
  });

  test('is smaller for a tile', async () => {
    const { graph, analysis } = await open(residualNetwork());
    const [block] = partition(graph, analysis);
    if (block === undefined) throw new Error('no block');
    for (const tile of tileBlock(graph, analysis, block, gridCover(2, 2))) {
      const regions = blockRegions(graph, analysis, block, outputRectangles(analysis, tile));
      expect(tilePeak(graph, analysis, block, regions)).toBeLessThan(wholePeak(graph, block));
    }
  });

  test('counts each constant of a block once', async () => {
    const { graph, all } = await open(fusedNetwork('fused'));
    const bytes = [...graph.constants.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
    expect(blockWeightBytes(graph, all)).toBe(bytes);
    expect(blockWeightBytes(graph, all)).toBeGreaterThanOrEqual(layoutWeights(graph, all).byteLength);
  });
});
