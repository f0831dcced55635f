/** What of a tensor a tile takes from its neighbours, what it makes itself, and how the parts lie side by side. */

import type { GraphNode } from '../graph/types.ts';
import type { Range } from '../tensor/region.ts';
import { boundingBox, hull, isEmpty } from './range.ts';
import type { Along, Rectangle, Strip, StripSide } from './types.ts';

/** Parts that come from neighbours: both at the ends of what the tile holds, as wide as that. */
export interface Ends {
  readonly before?: Rectangle;
  readonly after?: Rectangle;
}

/** A tensor in parts. */
export interface Join extends Ends {
  /** What the tile makes, between the ends; undefined: nothing. */
  readonly own?: Rectangle;
  /** All of it together. */
  readonly held: Rectangle;
}

export interface NamedStrip extends Strip {
  readonly name: string;
  readonly rectangle: Rectangle;
}

/** What a tile takes of its neighbours and gives to them. */
export interface Exchange {
  readonly along: Along;
  /** By tensor: what is joined from the tile's own part and the strips it takes. */
  readonly joins: ReadonlyMap<string, Join>;
  /** Names of the strips it takes, by tensor. */
  readonly taken: ReadonlyMap<string, ReadonlyMap<StripSide, string>>;
  /** Strips it gives, by tensor. */
  readonly given: ReadonlyMap<string, readonly NamedStrip[]>;
}

/** `rectangle` with another range along one axis. */
export function withRange(rectangle: Rectangle, along: Along, range: Range): Rectangle {
  return along === 'rows' ? { ...rectangle, rows: range } : { ...rectangle, columns: range };
}

/**
 * Collects the joins of one tile while its regions are worked out: `madeOf` goes into `blockRegions`, which asks it
 * from the last node to the first. `endsOf` says what neighbours supply of a tensor, given what is asked of it.
 */
export class Joins {
  /** By tensor, the last in the block first. */
  readonly byTensor = new Map<string, Join>();
  readonly #along: Along;
  readonly #endsOf: (tensor: string, asked: Rectangle) => Ends | undefined;

  constructor(along: Along, endsOf: (tensor: string, asked: Rectangle) => Ends | undefined) {
    this.#along = along;
    this.#endsOf = endsOf;
  }

  readonly madeOf = (node: GraphNode, asked: ReadonlyMap<string, Rectangle>): Rectangle | undefined => {
    const outputs = node.outputs.flatMap((tensor) => {
      const wanted = asked.get(tensor);
      if (wanted === undefined) return [];
      const ends = this.#endsOf(tensor, wanted) ?? {};
      return [{ tensor, wanted, ends, rest: between(this.#along, wanted, ends) }];
    });
    let made: Rectangle | undefined;
    for (const { rest } of outputs) if (rest !== undefined) made = boundingBox(made, rest);
    for (const { tensor, wanted, ends, rest } of outputs) {
      const join =
        rest === undefined || made === undefined ? { ...ends, held: wanted } : this.#trim(wanted, made);
      if (join.before !== undefined || join.after !== undefined) this.byTensor.set(tensor, join);
    }
    return made;
  };

  /** A node with several outputs makes all of them where one is needed; what it makes anyway is not taken. */
  #trim(wanted: Rectangle, made: Rectangle): Join {
    const along = this.#along;
    const [begin, end] = wanted[along];
    const [from, to] = made[along];
    return {
      ...(begin < from ? { before: withRange(wanted, along, [begin, from]) } : {}),
      own: withRange(wanted, along, made[along]),
      ...(to < end ? { after: withRange(wanted, along, [to, end]) } : {}),
      held: withRange(wanted, along, hull(wanted[along], made[along])),
    };
  }
}

/** What is left of `wanted` without its ends. */
function between(along: Along, wanted: Rectangle, { before, after }: Ends): Rectangle | undefined {
  const begin = before?.[along][1] ?? wanted[along][0];
  const end = after?.[along][0] ?? wanted[along][1];
  return isEmpty([begin, end]) ? undefined : withRange(wanted, along, [begin, end]);
}
