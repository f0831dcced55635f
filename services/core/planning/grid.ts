/** Grids as people write them: `2x2`, rows x columns. */

import { TilepipeError } from '../runtime/errors.ts';

export interface Grid {
  readonly rows: number;
  readonly columns: number;
}

/** Most tiles one block may have: beyond it the halo outweighs the work on any map a CNN has. */
const MOST_TILES = 1024;

/** Reads `RxC`; throws `usage` for anything else. */
export function parseGrid(text: string): Grid {
  const match = /^([1-9]\d{0,3})x([1-9]\d{0,3})$/.exec(text.trim());
  if (match === null) throw new TilepipeError('usage', `grid "${text}" is not ROWSxCOLUMNS, as in 2x2`);
  const grid = { rows: Number(match[1]), columns: Number(match[2]) };
  if (grid.rows * grid.columns > MOST_TILES) {
    throw new TilepipeError(
      'usage',
      `grid ${text} asks for ${grid.rows * grid.columns} tiles; ${MOST_TILES} is the most`,
    );
  }
  return grid;
}
