/**
 * Which sub-models devices have fetched, and how long the others would take to fetch over the links as they are now: at
 * 5 Mbit/s the weights of a new cut take minutes, in which frames share the link with them.
 */

import type { Fleet } from '../cost/fleet.ts';
import type { Draft, DraftBlock, DraftPart } from '../draft.ts';

/** A device that was ready in less than this part of what its link takes had the files already: earlier runs left them. */
const SOONER = 1 / 2;
/** What takes less than so many milliseconds does not tell that there were none. */
const TELLING_MS = 500;

export class Holdings {
  /** Weights that were fetched, by device. */
  readonly #held = new Map<string, Set<string>>();
  /** Devices that were ready sooner than their links allow: what else they have is not known, and does not count. */
  readonly #stocked = new Set<string>();

  /** These are online; whoever is not may come back as another machine. */
  online(ids: ReadonlySet<string>): void {
    for (const id of this.#held.keys()) if (!ids.has(id)) this.#held.delete(id);
    for (const id of this.#stocked) if (!ids.has(id)) this.#stocked.delete(id);
  }

  /**
   * A device has loaded its parts of a draft, at most so many milliseconds after it was announced; `fleet` is as profiled,
   * for a link that is taken for slow may be fast again.
   */
  loaded(id: string, draft: Draft, tookMs: number, fleet: Fleet): void {
    const held = this.#held.get(id) ?? new Set();
    this.#held.set(id, held);
    const medium = fleet.devices.find((device) => device.id === id)?.medium;
    const { bytesPerMs = Number.POSITIVE_INFINITY } = fleet.media.get(medium ?? '') ?? {};
    const takesMs = this.#lacking(id, draft) / bytesPerMs;
    if (tookMs < SOONER * takesMs) this.#stocked.add(id);
    else if (takesMs >= TELLING_MS && tookMs >= takesMs) this.#stocked.delete(id);
    for (const [key] of weightsOn(id, draft)) held.add(key);
  }

  /** Milliseconds until every device has what a draft needs there; the media are those of the fleet. */
  fetchMs(draft: Draft, { hub, media, devices }: Fleet): number {
    const loads = new Map<string, number>();
    const add = (medium: string, bytes: number) => loads.set(medium, (loads.get(medium) ?? 0) + bytes);
    for (const { id, medium } of devices) {
      if (medium === undefined || this.#stocked.has(id)) continue;
      const bytes = this.#lacking(id, draft);
      add(medium, bytes);
      if (hub.medium !== undefined) add(hub.medium, bytes);
    }
    const each = [...loads].map(([name, bytes]) => bytes / (media.get(name)?.bytesPerMs ?? 1));
    return Math.max(0, ...each);
  }

  #lacking(id: string, draft: Draft): number {
    const held = this.#held.get(id);
    let bytes = 0;
    for (const [key, size] of weightsOn(id, draft)) if (held?.has(key) !== true) bytes += size;
    return bytes;
  }
}

/** Weights that a device needs for its parts, by what makes them one file. */
function weightsOn(id: string, { blocks }: Draft): Map<string, number> {
  return new Map(
    blocks.flatMap((each) =>
      each.parts
        .filter(({ devices }) => devices.length === 0 || devices.includes(id))
        .map((part): [string, number] => [keyOf(each, part), part.weightBytes]),
    ),
  );
}

/** The whole of a block and its tiles share its weights; a part of its channels is a file of its own. */
function keyOf({ block, mode }: DraftBlock, { tile }: DraftPart): string {
  const nodes = block.nodes.map(({ index }) => index);
  const part = mode === 'shard' || mode === 'partial' ? `${mode} ${tile.pattern}` : '';
  return `${part} ${nodes[0]} ${nodes.at(-1)} ${nodes.length}`;
}
