/** Random blocks that shard: an operator that makes channels, and some that keep them apart. */

import fc from 'fast-check';
import { float, ModelBuilder } from '../../support/model-builder.ts';

export interface ShardNetwork {
  readonly leader: number;
  readonly followers: readonly number[];
  /** Chooses sizes and attributes. */
  readonly numbers: readonly number[];
  readonly shares: readonly number[];
}

export const shardNetwork: fc.Arbitrary<ShardNetwork> = fc.record({
  leader: fc.nat(7),
  followers: fc.array(fc.nat(11), { maxLength: 5 }),
  numbers: fc.array(fc.nat(999), { minLength: 16, maxLength: 16 }),
  shares: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
});

/** Writes a network; `channels` is what its block can be parted into. */
class Writer {
  readonly builder = new ModelBuilder(17);
  readonly #numbers: readonly number[];
  #used = 0;
  #fresh = 0;
  /** The newest tensor. */
  name = 'x';
  shape: number[] = [];
  /** Axis of the channels. */
  axis = 1;
  units = 0;

  constructor(numbers: readonly number[]) {
    this.#numbers = numbers;
  }

  /** A whole number of [low, high]. */
  pick(low: number, high: number): number {
    const number = this.#numbers[this.#used++ % this.#numbers.length] ?? 0;
    return low + (number % (high - low + 1));
  }

  random(shape: readonly number[]): string {
    const name = `w${this.#fresh++}`;
    this.builder.random(name, shape);
    return name;
  }

  node(op: string, more: readonly string[] = [], attributes = {}, shape = this.shape): void {
    const made = `t${this.#fresh++}`;
    this.builder.node(op, [this.name, ...more], [made], attributes);
    this.name = made;
    this.shape = [...shape];
  }

  /** The channels of the newest tensor. */
  get channels(): number {
    return this.shape[this.axis] ?? 1;
  }

  get isMap(): boolean {
    return this.shape.length === 4 && this.axis === 1;
  }
}

/** A convolution that keeps rows and columns. */
function convolve(writer: Writer, op: string, group: number, perGroup: number): void {
  const [batch, from, rows, columns] = writer.shape as [number, number, number, number];
  const kernel = 2 * writer.pick(0, 1) + 1;
  const to = perGroup * group;
  const weights = op === 'Conv' ? [to, from / group, kernel, kernel] : [from, perGroup, kernel, kernel];
  const bias = writer.pick(0, 1) === 1 ? [writer.random([to])] : [];
  const pads = new Array<number>(4).fill((kernel - 1) / 2);
  const attributes = { group, pads, kernel_shape: [kernel, kernel] };
  writer.node(op, [writer.random(weights), ...bias], attributes, [batch, to, rows, columns]);
  writer.units = greatest(writer.units, group > 1 ? group : to);
}

function greatest(a: number, b: number): number {
  return b === 0 ? a : greatest(b, a % b);
}

function map(writer: Writer, channels: number): void {
  writer.shape = [writer.pick(1, 2), channels, writer.pick(3, 7), writer.pick(3, 7)];
  writer.builder.input('x', writer.shape);
}

function gemm(writer: Writer, transA: number, transB: number): void {
  const [rows, inner, columns] = [writer.pick(1, 3), writer.pick(1, 40), writer.pick(2, 60)];
  const data = transA === 1 ? [inner, rows] : [rows, inner];
  writer.builder.input('x', data);
  const weights = writer.random(transB === 1 ? [columns, inner] : [inner, columns]);
  const biases = [[], [columns], [1, columns], [rows, 1], [1], [rows, columns]];
  const bias = writer.pick(0, 6);
  const more = bias === 6 ? [] : [writer.random(biases[bias] ?? [])];
  const attributes = { transA, transB, alpha: float(0.5), beta: float(writer.pick(0, 2)) };
  writer.node('Gemm', [weights, ...more], attributes, [rows, columns]);
  writer.units = columns;
}

const LEADERS: readonly ((writer: Writer) => void)[] = [
  (writer) => {
    map(writer, writer.pick(1, 5));
    convolve(writer, 'Conv', 1, writer.pick(2, 20));
  },
  (writer) => {
    const group = writer.pick(2, 6);
    map(writer, group * writer.pick(1, 3));
    convolve(writer, 'Conv', group, writer.pick(1, 3));
  },
  (writer) => {
    map(writer, writer.pick(1, 5));
    convolve(writer, 'ConvTranspose', 1, writer.pick(2, 12));
  },
  (writer) => {
    const group = writer.pick(2, 5);
    map(writer, group * writer.pick(1, 3));
    convolve(writer, 'ConvTranspose', group, writer.pick(1, 3));
  },
  (writer) => gemm(writer, 0, writer.pick(0, 1)),
  (writer) => gemm(writer, 1, writer.pick(0, 1)),
  (writer) => {
    const [inner, columns] = [writer.pick(1, 30), writer.pick(2, 50)];
    const batch = [[], [3], [2, 3]][writer.pick(0, 2)] ?? [];
    writer.builder.input('x', [...batch, 2, inner]);
    writer.node('MatMul', [writer.random([inner, columns])], {}, [...batch, 2, columns]);
    writer.axis = writer.shape.length - 1;
    writer.units = columns;
  },
  (writer) => {
    map(writer, writer.pick(1, 4));
    const inner = writer.shape.slice(1).reduce((a, b) => a * b, 1);
    const columns = writer.pick(2, 30);
    writer.node('Flatten', [], {}, [writer.shape[0] ?? 1, inner]);
    const weights = writer.random([columns, inner]);
    writer.node('Gemm', [weights], { transB: 1 }, [writer.shape[0] ?? 1, columns]);
    writer.units = columns;
  },
];

/** One value for each channel, of the lowest rank that is aligned with them. */
const perChannel = ({ shape, axis }: Writer): number[] =>
  shape.slice(axis).map((extent, at) => (at === 0 ? extent : 1));

const FOLLOWERS: readonly ((writer: Writer) => void)[] = [
  (writer) => writer.node('Relu'),
  (writer) => writer.node('Add', [writer.random(perChannel(writer))]),
  (writer) => writer.node('Mul', [writer.random([])]),
  (writer) => writer.node('Sub', [writer.random(writer.shape)]),
  (writer) => writer.node('PRelu', [writer.random(perChannel(writer))]),
  (writer) => {
    if (writer.axis !== 1) return;
    const parameters = [0, 1, 2].map(() => writer.random([writer.channels]));
    const variance = `v${parameters[0]}`;
    writer.builder.constant(variance, [writer.channels], new Array<number>(writer.channels).fill(0.7));
    writer.node('BatchNormalization', [...parameters, variance]);
  },
  (writer) => {
    if (!writer.isMap) return;
    const attributes = { kernel_shape: [2, 2], strides: [1, 1], pads: [0, 0, 1, 1] };
    writer.node(writer.pick(0, 1) === 0 ? 'MaxPool' : 'AveragePool', [], attributes);
  },
  (writer) => {
    if (writer.isMap) convolve(writer, 'Conv', writer.channels, writer.pick(1, 2));
  },
  (writer) => {
    const skip = `skip${writer.name}`;
    writer.builder.input(skip, writer.shape);
    writer.node('Add', [skip]);
  },
  (writer) => {
    if (writer.axis !== 1 || writer.shape.length < 2) return;
    const flat = [writer.shape[0] ?? 1, writer.shape.slice(1).reduce((a, b) => a * b, 1)];
    writer.node('Flatten', [], {}, flat);
  },
  (writer) => writer.node('Clip', [writer.random([])]),
  (writer) => {
    if (writer.isMap) writer.node('GlobalAveragePool', [], {}, [...writer.shape.slice(0, 2), 1, 1]);
  },
];

/** Encodes a network and says into how many parts its channels can go. */
export function encodeShardNetwork({ leader, followers, numbers }: ShardNetwork): {
  model: Uint8Array;
  units: number;
} {
  const writer = new Writer(numbers);
  (LEADERS[leader] as (writer: Writer) => void)(writer);
  const shown = new Set<string>();
  for (const [at, follower] of followers.entries()) {
    if (at === 1) shown.add(writer.name);
    (FOLLOWERS[follower] as (writer: Writer) => void)(writer);
  }
  for (const name of shown.add(writer.name)) writer.builder.output(name);
  return { model: writer.builder.encode(), units: writer.units };
}
