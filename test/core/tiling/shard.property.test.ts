/** Random blocks in channel shards: merged, they are the uncut block's output. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readGraph } from '../../../services/core/graph/read-graph.ts';
import { everything } from '../../../services/core/planning/choose-blocks.ts';
import { analyse } from '../../../services/core/tiling/analyse.ts';
import { mostShards } from '../../../services/core/tiling/shard.ts';
import { difference, runModel } from '../../support/graph-reference.ts';
import { shardRefusal } from '../../support/shard-refusal.ts';
import { encodeShardNetwork, shardNetwork } from './shard-networks.ts';
import { runSharded } from './shard-run.ts';

const RUNS = Number(process.env.TILEPIPE_PROPERTY_RUNS ?? 200);
/** Milliseconds a case may take before something is wrong. */
const SLOWEST = 300;
const TOLERANCE = 1e-4;

describe('channel shards', () => {
  it(
    `merge to the uncut output for ${RUNS} random blocks`,
    async () => {
      await fc.assert(
        fc.asyncProperty(shardNetwork, async (network) => {
          const { model, units } = encodeShardNetwork(network);
          const graph = await readGraph(model);
          const analysis = analyse(graph);
          const block = everything(graph);
          expect(shardRefusal(graph, analysis, block)).toBeUndefined();
          expect(mostShards(graph, analysis, block)).toBe(units);
          const reference = await runModel(model, graph.inputs);
          const { outputs } = await runSharded(graph, network.shares.slice(0, units));
          for (const { name } of graph.outputs)
            expect(difference(outputs.get(name), reference.get(name)), name).toBeLessThanOrEqual(TOLERANCE);
        }),
        { numRuns: RUNS },
      );
    },
    RUNS * SLOWEST + 60_000,
  );
});
