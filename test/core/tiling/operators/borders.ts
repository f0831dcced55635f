/** Pad and Slice. */

import { float } from '../../../support/model-builder.ts';
import { type Build, type Case, image, single } from './case.ts';

const pad =
  (mode: string, pads: readonly number[]): Build =>
  (model) =>
    image(model)
      .ints('p', pads)
      .constant('v', [], [0.5])
      .node('Pad', mode === 'constant' ? ['x', 'p', 'v'] : ['x', 'p'], ['y'], { mode })
      .output('y');

const slice =
  (starts: number[], ends: number[], axes: number[], steps: number[]): Build =>
  (model) =>
    image(model)
      .ints('s', starts)
      .ints('e', ends)
      .ints('a', axes)
      .ints('t', steps)
      .node('Slice', ['x', 's', 'e', 'a', 't'], ['y'])
      .output('y');

const END = 2 ** 63;

export const BORDERS: readonly Case[] = [
  { name: 'Pad constant', build: pad('constant', [0, 0, 3, 2, 0, 1, 4, 5]) },
  { name: 'Pad constant, wider than a tile', build: pad('constant', [0, 0, 9, 8, 0, 0, 12, 11]) },
  { name: 'Pad crops', build: pad('constant', [0, 0, -2, 1, 0, 0, 3, -4]) },
  { name: 'Pad edge', build: pad('edge', [0, 0, 5, 2, 0, 0, 1, 6]) },
  { name: 'Pad reflect', build: pad('reflect', [0, 0, 10, 3, 0, 0, 7, 12]) },
  { name: 'Pad of channels only', build: pad('constant', [0, 1, 0, 0, 0, 2, 0, 0]) },
  {
    name: 'Pad of opset 10',
    opset: 10,
    build: single('Pad', { mode: 'reflect', pads: [0, 0, 3, 2, 0, 0, 1, 4] }),
  },
  {
    name: 'Pad of opset 7 with a value',
    opset: 7,
    build: single('Pad', { pads: [0, 0, 3, 2, 0, 0, 1, 4], value: float(2) }),
  },
  {
    name: 'Pad of named axes',
    opset: 18,
    build: (model) =>
      image(model)
        .ints('p', [2, 1, 3, 0])
        .ints('a', [3, -2])
        .node('Pad', ['x', 'p', '', 'a'], ['y'])
        .output('y'),
  },
  { name: 'Slice every other', build: slice([1, 0], [END, END], [2, 3], [2, 3]) },
  { name: 'Slice a box', build: slice([1, 2, 3], [3, -1, 9], [1, 2, 3], [1, 1, 1]) },
  { name: 'Slice channels backwards', build: slice([-1], [-END], [1], [-1]) },
  { name: 'Slice channels backwards, rows by steps', build: slice([3, 1], [0, 22], [1, -2], [-2, 4]) },
  {
    name: 'Slice of opset 9',
    opset: 9,
    build: single('Slice', { starts: [1, 2], ends: [3, 9], axes: [1, 2] }),
  },
];
