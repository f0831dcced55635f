/** Names of strips: the fewer there are, the fewer sub-models the tiles of a block need. */

import type { Graph } from '../graph/types.ts';
import { isEmpty } from './range.ts';
import type { Rectangle, Strip } from './types.ts';

/** What one tile makes of a tensor and its neighbour takes; tiles by their index. */
export interface UnnamedStrip extends Strip {
  readonly rectangle: Rectangle;
  readonly maker: number;
  readonly reader: number;
}

export interface PlacedStrip extends UnnamedStrip {
  readonly name: string;
}

/**
 * Names such as `conv3@before`, the same for all readers of a tensor, so that tiles with the same pads have the same
 * sub-model; the regions tell the strips apart. Strips that could be taken for one another get names of their own:
 * those with common rows, and the two of a tile that both takes and gives such a strip.
 */
export function nameStrips(graph: Graph, strips: readonly UnnamedStrip[]): PlacedStrip[] {
  const users = new Map<string, UnnamedStrip[]>();
  return strips.map((strip) => {
    for (let count = 1; ; count++) {
      const name = `${strip.tensor}@${strip.side}${count === 1 ? '' : count}`;
      if (graph.tensors.has(name) || graph.constants.has(name)) continue;
      const others = users.get(name) ?? [];
      if (others.some((other) => clash(strip, other))) continue;
      users.set(name, [...others, strip]);
      return { ...strip, name };
    }
  });
}

function clash(a: UnnamedStrip, b: UnnamedStrip): boolean {
  if (a.maker === b.reader || a.reader === b.maker || a.maker === b.maker || a.reader === b.reader)
    return true;
  const begin = Math.max(a.rectangle[a.along][0], b.rectangle[a.along][0]);
  const end = Math.min(a.rectangle[a.along][1], b.rectangle[a.along][1]);
  return !isEmpty([begin, end]);
}
