/** Seeded random weights in place of constant ones, so that a swapped tile cannot go unnoticed. */

import { numberAttribute, numbersAttribute } from './attributes.ts';
import { lazyConstant } from './constant.ts';
import { elementCount, writeElements } from './dtype.ts';
import type { Constant, DType, GraphNode } from './types.ts';

/** Numbers drawn evenly from [low, high). */
export interface Spread {
  readonly low: number;
  readonly high: number;
}

const around = (centre: number, reach: number): Spread => ({ low: centre - reach, high: centre + reach });

/** He's uniform bound: activations keep their variance through a layer and its ReLU. */
const he = (fanIn: number, scale = 1): Spread => around(0, scale * Math.sqrt(6 / Math.max(1, fanIn)));

/** Fully connected layers end in a Softmax: logits of some tens would leave one class at 1, whatever the tiles did. */
const CLASSIFIER = 0.2;

const NORMALISATIONS = new Set([
  'BatchNormalization',
  'InstanceNormalization',
  'LayerNormalization',
  'GroupNormalization',
]);

/**
 * Range for a tensor of `shape` that `node` reads as input `position`; undefined where it is no parameter,
 * and a constant is meant. `summed`: the node's output is one term of a sum, as in a residual branch.
 */
export function spreadFor(
  node: GraphNode,
  position: number,
  shape: readonly number[],
  summed: boolean,
): Spread | undefined {
  const count = elementCount(shape);
  switch (node.op) {
    case 'Conv':
    case 'FusedConv':
      return position === 1 ? he(count / (shape[0] ?? 1)) : around(0, 0.1);
    case 'ConvTranspose': {
      // An output position is reached by kernel / stride positions of each input channel of its group.
      const strides = (numbersAttribute(node, 'strides') ?? []).reduce((a, b) => a * b, 1);
      const groups = numberAttribute(node, 'group', 1);
      return position === 1 ? he(count / (shape[1] ?? 1) / groups / strides) : around(0, 0.1);
    }
    case 'Gemm':
      if (position !== 1) return around(0, 0.1);
      return he(numberAttribute(node, 'transB', 0) ? (shape[1] ?? 1) : (shape[0] ?? 1), CLASSIFIER);
    case 'MatMul':
      return he(shape.at(-2) ?? 1);
    case 'Add':
    case 'Sub':
    case 'Sum':
      return around(0, 0.1);
    case 'Mul':
    case 'Div':
      return around(1, 0.1);
    case 'PRelu':
      return position === 1 ? around(0.25, 0.1) : undefined;
  }
  if (!NORMALISATIONS.has(node.op)) return undefined;
  // Small terms keep a deep stack of sums from growing until a Softmax at its end shows nothing but one class.
  if (position === 1) return summed ? around(0.3, 0.1) : around(0.9, 0.15);
  return position === 4 ? around(1, 0.3) : around(0, 0.1);
}

/** FNV-1a, 32 bits. */
function hash(text: string, seed: number): number {
  let state = (0x811c9dc5 ^ seed) >>> 0;
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return state;
}

/** A constant of numbers that depend on its name and the seed alone; made anew whenever its bytes are asked for. */
export function seededConstant(
  name: string,
  dtype: DType,
  shape: readonly number[],
  seed: number,
  spread: Spread,
): Constant {
  return lazyConstant(name, dtype, shape, () => {
    const values = new Float32Array(elementCount(shape));
    const scale = (spread.high - spread.low) / 2 ** 32;
    let state = hash(name, seed);
    for (let i = 0; i < values.length; i++) {
      // Counter and mixer of SplitMix32.
      state = (state + 0x9e3779b9) >>> 0;
      let bits = state;
      bits = Math.imul(bits ^ (bits >>> 16), 0x21f0aaad);
      bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97);
      values[i] = spread.low + ((bits ^ (bits >>> 15)) >>> 0) * scale;
    }
    return dtype === 'float32' ? new Uint8Array(values.buffer) : writeElements(dtype, values);
  });
}
