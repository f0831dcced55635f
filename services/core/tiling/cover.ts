/** Covers: how the rows and columns of a block's outputs are shared out. */

import { TilepipeError } from '../runtime/errors.ts';
import type { Range } from '../tensor/region.ts';
import type { Cover, Rectangle } from './types.ts';

/** `rows` x `columns` tiles of equal shares. Throws `usage` for counts below 1. */
export function gridCover(rows: number, columns: number): Cover {
  return bandCover(equal(rows).map((share) => ({ share, columns: equal(columns) })));
}

/**
 * Bands by their shares, each with shares of its own for its tiles, as for devices of unequal speed. Shares are
 * scaled to 1. Throws `usage` where there is none, or one is not positive.
 */
export function bandCover(bands: Cover['bands']): Cover {
  return {
    bands: scaled(bands.map(({ share }) => share)).map((share, index) => ({
      share,
      columns: scaled(bands[index]?.columns ?? []),
    })),
  };
}

function equal(count: number): number[] {
  if (!Number.isSafeInteger(count) || count < 1)
    throw new TilepipeError('usage', `${count} is no number of rows or columns`);
  return new Array<number>(count).fill(1);
}

function scaled(shares: readonly number[]): number[] {
  const total = shares.reduce((sum, share) => sum + share, 0);
  if (shares.length === 0 || shares.some((share) => !(share > 0)) || !Number.isFinite(total)) {
    throw new TilepipeError('usage', `shares [${shares.join(', ')}] are not all positive`);
  }
  return shares.map((share) => share / total);
}

/** Tiles of a cover. */
export function coverSize(cover: Cover): number {
  return cover.bands.reduce((sum, { columns }) => sum + columns.length, 0);
}

/** Absorbs the rounding of summed shares: a boundary at 2.9999999 rows is at 3. */
const SLACK = 1e-9;

/** `[0, extent)` in consecutive ranges by shares, boundaries rounded down; ranges of small extents may be empty. */
export function shareOut(shares: readonly number[], extent: number): Range[] {
  let summed = 0;
  let begin = 0;
  return shares.map((share, index): Range => {
    summed += share;
    const end = index === shares.length - 1 ? extent : Math.min(extent, Math.floor(summed * extent + SLACK));
    const range: Range = [begin, end];
    begin = end;
    return range;
  });
}

/**
 * The rectangles of a map of `height` x `width`, tile by tile: together they cover it exactly, none overlaps, and
 * tiles for which no row or column is left are undefined. A single position goes to the first tile.
 */
export function coverRectangles(cover: Cover, height: number, width: number): (Rectangle | undefined)[] {
  if (height === 1 && width === 1) {
    return Array.from({ length: coverSize(cover) }, (_, tile) =>
      tile === 0 ? { rows: [0, 1], columns: [0, 1] } : undefined,
    );
  }
  const bands = shareOut(
    cover.bands.map(({ share }) => share),
    height,
  );
  return cover.bands.flatMap(({ columns }, band) => {
    const rows = bands[band] as Range;
    return shareOut(columns, width).map((range): Rectangle | undefined =>
      rows[0] < rows[1] && range[0] < range[1] ? { rows, columns: range } : undefined,
    );
  });
}
