/** What the parts of a plan make, so that those after them know where it is: kept regions, partial sums. */

import type { Region } from '../tensor/region.ts';
import { readingSums } from '../tiling/partial.ts';
import type { FusedBlock, Tile } from '../tiling/types.ts';

/** A block with its parts, whatever else is known of them. */
interface MadeBlock {
  readonly block: FusedBlock;
  readonly parts: readonly { readonly tile: Tile }[];
}

export class MadeTensors {
  readonly #regions = new Map<string, readonly Region[]>();
  readonly #sums = new Map<string, number>();

  /** Takes in the parts of the next block. */
  add({ block, parts }: MadeBlock): void {
    for (const tensor of block.outputs) {
      if (block.kind === 'partial') this.#sums.set(tensor, parts.length);
      else this.#regions.set(tensor, regionsIn(parts, tensor));
    }
  }

  /** Whether some of these tensors are there as sums that nobody has added up. */
  hasSums(tensors: readonly string[]): boolean {
    return tensors.some((tensor) => this.#sums.has(tensor));
  }

  /** Regions of a tensor by the part that made them. */
  regionsOf(tensor: string): readonly Region[] {
    return this.#regions.get(tensor) ?? [];
  }

  /** The tile as it reads what is there: partial sums in place of tensors that nobody added up. */
  reading(tile: Tile): Tile {
    return readingSums(tile, this.#sums);
  }
}

function regionsIn(parts: MadeBlock['parts'], tensor: string): Region[] {
  const regions: Region[] = [];
  for (const { tile } of parts) {
    const region = tile.outputs.get(tensor);
    if (region !== undefined) regions.push(region);
  }
  return regions;
}
