/** Plans with kept tiles as the search finds them, written and carried out: they are the uncut model. */

import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { prepareDraft } from '../../services/controller/prepare.ts';
import { readGraph } from '../../services/core/graph/read-graph.ts';
import { type Fleet, OTHER } from '../../services/core/planning/cost/fleet.ts';
import { openSpace, search, type WireOptions } from '../../services/core/planning/search/search.ts';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import { TilepipeError } from '../../services/core/runtime/errors.ts';
import { elementBytes } from '../../services/core/tensor/dtype.ts';
import { volume } from '../../services/core/tensor/region.ts';
import { analyse } from '../../services/core/tiling/analyse.ts';
import { isDeflated, isLossless, valueCodec } from '../../services/core/wire/codecs.ts';
import { fleetOf } from '../core/planning/search/small.ts';
import { encodeNetwork, randomNetwork } from '../core/tiling/random/network.ts';
import { temporaryFolder } from '../support/cluster.ts';
import { difference, inputFor, runModel } from '../support/graph-reference.ts';
import { runPlan } from '../support/run-plan.ts';

const RUNS = Math.min(Number(process.env.TILEPIPE_PROPERTY_RUNS ?? 45), 500);
const SLOWEST = 1000;
const TOLERANCE = 1e-4;

const folder = temporaryFolder();
afterAll(() => folder.remove());
const blobs = new BlobCache({ folder: folder.path });

/**
 * Devices that do nothing but multiply, so slowly that computing twice costs more than sending; over fast links, or such
 * that are slower than deflating.
 */
const fleets = fc
  .tuple(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 4 }), fc.constantFrom(1e6, 5e3))
  .map(([slowness, bytesPerMs]): Fleet => {
    const fleet = fleetOf({
      slowness,
      link: { bytesPerMs, latencyMs: 0.001 },
      hubLink: { bytesPerMs, latencyMs: 0.001 },
    });
    const devices = fleet.devices.map((device, at) => ({
      ...device,
      kinds: new Map([[OTHER, { run: 0, mac: 1e-2 * (slowness[at] as number), byte: 1e-3, weight: 0 }]]),
      endpoint: at % 2 === 1,
    }));
    return { ...fleet, devices };
  });

const lossy = fc.constantFrom<NonNullable<WireOptions['lossy']>[]>([], ['fp16'], ['fp16', 'uint8', 'jpeg']);

/** How many times smaller deflate makes every tensor. */
const RATIO = 2;

/** Bytes of so many elements by a codec; the wire says of no others what they take. */
function codedBytes(codec: string | undefined, elements: number, element: number): number {
  const value = valueCodec(codec);
  const each = value === 'raw' ? element : value === 'fp16' ? element / 2 : element / 4;
  return (elements * each) / (isDeflated(codec) ? RATIO : 1);
}

it(
  `plans of halo exchange give the uncut output for ${RUNS} random networks`,
  async () => {
    let [cases, kept] = [0, 0];
    await fc.assert(
      fc.asyncProperty(randomNetwork, fleets, lossy, async (network, fleet, codecs) => {
        const bytes = encodeNetwork(network);
        const graph = await readGraph(bytes);
        const analysis = analyse(graph);
        let draft: ReturnType<typeof search>['best'];
        try {
          draft = search(openSpace(graph, analysis), fleet, {
            objective: 'latency',
            strategies: ['halo'],
            wire: {
              lossy: codecs,
              ratios: new Map([...graph.tensors.keys()].map((name) => [name, RATIO])),
            },
          }).best;
        } catch (error) {
          if (error instanceof TilepipeError && error.code === 'plan-impossible') return;
          throw error;
        }
        cases += 1;
        kept += draft.blocks.filter(({ entry }) => entry === 'halo').length;
        const model = { name: 'random', digest: '0'.repeat(64), graph, analysis };
        const { plan } = await prepareDraft(model, 'test', draft, blobs);
        const tasks = new Map(plan.tasks.map((task) => [task.id, task]));
        const received = new Map<string, number>();
        const near = new Set(fleet.devices.filter(({ endpoint }) => endpoint).map(({ id }) => id));
        expect(plan.accuracy).toBe(
          plan.transfers.some(({ codec }) => !isLossless(codec)) ? 'budgeted' : undefined,
        );
        if (codecs.length === 0) expect(plan.accuracy).toBeUndefined();
        for (const { from, to, tensor, region, endpoint, codec } of plan.transfers) {
          const [maker, reader] = [tasks.get(from), tasks.get(to)];
          if (reader?.gather !== 'worker' || maker?.devices?.[0] === reader.devices?.[0]) continue;
          const [device = ''] = reader.devices ?? [];
          expect(endpoint).toBe(maker?.kind === 'run' && near.has(device) ? device : undefined);
          const element = elementBytes(plan.tensors[tensor]?.dtype ?? 'float32');
          const size = codedBytes(codec, volume(region), element);
          received.set(to, (received.get(to) ?? 0) + size);
        }
        for (const [block, { entry, parts }] of draft.blocks.entries()) {
          if (entry === undefined) continue;
          for (const [index, { bytesIn }] of parts.entries()) {
            const task = plan.tasks.find((each) => each.block === block && each.index === index);
            expect(bytesIn).toBeCloseTo(received.get(task?.id ?? '') ?? 0, 6);
          }
        }
        const reference = await runModel(bytes, graph.inputs);
        for (const tensor of await runPlan(plan, blobs, graph.inputs.map(inputFor)))
          expect(difference(tensor, reference.get(tensor.name)), tensor.name).toBeLessThanOrEqual(TOLERANCE);
      }),
      { numRuns: RUNS },
    );
    expect(kept).toBeGreaterThanOrEqual(cases);
    expect(cases).toBeGreaterThan(0);
  },
  RUNS * SLOWEST + 60_000,
);
