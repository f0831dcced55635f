/**
 * Where plans have cut a model so far. Between those cuts the search takes milliseconds, and its blocks' sub-models are
 * in the store; so a plan is changed by them, and all cuts are looked at only for devices that were never planned for.
 */

import type { Fleet } from '../cost/fleet.ts';
import type { Draft } from '../draft.ts';
import { type SearchSpace, spaceAt } from '../search/space.ts';

/** What is known, as it passes from one process to another. */
export interface Cuts {
  /** Where the line of nodes is cut, ascending. */
  readonly positions: readonly number[];
  /** Devices that all cuts were looked at for. */
  readonly devices: readonly string[];
}

export class KnownCuts {
  readonly #all: SearchSpace;
  readonly #positions = new Set<number>();
  readonly #devices = new Set<string>();
  #space: SearchSpace | undefined;

  constructor(all: SearchSpace) {
    this.#all = all;
  }

  /** A plan for a fleet was found among all cuts. */
  learn({ blocks }: Draft, { devices }: Fleet): void {
    const count = this.#all.line.nodes.length;
    const positions = [0, count];
    let at = 0;
    for (const { block } of blocks) {
      // A model in one piece may hold nodes that no cut counts.
      at = Math.min(count, at + block.nodes.length);
      positions.push(at);
    }
    this.adopt({ positions, devices: devices.map(({ id }) => id) });
  }

  get cuts(): Cuts {
    return { positions: [...this.#positions].sort((a, b) => a - b), devices: [...this.#devices] };
  }

  /** What was learned elsewhere of the same model. */
  adopt({ positions, devices }: Cuts): void {
    for (const id of devices) this.#devices.add(id);
    const before = this.#positions.size;
    for (const position of positions) this.#positions.add(position);
    if (this.#positions.size === before) return;
    this.#space = spaceAt(this.#all, [...this.cuts.positions]);
  }

  /** The space between the known cuts; undefined where there is a device nobody has planned for. */
  spaceFor({ devices }: Fleet): SearchSpace | undefined {
    return devices.every(({ id }) => this.#devices.has(id)) ? this.#space : undefined;
  }
}
