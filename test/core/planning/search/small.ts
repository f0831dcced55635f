/** Small models and fleets for tests of the search. */

import fc from 'fast-check';
import { readGraph } from '../../../../services/core/graph/read-graph.ts';
import type { Device, Fleet, Medium } from '../../../../services/core/planning/cost/fleet.ts';
import { openSpace, type SearchSpace } from '../../../../services/core/planning/search/search.ts';
import { analyse } from '../../../../services/core/tiling/analyse.ts';
import { ModelBuilder } from '../../../support/model-builder.ts';

/** Three convolutions with a pool between, and two fully connected layers: few cuts, every kind of block. */
export function classifier(): Uint8Array {
  const conv = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
  return new ModelBuilder()
    .input('image', [1, 3, 32, 32])
    .random('w1', [8, 3, 3, 3])
    .random('w2', [8, 8, 3, 3])
    .random('w3', [8, 8, 3, 3])
    .random('f1', [640, 2048])
    .random('f2', [10, 640])
    .node('Conv', ['image', 'w1'], ['a'], conv)
    .node('Relu', ['a'], ['b'])
    .node('Conv', ['b', 'w2'], ['c'], conv)
    .node('Relu', ['c'], ['d'])
    .node('MaxPool', ['d'], ['e'], { kernel_shape: [2, 2], strides: [2, 2] })
    .node('Conv', ['e', 'w3'], ['f'], conv)
    .node('Relu', ['f'], ['g'])
    .node('Flatten', ['g'], ['h'])
    .node('Gemm', ['h', 'f1'], ['i'], { transB: 1 })
    .node('Relu', ['i'], ['j'])
    .node('Gemm', ['j', 'f2'], ['logits'], { transB: 1 })
    .output('logits', 'float32', [1, 10])
    .encode();
}

/** Six convolutions on maps that are large beside their weights: tiles' halos add up. */
export function maps(): Uint8Array {
  const builder = new ModelBuilder().input('image', [1, 8, 64, 64]);
  for (let at = 0; at < 6; at++) {
    builder
      .random(`w${at}`, [8, 8, 3, 3])
      .node('Conv', [at === 0 ? 'image' : `r${at - 1}`, `w${at}`], [`c${at}`], {
        kernel_shape: [3, 3],
        pads: [1, 1, 1, 1],
      })
      .node('Relu', [`c${at}`], [`r${at}`]);
  }
  return builder.output('r5', 'float32', [1, 8, 64, 64]).encode();
}

/** Five fully connected layers of 1 MB each: what a device holds decides. */
export function layers(): Uint8Array {
  const builder = new ModelBuilder().input('x', [1, 512]);
  for (let at = 0; at < 5; at++) {
    builder
      .random(`w${at}`, [512, 512])
      .node('Gemm', [at === 0 ? 'x' : `r${at - 1}`, `w${at}`], [`g${at}`], {})
      .node('Relu', [`g${at}`], [`r${at}`]);
  }
  return builder.output('r4', 'float32', [1, 512]).encode();
}

export async function spaceOf(model: Uint8Array): Promise<SearchSpace> {
  const graph = await readGraph(model, {});
  return openSpace(graph, analyse(graph));
}

export interface FleetSpec {
  readonly hubLink?: Partial<Medium>;
  readonly link?: Partial<Medium>;
  /** How slow each device is; 1 computes 20 million multiplications per millisecond. */
  readonly slowness: readonly number[];
  /** How slow a device on the hub is, if there is one. */
  readonly local?: number;
  /** Of every device, beside an idle worker's. */
  readonly memoryBytes?: number;
  /** All on one half-duplex medium, the hub too. */
  readonly wifi?: boolean;
}

const IDLE = 1e6;

export function fleetOf(spec: FleetSpec): Fleet {
  const media = new Map<string, Medium>();
  const medium = (name: string, given: Partial<Medium> = {}): string => {
    const duplex = spec.wifi ? 'half' : 'full';
    media.set(name, { name, bytesPerMs: 25_000, duplex, latencyMs: 0.1, ...given });
    return name;
  };
  const hub = { medium: medium('hub', spec.hubLink), messageMs: 0.05, byteMs: 1e-6 };
  const device = (id: string, slow: number): Device => ({
    id,
    kinds: new Map([
      ['other', { run: 0.005 * slow, mac: 5e-8 * slow, byte: 2e-7 * slow, weight: 1e-7 * slow }],
    ]),
    taskMs: 0.05,
    byteMs: 1e-6,
    memoryBytes: spec.memoryBytes === undefined ? Number.POSITIVE_INFINITY : IDLE + spec.memoryBytes,
    idleBytes: IDLE,
    // Models here are thousands of times smaller than what a worker takes beside them.
    overhead: { runningBytes: 0, activations: 1, subModelBytes: 0 },
    estimated: false,
  });
  const devices: Device[] = spec.slowness.map((slow, at) => ({
    ...device(`d${at}`, slow),
    medium: spec.wifi ? 'hub' : medium(`link${at}`, spec.link),
  }));
  if (spec.local !== undefined) devices.unshift(device('local', spec.local));
  return { hub, media, devices };
}

/** From devices that hardly gain by help to such that need it. */
export const slowness = fc.double({ min: 0, max: 3, noNaN: true }).map((power) => 10 ** power);

/** Fleets of one to three devices, equal or not, near and far. */
export const anyFleet: fc.Arbitrary<FleetSpec> = fc.record({
  slowness: fc.oneof(
    fc.array(slowness, { minLength: 1, maxLength: 3 }),
    fc.tuple(slowness, fc.integer({ min: 1, max: 3 })).map(([slow, count]) => new Array(count).fill(slow)),
  ),
  local: fc.option(slowness, { nil: undefined }) as fc.Arbitrary<number>,
  wifi: fc.boolean(),
  hubLink: fc.record({
    bytesPerMs: fc.double({ min: 100, max: 100_000, noNaN: true }),
    latencyMs: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  link: fc.record({ bytesPerMs: fc.double({ min: 100, max: 100_000, noNaN: true }) }),
});
