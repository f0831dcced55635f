/** Operators that move elements. */

import { type Case, image, single } from './case.ts';

export const MOVES: readonly Case[] = [
  {
    name: 'Concat with a spatial constant',
    build: (model) =>
      image(model).random('c', [1, 2, 23, 29]).node('Concat', ['x', 'c'], ['y'], { axis: 1 }).output('y'),
  },
  {
    name: 'Split',
    build: (model) =>
      image(model)
        .ints('p', [1, 3])
        .node('Split', ['x', 'p'], ['y', 'z'], { axis: 1 })
        .output('y')
        .output('z'),
  },
  {
    name: 'Split of opset 11',
    opset: 11,
    build: (model) =>
      image(model)
        .node('Split', ['x'], ['y', 'z'], { axis: -3, split: [3, 1] })
        .output('y')
        .output('z'),
  },
  {
    name: 'Split into equal parts',
    opset: 18,
    build: (model) =>
      image(model).node('Split', ['x'], ['y', 'z'], { axis: 1, num_outputs: 2 }).output('y').output('z'),
  },
  {
    name: 'Gather',
    build: (model) =>
      image(model).ints('i', [3, 0, -2]).node('Gather', ['x', 'i'], ['y'], { axis: 1 }).output('y'),
  },
  {
    name: 'Gather one',
    build: (model) =>
      image(model).constant('i', [], [2], 'int64').node('Gather', ['x', 'i'], ['y'], { axis: 1 }).output('y'),
  },
  {
    name: 'Tile channels',
    build: (model) => image(model).ints('r', [1, 3, 1, 1]).node('Tile', ['x', 'r'], ['y']).output('y'),
  },
  { name: 'Transpose', build: single('Transpose', { perm: [0, 3, 1, 2] }) },
  {
    name: 'channel shuffle',
    build: (model) =>
      image(model)
        .ints('a', [1, 2, 2, 23, 29])
        .ints('b', [0, -1, 23, 29])
        .node('Reshape', ['x', 'a'], ['s'])
        .node('Transpose', ['s'], ['t'], { perm: [0, 2, 1, 3, 4] })
        .node('Reshape', ['t', 'b'], ['y'])
        .output('y'),
  },
  {
    name: 'Reshape in place',
    build: (model) => image(model).ints('a', [1, 4, -1, 29]).node('Reshape', ['x', 'a'], ['y']).output('y'),
  },
  {
    name: 'Squeeze and Unsqueeze of opset 11',
    opset: 11,
    build: (model) =>
      model
        .input('x', [1, 1, 23, 29])
        .node('Squeeze', ['x'], ['s'])
        .node('Unsqueeze', ['s'], ['u'], { axes: [0, 3] })
        .node('Unsqueeze', ['u'], ['y'], { axes: [0] })
        .output('y'),
  },
  {
    name: 'Squeeze and Unsqueeze',
    build: (model) =>
      model
        .input('x', [1, 4, 23, 29])
        .ints('a', [0])
        .ints('b', [-1, 0])
        .node('Squeeze', ['x', 'a'], ['s'])
        .node('Unsqueeze', ['s', 'b'], ['y'])
        .output('y'),
  },
  {
    name: 'Expand over channels',
    build: (model) =>
      model.input('x', [1, 1, 23, 29]).ints('s', [2, 5, 1, 1]).node('Expand', ['x', 's'], ['y']).output('y'),
  },
  {
    name: 'Expand over rows',
    build: (model) =>
      model
        .input('x', [1, 4, 23, 29])
        .random('w', [4, 4, 23, 1])
        .ints('s', [1, 4, 6, 29])
        .node('Conv', ['x', 'w'], ['r'])
        .node('Expand', ['r', 's'], ['y'])
        .output('y'),
  },
  ...['DCR', 'CRD'].map(
    (mode): Case => ({ name: `DepthToSpace ${mode}`, build: single('DepthToSpace', { blocksize: 2, mode }) }),
  ),
  {
    name: 'SpaceToDepth',
    build: (model) =>
      model.input('x', [1, 2, 24, 30]).node('SpaceToDepth', ['x'], ['y'], { blocksize: 3 }).output('y'),
  },
];
