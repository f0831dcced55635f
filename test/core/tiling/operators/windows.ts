/** Conv, ConvTranspose and pools. */

import { type Attributes, type Build, type Case, image, single } from './case.ts';

const conv =
  (attributes: Attributes, weights = [6, 4, 3, 3]): Build =>
  (model) =>
    image(model)
      .random('w', weights)
      .random('b', [weights[0] as number])
      .node('Conv', ['x', 'w', 'b'], ['y'], attributes)
      .output('y');

const deconv =
  (attributes: Attributes, weights = [4, 3, 3, 3]): Build =>
  (model) =>
    image(model).random('w', weights).node('ConvTranspose', ['x', 'w'], ['y'], attributes).output('y');

export const WINDOWS: readonly Case[] = [
  { name: 'Conv 3x3 padded', build: conv({ kernel_shape: [3, 3], pads: [1, 1, 1, 1] }) },
  {
    name: 'Conv strided, pads of every side differ',
    build: conv({ kernel_shape: [3, 3], strides: [2, 3], pads: [0, 2, 1, 1] }),
  },
  { name: 'Conv dilated', build: conv({ kernel_shape: [3, 3], dilations: [3, 2], pads: [3, 2, 3, 2] }) },
  {
    name: 'Conv whose first outputs lie in the padding',
    build: conv({ kernel_shape: [3, 3], pads: [6, 5, 5, 7] }),
  },
  {
    name: 'Conv strided over the padding',
    build: conv({ kernel_shape: [2, 1], strides: [3, 2], pads: [7, 3, 8, 4] }, [6, 4, 2, 1]),
  },
  {
    name: 'Conv with holes between windows',
    build: conv({ kernel_shape: [1, 2], strides: [3, 4] }, [6, 4, 1, 2]),
  },
  {
    name: 'Conv in groups',
    build: conv({ kernel_shape: [3, 3], group: 2, pads: [1, 1, 1, 1] }, [6, 2, 3, 3]),
  },
  {
    name: 'Conv by depth',
    build: conv({ kernel_shape: [5, 5], group: 4, pads: [2, 2, 2, 2] }, [4, 1, 5, 5]),
  },
  { name: 'Conv even kernel', build: conv({ kernel_shape: [4, 2], pads: [1, 0, 2, 1] }, [6, 4, 4, 2]) },
  ...['SAME_UPPER', 'SAME_LOWER', 'VALID'].flatMap((autoPad): Case[] => [
    {
      name: `Conv ${autoPad}`,
      build: conv({ kernel_shape: [4, 3], strides: [2, 2], auto_pad: autoPad }, [6, 4, 4, 3]),
    },
    {
      name: `Conv 1x1 strided ${autoPad}`,
      build: conv({ kernel_shape: [1, 1], strides: [2, 3], auto_pad: autoPad }, [6, 4, 1, 1]),
    },
    {
      name: `ConvTranspose ${autoPad}`,
      build: deconv({ kernel_shape: [3, 3], strides: [2, 2], auto_pad: autoPad }),
    },
    {
      name: `MaxPool ${autoPad}`,
      build: single('MaxPool', { kernel_shape: [3, 2], strides: [2, 2], auto_pad: autoPad }),
    },
    {
      name: `AveragePool ${autoPad}`,
      build: single('AveragePool', { kernel_shape: [3, 4], strides: [2, 3], auto_pad: autoPad }),
    },
  ]),
  { name: 'ConvTranspose 2/2', build: deconv({ kernel_shape: [2, 2], strides: [2, 2] }, [4, 3, 2, 2]) },
  {
    name: 'ConvTranspose cropped',
    build: deconv({ kernel_shape: [4, 4], strides: [2, 2], pads: [1, 1, 1, 1] }, [4, 3, 4, 4]),
  },
  {
    name: 'ConvTranspose crops of every side differ',
    build: deconv({ kernel_shape: [5, 3], strides: [3, 2], pads: [4, 0, 1, 2] }, [4, 3, 5, 3]),
  },
  {
    name: 'ConvTranspose with gaps',
    build: deconv({ kernel_shape: [1, 2], strides: [3, 4], output_padding: [2, 1] }, [4, 3, 1, 2]),
  },
  {
    name: 'ConvTranspose dilated',
    build: deconv(
      { kernel_shape: [3, 2], dilations: [2, 3], strides: [1, 2], pads: [1, 0, 2, 3] },
      [4, 3, 3, 2],
    ),
  },
  {
    name: 'ConvTranspose in groups, with more rows behind',
    build: deconv({
      kernel_shape: [3, 3],
      group: 2,
      strides: [2, 3],
      output_padding: [1, 2],
      pads: [1, 1, 0, 0],
    }),
  },
  {
    name: 'ConvTranspose of a given shape',
    build: deconv({ kernel_shape: [3, 3], strides: [2, 2], output_shape: [46, 57] }),
  },
  {
    name: 'ConvTranspose cropped by more than its kernel',
    build: deconv({ kernel_shape: [3, 3], strides: [2, 2], pads: [5, 6, 4, 5] }),
  },
  {
    name: 'MaxPool 13x13 stride 1',
    build: single('MaxPool', { kernel_shape: [13, 13], pads: [6, 6, 6, 6] }),
  },
  { name: 'MaxPool ceil', build: single('MaxPool', { kernel_shape: [3, 3], strides: [2, 3], ceil_mode: 1 }) },
  {
    name: 'MaxPool ceil, padded',
    build: single('MaxPool', { kernel_shape: [3, 4], strides: [3, 3], pads: [1, 0, 0, 1], ceil_mode: 1 }),
  },
  {
    name: 'MaxPool ceil, a window behind the end dropped',
    build: single('MaxPool', { kernel_shape: [1, 1], strides: [2, 5], ceil_mode: 1 }),
  },
  {
    name: 'MaxPool dilated',
    build: single('MaxPool', {
      kernel_shape: [3, 2],
      dilations: [2, 3],
      strides: [1, 2],
      pads: [2, 1, 2, 0],
    }),
  },
  {
    name: 'AveragePool',
    build: single('AveragePool', { kernel_shape: [3, 3], strides: [2, 1], pads: [1, 2, 1, 1] }),
  },
  {
    name: 'AveragePool with its pads',
    build: single('AveragePool', {
      kernel_shape: [3, 3],
      strides: [2, 2],
      pads: [2, 1, 0, 2],
      count_include_pad: 1,
    }),
  },
  {
    name: 'AveragePool ceil',
    build: single('AveragePool', { kernel_shape: [3, 3], strides: [3, 2], ceil_mode: 1 }),
  },
  {
    name: 'AveragePool ceil with its pads',
    build: single('AveragePool', {
      kernel_shape: [3, 4],
      strides: [3, 3],
      pads: [1, 1, 1, 0],
      ceil_mode: 1,
      count_include_pad: 1,
    }),
  },
  {
    name: 'AveragePool dilated',
    opset: 19,
    build: single('AveragePool', {
      kernel_shape: [2, 3],
      dilations: [3, 2],
      pads: [1, 1, 0, 2],
      count_include_pad: 1,
    }),
  },
  {
    name: 'LpPool',
    build: single('LpPool', { kernel_shape: [3, 2], strides: [2, 1], pads: [1, 0, 1, 1], p: 2 }),
  },
  {
    name: 'FusedConv',
    build: (model) =>
      image(model.opset('com.microsoft', 1))
        .random('w', [6, 4, 3, 3])
        .node(
          'FusedConv',
          ['x', 'w'],
          ['y'],
          { kernel_shape: [3, 3], pads: [1, 1, 1, 1], activation: 'Relu' },
          'com.microsoft',
        )
        .output('y'),
  },
];
