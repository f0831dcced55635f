import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { copyRegion } from '../../../services/core/tensor/copy.ts';
import { extents, type Range, type Region, volume } from '../../../services/core/tensor/region.ts';

/** Every element by its coordinates: slow, and obviously right. */
function bruteForce(
  source: Uint8Array,
  sourceRegion: Region,
  target: Uint8Array,
  targetRegion: Region,
  box: Region,
  size: number,
): void {
  const offset = (region: Region, at: readonly number[]): number =>
    region.reduce((sum, [begin, end], axis) => sum * (end - begin) + ((at[axis] as number) - begin), 0) *
    size;
  const visit = (at: readonly number[]): void => {
    const range = box[at.length];
    if (range !== undefined) {
      for (let i = range[0]; i < range[1]; i++) visit([...at, i]);
      return;
    }
    for (let byte = 0; byte < size; byte++) {
      target[offset(targetRegion, at) + byte] = source[offset(sourceRegion, at) + byte] as number;
    }
  };
  visit([]);
}

/** On one axis: the box, and the two regions around it. */
const axis = (longest: number) =>
  fc
    .tuple(
      fc.nat(3),
      fc.integer({ min: 0, max: longest }),
      ...([0, 1, 2, 3].map(() => fc.oneof(fc.constant(0), fc.nat(4))) as [
        fc.Arbitrary<number>,
        fc.Arbitrary<number>,
        fc.Arbitrary<number>,
        fc.Arbitrary<number>,
      ]),
    )
    .map(([begin, extent, a, b, c, d]): [Range, Range, Range] => {
      const from = begin + 4;
      const to = from + extent;
      return [
        [from, to],
        [from - a, to + b],
        [from - c, to + d],
      ];
    });

const boxes = fc
  .tuple(fc.array(axis(4), { maxLength: 4 }), axis(70))
  .map(([outer, inner]) => [...outer, inner])
  .map((axes) => ({
    box: axes.map(([box]) => box),
    sourceRegion: axes.map(([, source]) => source),
    targetRegion: axes.map(([, , target]) => target),
  }));

/** A buffer of its own that begins `shift` bytes into its memory. */
function shifted(bytes: number, shift: number, value: (i: number) => number): Uint8Array {
  const view = new Uint8Array(new ArrayBuffer(bytes + shift), shift);
  for (let i = 0; i < bytes; i++) view[i] = value(i);
  return view;
}

describe('copyRegion', () => {
  test('equals an element-by-element copy for any rank, element size and alignment', () => {
    fc.assert(
      fc.property(boxes, fc.constantFrom(1, 2, 4, 8), fc.nat(8), fc.nat(8), (regions, size, s, t) => {
        const { box, sourceRegion, targetRegion } = regions;
        const source = shifted(volume(sourceRegion) * size, s, (i) => (i * 31 + (i >> 8)) & 0xff);
        const target = shifted(volume(targetRegion) * size, t, () => 0xee);
        const expected = Uint8Array.from(target);
        bruteForce(source, sourceRegion, expected, targetRegion, box, size);
        copyRegion(source, sourceRegion, target, targetRegion, box, size);
        expect(Buffer.compare(target, expected)).toBe(0);
      }),
      { numRuns: 1500 },
    );
  });

  test('copies a scalar', () => {
    const target = new Uint8Array(4);
    copyRegion(Uint8Array.of(1, 2, 3, 4), [], target, [], [], 4);
    expect([...target]).toEqual([1, 2, 3, 4]);
  });

  test('keeps the bits of signalling NaNs', () => {
    const source = new Uint8Array(Uint32Array.of(0x7f800001, 0xff812345, 1, 2).buffer);
    const target = new Uint8Array(24);
    const [from, to]: [Region, Region] = [
      [
        [0, 2],
        [0, 2],
      ],
      [
        [0, 2],
        [0, 3],
      ],
    ];
    copyRegion(source, from, target, to, from, 4);
    expect([...new Uint32Array(target.buffer)]).toEqual([0x7f800001, 0xff812345, 0, 1, 2, 0]);
  });

  test.each<[string, Region, number, number]>([
    ['a box outside', [[0, 5]], 16, 16],
    [
      'another rank',
      [
        [0, 1],
        [0, 1],
      ],
      16,
      16,
    ],
    ['a short source', [[0, 4]], 12, 16],
    ['a long target', [[0, 4]], 16, 20],
  ])('refuses %s', (_, box, sourceBytes, targetBytes) => {
    const region: Region = [[0, 4]];
    expect(() =>
      copyRegion(new Uint8Array(sourceBytes), region, new Uint8Array(targetBytes), region, box, 4),
    ).toThrow(/cannot hold|is not in/);
  });

  test('covers a tensor tile by tile without a trace of the tiling', () => {
    const whole: Region = [
      [0, 3],
      [0, 17],
      [0, 23],
    ];
    const tensor = shifted(volume(whole) * 4, 0, (i) => (i * 7) & 0xff);
    const merged = new Uint8Array(tensor.length);
    for (const rows of [
      [0, 5],
      [5, 6],
      [6, 17],
    ] as Range[]) {
      for (const columns of [
        [0, 11],
        [11, 23],
      ] as Range[]) {
        const tile: Region = [[0, 3], rows, columns];
        const bytes = new Uint8Array(extents(tile).reduce((a, b) => a * b, 4));
        copyRegion(tensor, whole, bytes, tile, tile, 4);
        copyRegion(bytes, tile, merged, whole, tile, 4);
      }
    }
    expect(Buffer.compare(merged, tensor)).toBe(0);
  });
});
