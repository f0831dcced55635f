/** The intervals of every rule against a count of every element. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AxisWindow } from '../../../services/core/graph/window.ts';
import type { Range } from '../../../services/core/tensor/region.ts';
import { spreadStep } from '../../../services/core/tiling/rules/conv-transpose.ts';
import { type PadAxis, padStep } from '../../../services/core/tiling/rules/pad.ts';
import {
  type CoordinateMode,
  type NearestMode,
  type ResampledAxis,
  tapSpan,
  taps,
} from '../../../services/core/tiling/rules/resample-map.ts';
import { windowStep } from '../../../services/core/tiling/rules/window.ts';

/** Any range inside `[0, extent)`, not empty. */
function rangeIn(extent: number): fc.Arbitrary<Range> {
  return fc
    .tuple(fc.nat(extent - 1), fc.nat(extent - 1))
    .map(([a, b]): Range => [Math.min(a, b), Math.max(a, b) + 1]);
}

function hullOf(indices: readonly number[]): Range {
  return [Math.min(...indices), Math.max(...indices) + 1];
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

const window: fc.Arbitrary<AxisWindow> = fc
  .record({
    kernel: fc.integer({ min: 1, max: 5 }),
    stride: fc.integer({ min: 1, max: 4 }),
    dilation: fc.integer({ min: 1, max: 3 }),
    padBegin: fc.nat(6),
    padEnd: fc.nat(6),
    input: fc.integer({ min: 1, max: 16 }),
    ceil: fc.boolean(),
  })
  .map(({ ceil, ...raw }): AxisWindow => {
    const span = raw.input + raw.padBegin + raw.padEnd - raw.dilation * (raw.kernel - 1) - 1;
    let output = span < 0 ? 0 : (ceil ? Math.ceil(span / raw.stride) : Math.floor(span / raw.stride)) + 1;
    if (ceil && (output - 1) * raw.stride >= raw.input + raw.padBegin) output -= 1;
    return { ...raw, outputPadding: 0, output };
  })
  .filter(({ output }) => output > 0);

/** Places of the taps of outputs, padding included. */
function tapsOf({ kernel, stride, dilation, padBegin }: AxisWindow, [o0, o1]: Range): number[] {
  return upTo(o1 - o0).flatMap((o) => upTo(kernel).map((t) => (o0 + o) * stride - padBegin + t * dilation));
}

describe('rules', () => {
  it('windows read what their taps read, and pad what lies outside', () => {
    fc.assert(
      fc.property(
        window.chain((axis) => fc.tuple(fc.constant(axis), rangeIn(axis.output))),
        ([axis, asked]) => {
          const all = hullOf(tapsOf(axis, [0, axis.output]));
          fc.pre(all[0] < axis.input && all[1] > 0);
          const step = windowStep(axis, asked);
          expect(step.made[0]).toBeLessThanOrEqual(asked[0]);
          expect(step.made[1]).toBeGreaterThanOrEqual(asked[1]);
          const [low, high] = hullOf(tapsOf(axis, step.made));
          expect(step.input).toEqual([Math.max(0, low), Math.min(axis.input, high)]);
          expect(step.input[1]).toBeGreaterThan(step.input[0]);
          expect(step.padBegin).toBe(Math.max(0, -low));
          expect(step.hangs).toBe(high > axis.input + axis.padEnd);
          expect(step.padEnd).toBe(Math.max(0, step.hangs ? axis.padEnd : high - axis.input));
          const inner = hullOf(tapsOf(axis, asked));
          if (inner[0] < axis.input && inner[1] > 0) expect(step.made).toEqual(asked);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('a tile of a window operator has as many outputs as asked', () => {
    fc.assert(
      fc.property(
        window.chain((axis) => fc.tuple(fc.constant(axis), rangeIn(axis.output))),
        ([axis, asked]) => {
          const all = hullOf(tapsOf(axis, [0, axis.output]));
          fc.pre(all[0] < axis.input && all[1] > 0);
          const { made, input, padBegin, padEnd, hangs } = windowStep(axis, asked);
          const extent = input[1] - input[0];
          const span = extent + padBegin + padEnd - axis.dilation * (axis.kernel - 1) - 1;
          let outputs = (hangs ? Math.ceil(span / axis.stride) : Math.floor(span / axis.stride)) + 1;
          if (hangs && (outputs - 1) * axis.stride >= extent + padBegin) outputs -= 1;
          expect(outputs).toBe(made[1] - made[0]);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('transposed windows take every input that reaches the outputs', () => {
    const spread = fc
      .record({
        kernel: fc.integer({ min: 1, max: 5 }),
        stride: fc.integer({ min: 1, max: 4 }),
        dilation: fc.integer({ min: 1, max: 3 }),
        padBegin: fc.nat(4),
        padEnd: fc.nat(4),
        outputPadding: fc.nat(3),
        input: fc.integer({ min: 1, max: 12 }),
      })
      .map((raw): AxisWindow => {
        const full = (raw.input - 1) * raw.stride + raw.outputPadding + raw.dilation * (raw.kernel - 1) + 1;
        return { ...raw, output: full - raw.padBegin - raw.padEnd };
      })
      .filter(({ output, outputPadding, stride }) => output > 0 && outputPadding < stride);
    fc.assert(
      fc.property(
        spread.chain((axis) => fc.tuple(fc.constant(axis), rangeIn(axis.output))),
        ([axis, [o0, o1]]) => {
          const { input, padBegin, padEnd, outputPadding } = spreadStep(axis, [o0, o1]);
          const reaching = upTo(axis.input).filter((i) =>
            upTo(axis.kernel).some((t) => {
              const o = i * axis.stride + t * axis.dilation - axis.padBegin;
              return o >= o0 && o < o1;
            }),
          );
          for (const i of reaching) expect(i >= input[0] && i < input[1], `input ${i}`).toBe(true);
          expect(Math.min(padBegin, padEnd, outputPadding)).toBeGreaterThanOrEqual(0);
          expect(outputPadding).toBeLessThan(axis.stride);
          // Output 0 of the tile is where the first input's first tap lands, less the crop.
          expect(input[0] * axis.stride + padBegin).toBe(o0 + axis.padBegin);
          const full =
            (input[1] - input[0] - 1) * axis.stride + outputPadding + axis.dilation * (axis.kernel - 1) + 1;
          expect(full - padBegin - padEnd).toBe(o1 - o0);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('borders copy from inputs the tile has', () => {
    const border = fc
      .record({
        mode: fc.constantFrom('constant' as const, 'edge' as const, 'reflect' as const),
        begin: fc.integer({ min: -3, max: 6 }),
        end: fc.integer({ min: -3, max: 6 }),
        input: fc.integer({ min: 1, max: 12 }),
      })
      .filter(({ mode, begin, end, input }) => {
        if (mode !== 'constant' && (begin < 0 || end < 0)) return false;
        if (mode === 'reflect' && Math.max(begin, end) >= input) return false;
        return begin + input > 0 && begin < begin + input + end && begin + input + end > 0;
      })
      .map(({ mode, begin, end, input }): PadAxis => ({ mode, begin, input, output: begin + input + end }));
    /** Where output `o` of a padded axis copies from; undefined for the filler. */
    const source = (mode: PadAxis['mode'], o: number, begin: number, input: number): number | undefined => {
      const at = o - begin;
      if (at >= 0 && at < input) return at;
      if (mode === 'constant') return undefined;
      if (mode === 'edge') return at < 0 ? 0 : input - 1;
      return at < 0 ? -at : 2 * (input - 1) - at;
    };
    fc.assert(
      fc.property(
        border.chain((axis) => fc.tuple(fc.constant(axis), rangeIn(axis.output))),
        ([axis, asked]) => {
          const { made, input, padBegin, padEnd } = padStep(axis, asked);
          const held = input[1] - input[0];
          expect(held).toBeGreaterThan(0);
          expect(made[0] <= asked[0] && made[1] >= asked[1]).toBe(true);
          expect(padBegin + held + padEnd).toBe(made[1] - made[0]);
          if (axis.mode === 'reflect') expect(Math.max(padBegin, padEnd)).toBeLessThan(held);
          for (let o = asked[0]; o < asked[1]; o++) {
            const wanted = source(axis.mode, o, axis.begin, axis.input);
            const got = source(axis.mode, o - made[0], padBegin, held);
            expect(got === undefined ? undefined : got + input[0], `output ${o}`).toBe(wanted);
          }
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('resampling reads every tap', () => {
    const resampled = fc
      .record({
        interpolation: fc.constantFrom('nearest' as const, 'linear' as const, 'cubic' as const),
        coordinates: fc.constantFrom<CoordinateMode>(
          'half_pixel',
          'asymmetric',
          'align_corners',
          'pytorch_half_pixel',
          'half_pixel_symmetric',
        ),
        nearest: fc.constantFrom<NearestMode>('floor', 'ceil', 'round_prefer_floor', 'round_prefer_ceil'),
        scale: fc.constantFrom(0.5, 2, 3, 1.5, 0.3, 1.7).map(Math.fround),
        input: fc.integer({ min: 1, max: 20 }),
        excludeOutside: fc.boolean(),
      })
      .map(
        (raw): ResampledAxis => ({
          ...raw,
          sized: false,
          output: Math.floor(Math.fround(raw.scale * raw.input)),
          roi: [0, 1],
          cubicCoefficient: -0.75,
        }),
      )
      .filter(({ output }) => output > 0);
    fc.assert(
      fc.property(
        resampled.chain((axis) => fc.tuple(fc.constant(axis), rangeIn(axis.output))),
        ([axis, asked]) => {
          const all = upTo(asked[1] - asked[0]).flatMap((o) => taps(axis, asked[0] + o));
          expect(tapSpan(axis, asked)).toEqual(hullOf(all.map(({ index }) => index)));
          for (const { index } of all) expect(index >= 0 && index < axis.input).toBe(true);
          for (let o = asked[0]; o < asked[1]; o++) {
            const sum = taps(axis, o).reduce((total, { weight }) => total + weight, 0);
            expect(sum).toBeCloseTo(1, 5);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});
