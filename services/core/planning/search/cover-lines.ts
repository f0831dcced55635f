/** Covers beside a cover: the lines between its tiles moved by single rows and columns of a map. */

import type { Cover, CoverBand } from '../../tiling/types.ts';

/** Rows and columns that lines are moved by one of. */
export interface Extents {
  readonly rows: number;
  readonly columns: number;
}

/** Shares closer than this to nothing are none. */
const NONE = 1e-6;

/** The covers in which one line lies one row or column further on, either way. */
export function movedLines({ bands }: Cover, { rows, columns }: Extents): Cover[] {
  const found: Cover[] = [];
  const heights = bands.map(({ share }) => share);
  for (const moved of movedShares(heights, 1 / rows))
    found.push({ bands: bands.map((band, at): CoverBand => ({ ...band, share: moved[at] as number })) });
  for (const [at, { columns: widths }] of bands.entries()) {
    for (const moved of movedShares(widths, 1 / columns))
      found.push({ bands: bands.map((band, other) => (other === at ? { ...band, columns: moved } : band)) });
  }
  return found;
}

/** The cover with every line at the nearest row or column; undefined where a tile has none left. */
export function snapped({ bands }: Cover, { rows, columns }: Extents): Cover | undefined {
  const heights = snappedShares(
    bands.map(({ share }) => share),
    rows,
  );
  const widths = bands.map((band) => snappedShares(band.columns, columns));
  if (heights === undefined || widths.includes(undefined)) return undefined;
  return {
    bands: heights.map((share, at) => ({ share, columns: widths[at] as readonly number[] })),
  };
}

function movedShares(shares: readonly number[], by: number): number[][] {
  return shares.slice(1).flatMap((_, line) =>
    [by, -by].flatMap((step) => {
      const moved = [...shares];
      moved[line] = (moved[line] as number) + step;
      moved[line + 1] = (moved[line + 1] as number) - step;
      return moved.some((share) => share < NONE) ? [] : [moved];
    }),
  );
}

function snappedShares(shares: readonly number[], extent: number): number[] | undefined {
  let summed = 0;
  let before = 0;
  const found = shares.map((share) => {
    summed += share;
    const line = Math.round(summed * extent);
    const own = (line - before) / extent;
    before = line;
    return own;
  });
  return found.some((share) => share < NONE) ? undefined : found;
}
