/** Operators along channels. */

import { float } from '../../../support/model-builder.ts';
import { type Case, image, last, single } from './case.ts';

export const CHANNELS: readonly Case[] = [
  {
    name: 'BatchNormalization',
    build: (model) =>
      image(model)
        .random('s', [4])
        .random('b', [4])
        .random('m', [4])
        .constant('v', [4], [1, 0.5, 2, 1])
        .node('BatchNormalization', ['x', 's', 'b', 'm', 'v'], ['y'])
        .output('y'),
  },
  { name: 'LRN', build: single('LRN', { size: 3, alpha: float(0.2), beta: float(0.75) }) },
  ...['Softmax', 'LogSoftmax', 'Hardmax'].flatMap((op): Case[] => [
    { name: op, build: single(op, { axis: 1 }) },
    {
      name: `${op} of opset 11`,
      opset: 11,
      build: last((model) => model.node(op, ['x'], ['y'], { axis: 3 }).output('y')),
    },
  ]),
  { name: 'LpNormalization', build: single('LpNormalization', { axis: 1, p: 2 }) },
  {
    name: 'TopK',
    build: (model) =>
      image(model)
        .ints('k', [2])
        .node('TopK', ['x', 'k'], ['y', 'i'], { axis: 1 })
        .output('y')
        .output('i', 'int64'),
  },
  {
    name: 'CumSum',
    build: (model) =>
      image(model).constant('a', [], [1], 'int64').node('CumSum', ['x', 'a'], ['y']).output('y'),
  },
  {
    name: 'LayerNormalization',
    build: last((model) =>
      model.random('s', [4]).random('b', [4]).node('LayerNormalization', ['x', 's', 'b'], ['y']).output('y'),
    ),
  },
  {
    name: 'MatMul',
    build: last((model) => model.random('m', [4, 6]).node('MatMul', ['x', 'm'], ['y']).output('y')),
  },
  ...[
    'ReduceMax',
    'ReduceMin',
    'ReduceMean',
    'ReduceProd',
    'ReduceL1',
    'ReduceL2',
    'ReduceSumSquare',
    'ReduceLogSumExp',
    'ReduceLogSum',
  ].flatMap((op): Case[] => [
    { name: op, build: single(op, { axes: [1], keepdims: 1 }) },
    {
      name: `${op} without the axis`,
      opset: 18,
      build: (model) => image(model).ints('a', [-3]).node(op, ['x', 'a'], ['y'], { keepdims: 0 }).output('y'),
    },
  ]),
  {
    name: 'ReduceSum',
    build: (model) =>
      image(model).ints('a', [0, 1]).node('ReduceSum', ['x', 'a'], ['y'], { keepdims: 0 }).output('y'),
  },
  {
    name: 'ArgMax',
    build: (model) =>
      image(model).node('ArgMax', ['x'], ['y'], { axis: 1, keepdims: 0 }).output('y', 'int64'),
  },
  {
    name: 'ArgMin',
    build: (model) => image(model).node('ArgMin', ['x'], ['y'], { axis: 1 }).output('y', 'int64'),
  },
];
