/** The covers the search tries: strips and grids whose cells number the tiles, of equal or of given shares. */

import { bandCover } from '../../tiling/cover.ts';
import type { Cover } from '../../tiling/types.ts';

/** Tiles in each band of rows, from top to bottom: `[2, 3]` is two tiles above three. */
export type Arrangement = readonly number[];

/**
 * Ways to lay out `count` tiles on a map: strips along its longer side, and the grids nearest to a square. Strips along
 * the other side have the longer borders, and so more halo.
 */
export function arrangements(count: number, rows: number, columns: number): Arrangement[] {
  if (count === 1) return [[1]];
  const found: Arrangement[] = [rows >= columns ? new Array<number>(count).fill(1) : [count]];
  const root = Math.sqrt(count);
  for (const bands of new Set([Math.floor(root), Math.ceil(root)])) {
    if (bands > 1 && bands < count) found.push(grid(bands, count));
  }
  return found;
}

/** `count` tiles in bands as even as they can be. */
export function grid(rows: number, count: number): Arrangement {
  return Array.from(
    { length: rows },
    (_, row) => Math.floor(((row + 1) * count) / rows) - Math.floor((row * count) / rows),
  );
}

/** The cover of an arrangement whose tiles have areas in proportion to `shares`, in the order of the tiles. */
export function coverOf(arrangement: Arrangement, shares: readonly number[]): Cover {
  let at = 0;
  return bandCover(
    arrangement.map((count) => {
      const columns = shares.slice(at, at + count);
      at += count;
      return { share: columns.reduce((sum, share) => sum + share, 0), columns };
    }),
  );
}

/** The cover of an arrangement with tiles of one size. */
export function evenCover(arrangement: Arrangement): Cover {
  return coverOf(arrangement, new Array<number>(arrangement.reduce((sum, count) => sum + count, 0)).fill(1));
}
