/** Small networks for tests of the whole pipeline: quick to run, awkward to cut. */

import { ModelBuilder } from './model-builder.ts';

/** Convolutions with padding, a strided one, a skip over two of them, an up-sampling: input 1x3x24x32, output 1x4x24x32. */
export function residualNetwork(): Uint8Array {
  return new ModelBuilder()
    .input('image', [1, 3, 24, 32])
    .random('w1', [8, 3, 3, 3])
    .random('w2', [8, 8, 3, 3])
    .random('w3', [8, 8, 3, 3])
    .random('w4', [4, 16, 3, 3])
    .constant('scales', [4], [1, 1, 2, 2])
    .node('Conv', ['image', 'w1'], ['a'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
    .node('Tanh', ['a'], ['b'])
    .node('Conv', ['b', 'w2'], ['c'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [2, 2] })
    .node('Tanh', ['c'], ['d'])
    .node('Conv', ['d', 'w3'], ['e'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
    .node('Add', ['d', 'e'], ['f'])
    .node('Resize', ['f', '', 'scales'], ['g'], {
      mode: 'nearest',
      coordinate_transformation_mode: 'asymmetric',
      nearest_mode: 'floor',
    })
    .node('Concat', ['g', 'b'], ['h'], { axis: 1 })
    .node('Conv', ['h', 'w4'], ['out'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
    .output('out', 'float32', [1, 4, 24, 32])
    .encode();
}

/** A tileable part, a global operator in the middle, and a classifier: several blocks of both kinds. Output 1x5. */
export function squeezeNetwork(): Uint8Array {
  return new ModelBuilder()
    .input('image', [1, 3, 20, 20])
    .random('w1', [6, 3, 3, 3])
    .random('w2', [6, 6, 1, 1])
    .random('w3', [5, 6])
    .random('b3', [5])
    .node('Conv', ['image', 'w1'], ['a'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
    .node('Relu', ['a'], ['b'])
    .node('GlobalAveragePool', ['b'], ['s'])
    .node('Conv', ['s', 'w2'], ['t'], { kernel_shape: [1, 1] })
    .node('Sigmoid', ['t'], ['u'])
    .node('Mul', ['b', 'u'], ['v'])
    .node('MaxPool', ['v'], ['p'], { kernel_shape: [2, 2], strides: [2, 2] })
    .node('GlobalAveragePool', ['p'], ['q'])
    .node('Flatten', ['q'], ['r'])
    .node('Gemm', ['r', 'w3', 'b3'], ['logits'], { transB: 1 })
    .output('logits', 'float32', [1, 5])
    .encode();
}
