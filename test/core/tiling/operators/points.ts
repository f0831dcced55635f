/** Operators on one position. */

import { float } from '../../../support/model-builder.ts';
import { type Build, type Case, image, single } from './case.ts';

const binary =
  (op: string, shape: readonly number[]): Build =>
  (model) =>
    image(model).random('c', shape).node(op, ['x', 'c'], ['y']).output('y');

const UNARY = [
  'Relu',
  'LeakyRelu',
  'ThresholdedRelu',
  'Elu',
  'Selu',
  'Celu',
  'Sigmoid',
  'HardSigmoid',
  'HardSwish',
  'Softplus',
  'Softsign',
  'Shrink',
  'Erf',
  'Tanh',
  'Sin',
  'Cos',
  'Tan',
  'Asin',
  'Acos',
  'Atan',
  'Sinh',
  'Cosh',
  'Asinh',
  'Atanh',
  'Exp',
  'Log',
  'Sqrt',
  'Reciprocal',
  'Abs',
  'Neg',
  'Sign',
  'Floor',
  'Ceil',
  'Round',
];
/** Where a constant of the second input is sliced, or not. */
const SHAPES = [[], [1], [4, 1, 1], [29], [23, 1], [1, 1, 23, 29], [1, 4, 23, 29]];

export const POINTS: readonly Case[] = [
  ...UNARY.map((op): Case => ({ name: op, build: single(op) })),
  { name: 'Gelu', opset: 20, build: single('Gelu') },
  { name: 'Mish', opset: 18, build: single('Mish') },
  { name: 'Gelu of com.microsoft', build: single('Gelu', {}, 'com.microsoft') },
  { name: 'QuickGelu of com.microsoft', build: single('QuickGelu', {}, 'com.microsoft') },
  ...['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min', 'Sum', 'Mean'].flatMap((op) =>
    SHAPES.map((shape): Case => ({ name: `${op} with [${shape}]`, build: binary(op, shape) })),
  ),
  {
    name: 'Pow',
    build: (model) =>
      image(model)
        .constant(
          'c',
          [29],
          Array.from({ length: 29 }, (_, i) => 1 + i / 29),
        )
        .node('Pow', ['x', 'c'], ['y'])
        .output('y'),
  },
  {
    name: 'Mod',
    build: (model) =>
      image(model)
        .constant(
          'c',
          [23, 1],
          Array.from({ length: 23 }, (_, i) => 0.3 + i / 23),
        )
        .node('Mod', ['x', 'c'], ['y'], { fmod: 1 })
        .output('y'),
  },
  ...[[1], [4, 1, 1], [23, 29], [29]].map(
    (shape): Case => ({
      name: `PRelu with [${shape}]`,
      build: (model) =>
        image(model)
          .random('s', shape)
          .random('c', [1, 4, 1, 1])
          .node('Sub', ['x', 'c'], ['d'])
          .node('PRelu', ['d', 's'], ['y'])
          .output('y'),
    }),
  ),
  {
    name: 'Clip',
    build: (model) => image(model).constant('h', [], [0.6]).node('Clip', ['x', '', 'h'], ['y']).output('y'),
  },
  { name: 'Clip of opset 6', opset: 7, build: single('Clip', { min: float(0.2), max: float(0.6) }) },
  {
    name: 'more comparisons',
    build: (model) =>
      image(model)
        .random('c', [4, 1, 29])
        .constant('h', [], [0.5])
        .node('Less', ['x', 'c'], ['l'])
        .node('GreaterOrEqual', ['x', 'h'], ['g'])
        .node('Equal', ['l', 'g'], ['e'])
        .node('IsNaN', ['x'], ['n'])
        .node('IsInf', ['x'], ['i'])
        .node('Or', ['n', 'i'], ['o'])
        .node('Or', ['o', 'e'], ['y'])
        .output('y', 'bool'),
  },
  {
    name: 'bits',
    opset: 18,
    build: (model) =>
      model
        .input('x', [1, 4, 23, 29], 'uint8')
        .random('c', [23, 1], 'uint8')
        .constant('one', [], [1], 'uint8')
        .node('BitwiseAnd', ['x', 'c'], ['a'])
        .node('BitwiseOr', ['a', 'one'], ['o'])
        .node('BitwiseXor', ['o', 'x'], ['e'])
        .node('BitwiseNot', ['e'], ['n'])
        .node('BitShift', ['n', 'one'], ['y'], { direction: 'LEFT' })
        .output('y', 'uint8'),
  },
  {
    name: 'Acosh',
    build: (model) =>
      image(model)
        .constant('one', [], [1])
        .node('Add', ['x', 'one'], ['a'])
        .node('Acosh', ['a'], ['y'])
        .output('y'),
  },
  { name: 'FastGelu of com.microsoft', build: single('FastGelu', {}, 'com.microsoft') },
  {
    name: 'BiasGelu of com.microsoft',
    build: (model) =>
      image(model.opset('com.microsoft', 1))
        .random('b', [29])
        .random('w', [4, 4, 1, 1])
        .node('Conv', ['x', 'w'], ['c'])
        .node('BiasGelu', ['c', 'b'], ['y'], {}, 'com.microsoft')
        .output('y'),
  },
  {
    name: 'comparisons and Where',
    build: (model) =>
      image(model)
        .random('c', [1, 4, 23, 1])
        .constant('h', [1], [0.5])
        .node('Greater', ['x', 'c'], ['g'])
        .node('LessOrEqual', ['x', 'h'], ['l'])
        .node('And', ['g', 'l'], ['n'])
        .node('Not', ['n'], ['m'])
        .node('Xor', ['m', 'g'], ['o'])
        .node('Where', ['o', 'x', 'c'], ['y'])
        .output('y'),
  },
  {
    name: 'Cast there and back',
    build: (model) =>
      image(model)
        .node('Cast', ['x'], ['d'], { to: 11 })
        .node('Sqrt', ['d'], ['e'])
        .node('Cast', ['e'], ['y'], { to: 1 })
        .output('y'),
  },
  {
    name: 'CastLike',
    build: (model) =>
      image(model)
        .constant('l', [2], [1, 2], 'float64')
        .node('CastLike', ['x', 'l'], ['y'])
        .output('y', 'float64'),
  },
  {
    name: 'Add of opset 6',
    opset: 7,
    build: (model) => image(model).random('c', [4, 1, 1]).node('Add', ['x', 'c'], ['y']).output('y'),
  },
  {
    name: 'half precision',
    tolerance: 1e-3,
    build: (model) =>
      model
        .input('x', [1, 4, 23, 29], 'float16')
        .random('w', [6, 4, 3, 3], 'float16')
        .constant('s', [4], [1, 1, 1.7, 2])
        .node('Conv', ['x', 'w'], ['c'], { pads: [1, 1, 1, 1] })
        .node('Resize', ['c', '', 's'], ['r'], { mode: 'linear' })
        .node('Relu', ['r'], ['y'])
        .output('y', 'float16'),
  },
];
