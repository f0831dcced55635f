/** Halo exchange as a plan: tiles that stay, strips that travel, partial sums; carried out, it is the uncut model. */

import fc from 'fast-check';
import { afterAll, describe, expect, it, test } from 'vitest';
import { readGraph } from '../../services/core/graph/read-graph.ts';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import { analyse } from '../../services/core/tiling/analyse.ts';
import { bandCover, gridCover } from '../../services/core/tiling/cover.ts';
import type { Cover } from '../../services/core/tiling/types.ts';
import { encodeNetwork, keptTiling, longNetwork } from '../core/tiling/random/network.ts';
import { temporaryFolder } from '../support/cluster.ts';
import { difference, inputFor, runModel } from '../support/graph-reference.ts';
import { keptPlan } from '../support/kept-plan.ts';
import { ModelBuilder } from '../support/model-builder.ts';
import { squeezeNetwork } from '../support/networks.ts';
import { openModel } from '../support/open-model.ts';
import { runPlan } from '../support/run-plan.ts';

const RUNS = Math.min(Number(process.env.TILEPIPE_PROPERTY_RUNS ?? 20), 100);
const SLOWEST = 1000;
const TOLERANCE = 1e-4;

const folder = temporaryFolder();
afterAll(() => folder.remove());
const blobs = new BlobCache({ folder: folder.path });

/** Whether a worker gets what another one made. */
function hasStrips({ tasks, transfers }: Plan): boolean {
  const devices = new Map(tasks.map(({ id, gather, devices: [device] = [] }) => [id, { gather, device }]));
  return transfers.some(({ from, to }) => {
    const [maker, reader] = [devices.get(from)?.device, devices.get(to)];
    return reader?.gather === 'worker' && maker !== undefined && maker !== reader.device;
  });
}

describe('halo plans', () => {
  const counts = { cases: 0, strips: 0, partial: 0 };
  it(
    `give the uncut output for ${RUNS} random networks`,
    async () => {
      await fc.assert(
        fc.asyncProperty(longNetwork, keptTiling, async (network, tiling) => {
          const bytes = encodeNetwork(network);
          const graph = await readGraph(bytes);
          const reference = await runModel(bytes, graph.inputs);
          const model = { name: 'random', digest: '0'.repeat(64), graph, analysis: analyse(graph) };
          const plan = await keptPlan(model, bandCover(tiling.bands), { blobs, cuts: tiling.cuts });
          counts.cases += 1;
          counts.partial += plan.blocks.filter(({ kind }) => kind === 'partial').length;
          counts.strips += hasStrips(plan) ? 1 : 0;
          const made = await runPlan(plan, blobs, graph.inputs.map(inputFor));
          for (const tensor of made) {
            const gap = difference(tensor, reference.get(tensor.name));
            expect(gap, tensor.name).toBeLessThanOrEqual(TOLERANCE);
          }
        }),
        { numRuns: RUNS },
      );
      // Few runs may happen to have few networks whose tiles can stay.
      if (counts.cases >= 100) {
        expect(counts.strips).toBeGreaterThan(counts.cases / 3);
        expect(counts.partial).toBeGreaterThan(0);
      }
    },
    RUNS * SLOWEST + 60_000,
  );
});

const fullyConnected = (turned: boolean, bias: boolean, opset = 17) => {
  const builder = new ModelBuilder(opset)
    .input('image', [1, 3, 14, 10])
    .random('w1', [4, 3, 3, 3])
    .random('w2', turned ? [20, 140] : [140, 20])
    .random('b2', [20])
    .random('w3', [20, 5])
    .random('b3', [5])
    .node('Conv', ['image', 'w1'], ['a'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
    .node('Relu', ['a'], ['b'])
    .node('MaxPool', ['b'], ['c'], { kernel_shape: [2, 2], strides: [2, 2] })
    .node('Flatten', ['c'], ['d']);
  return builder
    .node('Gemm', bias ? ['d', 'w2', 'b2'] : ['d', 'w2'], ['e'], {
      transB: turned ? 1 : 0,
      alpha: 0.5,
      beta: 1.5,
    })
    .node('Relu', ['e'], ['f'])
    .node('Gemm', ['f', 'w3', 'b3'], ['logits'])
    .output('logits', 'float32', [1, 5])
    .encode();
};

/** A map, something that reads all of it, and a layer over that. */
const pooled = (read: (builder: ModelBuilder) => ModelBuilder) =>
  read(
    new ModelBuilder()
      .input('image', [1, 3, 12, 9])
      .random('w1', [4, 3, 3, 3])
      .random('w2', [6, 4, 3, 3])
      .random('w3', [6, 5])
      .ints('axes', [2])
      .node('Conv', ['image', 'w1'], ['a'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
      .node('Conv', ['a', 'w2'], ['b'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
  )
    .node('Flatten', ['c'], ['d'])
    .node('Gemm', ['d', 'w3'], ['out'])
    .output('out')
    .encode();

const window = pooled((builder) => builder.node('AveragePool', ['b'], ['c'], { kernel_shape: [12, 9] }));
const smaller = pooled((builder) =>
  builder
    .node('AveragePool', ['b'], ['p'], { kernel_shape: [11, 9] })
    .node('GlobalAveragePool', ['p'], ['c']),
);
const second = pooled((builder) =>
  builder
    .node('GlobalMaxPool', ['b'], ['most'])
    .node('GlobalAveragePool', ['b'], ['mean'])
    .node('Sub', ['most', 'mean'], ['c']),
);
const rows = pooled((builder) =>
  builder
    .node('ReduceMean', ['b'], ['r'], { axes: [2], keepdims: 1 })
    .node('GlobalAveragePool', ['r'], ['c']),
);
const sum = pooled((builder) => builder.node('ReduceSum', ['b', 'both'], ['c']).ints('both', [-1, 2]));
const joined = pooled((builder) =>
  builder
    .random('w4', [3, 4, 1, 1])
    .node('Conv', ['a', 'w4'], ['e'], { kernel_shape: [1, 1] })
    .node('Slice', ['b', 'from', 'to', 'channel'], ['f'])
    .ints('from', [0])
    .ints('to', [3])
    .ints('channel', [1])
    .node('Concat', ['e', 'f'], ['g'], { axis: 1 })
    .node('GlobalAveragePool', ['g'], ['c']),
);

test.each<[string, Uint8Array, Cover, number]>([
  ['weights by rows', fullyConnected(false, true), gridCover(2, 2), 1],
  ['weights by columns', fullyConnected(true, true), gridCover(3, 1), 1],
  ['no bias', fullyConnected(true, false), gridCover(1, 3), 1],
  ['an operator set whose Gemm always adds', fullyConnected(false, true, 9), gridCover(2, 2), 1],
  ['a global mean', squeezeNetwork(), gridCover(2, 2), 1],
  ['a window as large as the map', window, bandCover([{ share: 1, columns: [1, 5] }]), 1],
  ['not of a window that is smaller', smaller, gridCover(1, 2), 0],
  ['the second layer that reads the map', second, gridCover(2, 2), 1],
  ['not over rows alone', rows, gridCover(2, 2), 0],
  ['a plain sum', sum, gridCover(1, 3), 1],
  ['of maps side by side', joined, gridCover(3, 2), 1],
])('a layer over a whole map is summed where the tiles are: %s', async (name, bytes, cover, partial) => {
  const model = await openModel(folder.path, bytes, { name });
  const plan = await keptPlan(model, cover, { blobs, cuts: [] });
  expect(plan.blocks.filter(({ kind }) => kind === 'partial')).toHaveLength(partial);
  // No tile's map travels: what the parts read is what their own device made.
  const tasks = new Map(plan.tasks.map((task) => [task.id, task]));
  for (const { from, to } of plan.transfers)
    if (tasks.get(to)?.shape === 'partial') expect(tasks.get(from)?.devices).toEqual(tasks.get(to)?.devices);
  const inputs = model.graph.inputs.map(inputFor);
  const reference = await runModel(bytes, model.graph.inputs);
  for (const tensor of await runPlan(plan, blobs, inputs))
    expect(difference(tensor, reference.get(tensor.name))).toBeLessThanOrEqual(TOLERANCE);
});
