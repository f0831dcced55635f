/**
 * Random networks. A network is a list of genes, each a few whole numbers that choose an operator, its inputs and its
 * attributes among what fits there; any list is a network, so fast-check can shrink one to its shortest failing form.
 */

import fc from 'fast-check';
import * as channel from './channel-genes.ts';
import { Growth, type Map4 } from './growth.ts';
import * as spatial from './spatial-genes.ts';

export interface Gene {
  readonly kind: number;
  /** Where the first and the second input come from, counted back from the newest tensor. */
  readonly from: readonly [number, number];
  readonly numbers: readonly number[];
}

export interface RandomNetwork {
  readonly opset: number;
  /** Channels, rows, columns. */
  readonly input: readonly [number, number, number];
  /** Whether the graph's input has its channels last. */
  readonly channelsLast: boolean;
  readonly genes: readonly Gene[];
}

const gene: fc.Arbitrary<Gene> = fc.record({
  kind: fc.nat(999),
  from: fc.tuple(fc.nat(3), fc.nat(7)),
  numbers: fc.array(fc.nat(999), { minLength: 12, maxLength: 12 }),
});

/** All of a network but its layers; `side`: of the input, rows as well as columns. */
function headOf(side: fc.Arbitrary<number>) {
  return {
    opset: fc.constantFrom(11, 13, 17, 18, 19, 21),
    input: fc.tuple(fc.integer({ min: 1, max: 4 }), side, side),
    channelsLast: fc.boolean(),
  };
}

export const randomNetwork: fc.Arbitrary<RandomNetwork> = fc.record({
  ...headOf(fc.integer({ min: 6, max: 19 })),
  genes: fc.array(gene, { minLength: 1, maxLength: 12 }),
});

/**
 * Networks of which several blocks can be tiled: larger maps, every other layer a convolution, no preference for what is
 * short. Of `randomNetwork` by `randomTiling` one in thirty has tiles that read what other tiles of a block before made.
 */
export const longNetwork: fc.Arbitrary<RandomNetwork> = fc.noBias(
  fc.record({
    ...headOf(fc.integer({ min: 8, max: 26 })),
    genes: fc
      .array(fc.tuple(gene, fc.boolean()), { minLength: 4, maxLength: 12 })
      .map((genes) => genes.map(([own, convolves]) => (convolves ? { ...own, kind: 0 } : own))),
  }),
);

type Grow = (growth: Growth, x: Map4, y: Map4) => Map4 | Map4[] | undefined;

const times = (count: number, grow: Grow): Grow[] => new Array<Grow>(count).fill(grow);

/** The operators genes choose from, frequent ones several times. */
const KINDS: readonly Grow[] = [
  ...times(6, spatial.conv),
  ...times(3, spatial.deconv),
  ...times(4, spatial.pool),
  ...times(4, spatial.resize),
  ...times(3, spatial.pad),
  ...times(3, spatial.slice),
  ...times(3, spatial.skip),
  ...[spatial.focus, spatial.depthToSpace, spatial.spaceToDepth],
  ...times(3, channel.binary),
  ...times(3, channel.concat),
  ...times(3, channel.channelsLast),
  ...times(3, channel.withConstant),
  ...[
    channel.split,
    channel.shuffle,
    channel.gather,
    channel.reduce,
    channel.unary,
    channel.clip,
    channel.prelu,
  ],
  ...[channel.where, channel.batchNorm, channel.lrn, channel.softmax],
  ...[channel.excite, channel.instanceNorm, channel.expand, channel.mean, channel.mean, channel.dense],
];

/** Encodes the network; every tensor nobody reads is an output. */
export function encodeNetwork(network: RandomNetwork): Uint8Array {
  const growth = new Growth(network.opset);
  const { builder, maps } = growth;
  const [channels, rows, columns] = network.input;
  if (network.channelsLast) {
    builder.input('input', [1, rows, columns, channels]);
    maps.push({ name: growth.node('Transpose', ['input'], { perm: [0, 3, 1, 2] }), channels, rows, columns });
  } else {
    builder.input('input', [1, channels, rows, columns]);
    maps.push({ name: 'input', channels, rows, columns });
  }
  for (const { kind, from, numbers } of network.genes) {
    growth.start(numbers);
    const [x, y] = from.map((back) => maps[Math.max(0, maps.length - 1 - back)]) as [Map4, Map4];
    const grow = KINDS[kind % KINDS.length] as Grow;
    const made = grow(growth, x, y) ?? channel.unary(growth, x);
    maps.push(...(Array.isArray(made) ? made : [made]));
  }
  for (const { name } of maps) if (name !== 'input' && !growth.read.has(name)) builder.output(name);
  return builder.encode();
}

/** Bands and tiles of any shares, and where stretches are cut besides. */
export interface RandomTiling {
  readonly bands: readonly { readonly share: number; readonly columns: readonly number[] }[];
  readonly cuts: readonly number[];
}

const share = fc.integer({ min: 1, max: 9 });

export const randomTiling: fc.Arbitrary<RandomTiling> = fc.record({
  bands: fc.array(fc.record({ share, columns: fc.array(share, { minLength: 1, maxLength: 3 }) }), {
    minLength: 1,
    maxLength: 3,
  }),
  cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 2 }),
});

/** Two to eight tiles, in up to four bands or columns, and at least one cut in every stretch. */
export const keptTiling: fc.Arbitrary<RandomTiling> = fc.noBias(
  fc.record({
    bands: fc
      .array(fc.record({ share, columns: fc.array(share, { minLength: 1, maxLength: 4 }) }), {
        minLength: 1,
        maxLength: 4,
      })
      .filter((bands) => {
        const tiles = bands.reduce((sum, { columns }) => sum + columns.length, 0);
        return tiles >= 2 && tiles <= 8;
      }),
    cuts: fc.array(fc.double({ min: 0.1, max: 0.9, noNaN: true }), { minLength: 1, maxLength: 4 }),
  }),
);
