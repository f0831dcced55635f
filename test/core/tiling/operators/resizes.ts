/** Resize and Upsample. */

import { float } from '../../../support/model-builder.ts';
import { type Attributes, type Build, type Case, image, last } from './case.ts';

const resize =
  (attributes: Attributes, scales: readonly number[]): Build =>
  (model) =>
    image(model)
      .constant('roi', [0], [])
      .constant('scales', [4], scales)
      .node('Resize', ['x', 'roi', 'scales'], ['y'], attributes)
      .output('y');

const sized =
  (attributes: Attributes, sizes: readonly number[]): Build =>
  (model) =>
    image(model).ints('sizes', sizes).node('Resize', ['x', '', '', 'sizes'], ['y'], attributes).output('y');

/** tf_crop_and_resize of the middle. */
const cropped =
  (attributes: Attributes): Build =>
  (model) =>
    image(model)
      .constant('roi', [8], [0, 0, 0.1, 0.25, 1, 1, 0.8, 0.9])
      .ints('sizes', [1, 4, 37, 19])
      .node('Resize', ['x', 'roi', '', 'sizes'], ['y'], {
        coordinate_transformation_mode: 'tf_crop_and_resize',
        ...attributes,
      })
      .output('y');

const upsample =
  (mode: string, opset: number): Build =>
  (model) =>
    opset < 9
      ? image(model)
          .node('Upsample', ['x'], ['y'], { mode, scales: float([1, 1, 2, 1.5]) })
          .output('y')
      : image(model)
          .constant('s', [4], [1, 1, 2, 1.5])
          .node('Upsample', ['x', 's'], ['y'], { mode })
          .output('y');

const COORDINATES = [
  'half_pixel',
  'asymmetric',
  'align_corners',
  'pytorch_half_pixel',
  'half_pixel_symmetric',
];
const NEAREST = ['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'];
const SCALES: readonly (readonly [number, number])[] = [
  [2, 2],
  [3, 1],
  [1.5, 0.5],
  [1.7, 0.6],
  [1 / 3, 4],
];

export const RESIZES: readonly Case[] = [
  ...COORDINATES.flatMap((coordinates) =>
    SCALES.flatMap(([rows, columns]): Case[] => {
      const opset = coordinates === 'half_pixel_symmetric' ? 19 : 13;
      const of = (mode: string, more: Attributes = {}): Case => ({
        name: `Resize ${mode} ${coordinates} ${rows.toFixed(2)} x ${columns} ${Object.values(more).join(' ')}`,
        opset,
        build: resize({ mode, coordinate_transformation_mode: coordinates, ...more }, [1, 1, rows, columns]),
      });
      return [
        ...NEAREST.map((nearestMode) => of('nearest', { nearest_mode: nearestMode })),
        of('linear'),
        of('cubic'),
        of('cubic', { cubic_coeff_a: float(-0.5), exclude_outside: 1 }),
      ];
    }),
  ),
  ...NEAREST.map(
    (nearestMode): Case => ({
      name: `Resize tf_half_pixel_for_nn ${nearestMode}`,
      opset: 11,
      build: resize(
        {
          mode: 'nearest',
          coordinate_transformation_mode: 'tf_half_pixel_for_nn',
          nearest_mode: nearestMode,
        },
        [1, 1, 2, 1.7],
      ),
    }),
  ),
  ...['nearest', 'linear', 'cubic'].map(
    (mode): Case => ({ name: `Resize tf_crop_and_resize ${mode}`, build: cropped({ mode }) }),
  ),
  {
    name: 'Resize to a size',
    build: sized({ mode: 'linear', coordinate_transformation_mode: 'pytorch_half_pixel' }, [1, 4, 46, 58]),
  },
  { name: 'Resize to an odd size', build: sized({ mode: 'nearest' }, [1, 4, 35, 27]) },
  {
    name: 'Resize to one row more',
    build: sized(
      { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
      [1, 4, 24, 29],
    ),
  },
  { name: 'Resize that changes nothing', build: sized({ mode: 'linear' }, [1, 4, 23, 29]) },
  {
    name: 'Resize of named axes',
    opset: 18,
    build: (model) =>
      image(model)
        .constant('s', [2], [2, 3])
        .node('Resize', ['x', '', 's'], ['y'], { mode: 'nearest', axes: [3, 2] })
        .output('y'),
  },
  {
    name: 'Resize that keeps the aspect',
    opset: 18,
    build: (model) =>
      image(model)
        .ints('s', [46, 87])
        .node('Resize', ['x', '', '', 's'], ['y'], {
          mode: 'linear',
          axes: [2, 3],
          keep_aspect_ratio_policy: 'not_larger',
        })
        .output('y'),
  },
  {
    name: 'Resize of opset 10',
    opset: 10,
    build: (model) =>
      image(model)
        .constant('s', [4], [1, 1, 2, 0.6])
        .node('Resize', ['x', 's'], ['y'], { mode: 'nearest' })
        .output('y'),
  },
  {
    name: 'Resize with the channels last',
    build: last((model) =>
      model
        .constant('s', [4], [1, 2, 1.7, 1])
        .node('Resize', ['x', '', 's'], ['z'], { mode: 'linear' })
        .node('Transpose', ['z'], ['t'], { perm: [0, 3, 1, 2] })
        .node('LRN', ['t'], ['y'], { size: 3 })
        .output('y'),
    ),
  },
  {
    name: 'linear Resize of whole numbers',
    build: (model) =>
      model
        .input('x', [1, 3, 23, 29], 'uint8')
        .constant('s', [4], [1, 1, 4, 0.5])
        .node('Resize', ['x', '', 's'], ['y'], { mode: 'linear' })
        .output('y', 'uint8'),
  },
  {
    name: 'Resize of whole numbers',
    build: (model) =>
      model
        .input('x', [1, 3, 23, 29], 'int32')
        .constant('s', [4], [1, 1, 1.7, 2])
        .node('Resize', ['x', '', 's'], ['y'], { mode: 'nearest' })
        .output('y', 'int32'),
  },
  ...[7, 9].flatMap((opset) =>
    ['nearest', 'linear'].map(
      (mode): Case => ({ name: `Upsample of opset ${opset} ${mode}`, opset, build: upsample(mode, opset) }),
    ),
  ),
];
