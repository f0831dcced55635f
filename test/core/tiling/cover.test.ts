import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bandCover, coverRectangles, gridCover, shareOut } from '../../../services/core/tiling/cover.ts';
import { problem } from '../../support/tensors.ts';
import { randomTiling } from './random/network.ts';

describe('covers', () => {
  it.each([
    [4, 5, [1, 1, 1, 2]],
    [3, 9, [3, 3, 3]],
    [7, 7, [1, 1, 1, 1, 1, 1, 1]],
    [3, 2, [0, 1, 1]],
    [10, 100, [10, 10, 10, 10, 10, 10, 10, 10, 10, 10]],
  ])('%i equal shares of %i', (shares, extent, wanted) => {
    const ranges = shareOut(new Array<number>(shares).fill(1 / shares), extent);
    expect(ranges.map(([begin, end]) => end - begin)).toEqual(wanted);
  });

  it('covers any map exactly, without overlap', () => {
    fc.assert(
      fc.property(
        randomTiling,
        fc.integer({ min: 1, max: 24 }),
        fc.integer({ min: 1, max: 24 }),
        ({ bands }, height, width) => {
          const seen = new Uint8Array(height * width);
          for (const rectangle of coverRectangles(bandCover(bands), height, width)) {
            if (rectangle === undefined) continue;
            expect(rectangle.rows[1] > rectangle.rows[0] && rectangle.columns[1] > rectangle.columns[0]).toBe(
              true,
            );
            for (let row = rectangle.rows[0]; row < rectangle.rows[1]; row++) {
              for (let column = rectangle.columns[0]; column < rectangle.columns[1]; column++) {
                seen[row * width + column] = (seen[row * width + column] as number) + 1;
              }
            }
          }
          expect(seen.every((count) => count === 1)).toBe(true);
        },
      ),
    );
  });

  it('gives a single position to the first tile', () => {
    const rectangles = coverRectangles(gridCover(2, 3), 1, 1);
    expect(rectangles.map((rectangle) => rectangle !== undefined)).toEqual([
      true,
      false,
      false,
      false,
      false,
      false,
    ]);
  });

  it.each([
    [() => gridCover(0, 2)],
    [() => gridCover(1.5, 2)],
    [() => bandCover([])],
    [() => bandCover([{ share: 1, columns: [] }])],
    [() => bandCover([{ share: 1, columns: [1, 0] }])],
    [() => bandCover([{ share: Number.NaN, columns: [1] }])],
  ])('refuses shares that are none', (make) => {
    expect(make).toThrow(problem('usage'));
  });
});
