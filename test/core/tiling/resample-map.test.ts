/** The arithmetic of Resize against ONNX Runtime's own: neighbours and weights. */

import { describe, expect, it } from 'vitest';
import { readElements } from '../../../services/core/graph/dtype.ts';
import {
  type CoordinateMode,
  type Interpolation,
  type NearestMode,
  nearestIndex,
  period,
  type ResampledAxis,
  taps,
} from '../../../services/core/tiling/rules/resample-map.ts';
import { float, ModelBuilder } from '../../support/model-builder.ts';
import { wholeModel } from '../../support/ort.ts';
import { floatTensor } from '../../support/tensors.ts';

const COORDINATES: readonly CoordinateMode[] = [
  'half_pixel',
  'half_pixel_symmetric',
  'pytorch_half_pixel',
  'align_corners',
  'asymmetric',
  'tf_half_pixel_for_nn',
  'tf_crop_and_resize',
];
const NEAREST: readonly NearestMode[] = ['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'];
const SCALES = [2, 3, 0.5, 1.5, 0.75, 0.6, 1 / 3, 1.7, 2.3, 0.3, 1, 5 / 7, 1.1].map(Math.fround);
const EXTENTS = [1, 2, 5, 6, 13, 64];

interface Case {
  readonly axis: ResampledAxis;
  readonly exclude: boolean;
}

function casesOf(
  interpolation: Interpolation,
  coordinates: CoordinateMode,
  nearest: NearestMode,
  exclude = false,
): Case[] {
  const roi: readonly [number, number] = coordinates === 'tf_crop_and_resize' ? [0.2, 0.9] : [0, 1];
  return EXTENTS.flatMap((input) =>
    SCALES.flatMap((scale): Case[] => {
      const output = Math.floor(Math.fround(scale * input));
      // Where nothing changes size the executor copies.
      if (output < 1 || (output === input && scale !== 1)) return [];
      const axis = {
        interpolation,
        coordinates,
        nearest,
        scale,
        sized: false,
        input,
        output,
        roi,
        cubicCoefficient: -0.5,
        excludeOutside: exclude,
      };
      return [{ axis, exclude }];
    }),
  );
}

/** Every case is a Resize of the columns of an identity matrix: row i of the result tells where input i went. */
async function weights(cases: readonly Case[], opset: number): Promise<Float64Array[]> {
  const builder = new ModelBuilder(opset);
  const inputs = new Map<string, number>();
  for (const [index, { axis, exclude }] of cases.entries()) {
    const name = `x${axis.input}`;
    if (!inputs.has(name)) builder.input(name, [1, 1, axis.input, axis.input]);
    inputs.set(name, axis.input);
    const roi = axis.coordinates === 'tf_crop_and_resize' ? [0, 0, 0, axis.roi[0], 1, 1, 1, axis.roi[1]] : [];
    builder
      .constant(`s${index}`, [4], [1, 1, 1, axis.scale])
      .constant(`r${index}`, [roi.length], roi)
      .node('Resize', [name, `r${index}`, `s${index}`], [`y${index}`], {
        mode: axis.interpolation,
        coordinate_transformation_mode: axis.coordinates,
        nearest_mode: axis.nearest,
        ...(axis.interpolation === 'cubic'
          ? { cubic_coeff_a: float(axis.cubicCoefficient), exclude_outside: exclude ? 1 : 0 }
          : {}),
      })
      .output(`y${index}`);
  }
  const model = await wholeModel(builder.encode());
  const feeds = [...inputs].map(([name, extent]) =>
    floatTensor(
      name,
      [1, 1, extent, extent],
      Array.from({ length: extent * extent }, (_, at) => (at % (extent + 1) === 0 ? 1 : 0)),
    ),
  );
  const results = new Map((await model.run(feeds)).map((tensor) => [tensor.name, tensor]));
  return cases.map((_, index) =>
    readElements('float32', results.get(`y${index}`)?.bytes ?? new Uint8Array(0)),
  );
}

function expected({ axis }: Case): Float64Array {
  const matrix = new Float64Array(axis.input * axis.output);
  for (let o = 0; o < axis.output; o++) {
    for (const { index, weight } of taps(axis, o)) {
      matrix[index * axis.output + o] = (matrix[index * axis.output + o] ?? 0) + weight;
    }
  }
  return matrix;
}

/** Nearest neighbours that a rounding of the coordinate may decide: one place off at most, none at simple scales. */
async function neighbours(cases: readonly Case[], opset: number): Promise<void> {
  for (const [index, made] of (await weights(cases, opset)).entries()) {
    const { axis } = cases[index] as Case;
    for (let o = 0; o < axis.output; o++) {
      const found = Array.from({ length: axis.input }, (_, i) => i).filter(
        (i) => made[i * axis.output + o] === 1,
      );
      const gap = Math.abs((found[0] as number) - nearestIndex(axis, o));
      expect(gap, `${JSON.stringify(axis)} output ${o}`).toBeLessThanOrEqual(
        period(axis) === undefined ? 1 : 0,
      );
    }
  }
}

async function agree(cases: readonly Case[], opset: number, tolerance: number): Promise<void> {
  for (const [index, made] of (await weights(cases, opset)).entries()) {
    const told = expected(cases[index] as Case);
    const { axis } = cases[index] as Case;
    expect(made.length, JSON.stringify(axis)).toBe(told.length);
    for (const [at, value] of made.entries()) {
      const gap = Math.abs(value - (told[at] as number));
      if (gap <= tolerance) continue;
      expect.fail(
        `${JSON.stringify(axis)} input ${Math.floor(at / axis.output)} output ${at % axis.output}: off by ${gap}`,
      );
    }
  }
}

describe('the arithmetic of Resize', () => {
  for (const coordinates of COORDINATES) {
    for (const nearest of NEAREST) {
      it(`nearest, ${coordinates}, ${nearest}`, () =>
        neighbours(
          casesOf('nearest', coordinates, nearest),
          coordinates === 'half_pixel_symmetric' ? 19 : 11,
        ));
    }
    if (coordinates === 'tf_half_pixel_for_nn') continue;
    const opset = coordinates === 'half_pixel_symmetric' ? 19 : 11;
    it(`linear, ${coordinates}`, () => agree(casesOf('linear', coordinates, 'floor'), opset, 1e-5));
    it(`cubic, ${coordinates}`, () => agree(casesOf('cubic', coordinates, 'floor'), opset, 1e-5));
    it(`cubic without the outside, ${coordinates}`, () =>
      agree(casesOf('cubic', coordinates, 'floor', true), opset, 1e-5));
  }
});
