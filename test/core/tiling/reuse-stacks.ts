/** Random stacks of windows for tests of reuse: halos of all shapes, and tensors read by several operators. */

import fc from 'fast-check';
import { ModelBuilder } from '../../support/model-builder.ts';

interface Layer {
  readonly op: 'Conv' | 'MaxPool' | 'AveragePool' | 'Residual' | 'Tanh' | 'Output';
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  /** Top, left, bottom, right; no more than the kernel allows. */
  readonly pads: readonly number[];
}

export interface WindowStack {
  readonly rows: number;
  readonly columns: number;
  readonly layers: readonly Layer[];
  /** Heights or widths of the tiles. */
  readonly shares: readonly number[];
  readonly along: 'rows' | 'columns';
  readonly order: 'alternate' | 'chain';
  /** Layers whose strips are sent, as bits. */
  readonly sends: number;
}

const pad = fc.nat(4);
const layer: fc.Arbitrary<Layer> = fc.record({
  op: fc.constantFrom(
    'Conv',
    'Conv',
    'Conv',
    'MaxPool',
    'AveragePool',
    'Residual',
    'Residual',
    'Tanh',
    'Output',
  ),
  kernel: fc.integer({ min: 1, max: 5 }),
  stride: fc.constantFrom(1, 1, 1, 2, 3),
  dilation: fc.constantFrom(1, 1, 1, 2),
  pads: fc.tuple(pad, pad, pad, pad),
});

export const windowStack: fc.Arbitrary<WindowStack> = fc.record({
  rows: fc.integer({ min: 8, max: 60 }),
  columns: fc.integer({ min: 8, max: 40 }),
  layers: fc.array(layer, { minLength: 2, maxLength: 9 }),
  shares: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 5 }),
  along: fc.constantFrom('rows', 'columns'),
  order: fc.constantFrom('alternate', 'alternate', 'chain'),
  // Mostly all: what is computed again in between is the rarer choice.
  sends: fc.oneof(fc.constant(-1), fc.constant(-1), fc.nat(1023)),
});

const CHANNELS = 2;

/** Encodes the stack; layers that no longer fit are left out, and an end that nothing reads is an output. */
export function encodeStack({ rows, columns, layers }: WindowStack): Uint8Array {
  const builder = new ModelBuilder().input('image', [1, CHANNELS, rows, columns]);
  let [x, size] = ['image', [rows, columns] as readonly number[]];
  const outputs = new Set<string>();
  for (const [index, { op, kernel, stride, dilation, pads: wanted }] of layers.entries()) {
    const y = `t${index}`;
    if (op === 'Tanh') {
      builder.node('Tanh', [x], [y]);
    } else if (op === 'Output') {
      if (x !== 'image') outputs.add(x);
      continue;
    } else if (op === 'Residual') {
      // Two paths of different reach, one of them uneven.
      for (const [side, shape] of [
        ['a', [3, 3]],
        ['b', [5, 3]],
      ] as const)
        builder
          .random(`${y}${side}w`, [CHANNELS, CHANNELS, ...shape])
          .node('Conv', [x, `${y}${side}w`], [`${y}${side}`], {
            kernel_shape: shape,
            pads: side === 'a' ? [1, 1, 1, 1] : [3, 1, 1, 1],
          });
      builder.node('Sum', [x, `${y}a`, `${y}b`], [y]);
    } else {
      const spread = op === 'Conv' ? dilation : 1;
      const reach = (kernel - 1) * spread + 1;
      const pads = wanted.map((amount) => Math.min(amount, op === 'Conv' ? reach : kernel - 1));
      const next = size.map((extent, axis) =>
        Math.floor((extent + (pads[axis] as number) + (pads[axis + 2] as number) - reach) / stride + 1),
      );
      if (next.some((extent, axis) => extent < 2 || (size[axis] as number) < reach)) continue;
      const attributes = { kernel_shape: [kernel, kernel], strides: [stride, stride], pads };
      if (op === 'Conv')
        builder
          .random(`${y}w`, [CHANNELS, CHANNELS, kernel, kernel])
          .node('Conv', [x, `${y}w`], [y], { ...attributes, dilations: [spread, spread] });
      else builder.node(op, [x], [y], attributes);
      size = next;
    }
    x = y;
  }
  if (x === 'image') {
    builder.node('Tanh', [x], ['y']);
    x = 'y';
  }
  for (const name of outputs.add(x)) builder.output(name);
  return builder.encode();
}
