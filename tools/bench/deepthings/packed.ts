/** Tiles bound to devices so that each needs few sub-models: every one of them has buffers of its own in a worker. */

import type { Draft, DraftBlock, DraftPart } from '../../../services/core/planning/draft.ts';

/** Tiles in a row that one device takes. */
interface Portion {
  readonly parts: readonly number[];
  readonly macs: number;
}

/**
 * A draft whose tiles are bound: those of one sub-model lie side by side, and each device takes a run of them, the
 * longest run as short as it can be. Blocks that are not tiled stay as they are.
 */
export function packed(draft: Draft, devices: readonly string[]): Draft {
  return { ...draft, blocks: draft.blocks.map((block) => packedBlock(block, devices)) };
}

function packedBlock(block: DraftBlock, devices: readonly string[]): DraftBlock {
  if (block.mode !== 'tile') return block;
  const bound = new Map<number, string>();
  for (const [at, { parts }] of portions(block.parts, devices.length).entries())
    for (const part of parts) bound.set(part, devices[at] as string);
  return {
    ...block,
    parts: block.parts.map((part, at): DraftPart => {
      const device = bound.get(at);
      return device === undefined ? part : { ...part, devices: [device] };
    }),
  };
}

/** At most `most` of them. The least load that a portion may have is found by halving. */
function portions(parts: readonly DraftPart[], most: number): Portion[] {
  const order = besideTheirLike(parts);
  const total = parts.reduce((sum, { tile }) => sum + tile.macs, 0);
  let low = Math.max(total / most, ...parts.map(({ tile }) => tile.macs));
  let high = total;
  let best = cut(parts, order, high);
  for (let step = 0; step < HALVINGS; step++) {
    const limit = step === 0 ? low : (low + high) / 2;
    const found = cut(parts, order, limit);
    if (found.length <= most) {
      best = found;
      high = limit;
    } else low = limit;
  }
  return best;
}

const HALVINGS = 24;
/** Sums in another order differ in their last digits. */
const SLACK = 1 + 1e-9;

function cut(parts: readonly DraftPart[], order: readonly number[], limit: number): Portion[] {
  const found: { parts: number[]; macs: number }[] = [];
  for (const at of order) {
    const { macs } = (parts[at] as DraftPart).tile;
    const last = found.at(-1);
    if (last !== undefined && last.macs + macs <= limit * SLACK) {
      last.parts.push(at);
      last.macs += macs;
    } else found.push({ parts: [at], macs });
  }
  return found;
}

/** Positions of tiles, those of one sub-model together; large groups and small by turns, or one device got all the small. */
function besideTheirLike(parts: readonly DraftPart[]): number[] {
  const groups = new Map<string, number[]>();
  for (const [at, { tile }] of parts.entries()) {
    const group = groups.get(tile.pattern);
    if (group === undefined) groups.set(tile.pattern, [at]);
    else group.push(at);
  }
  const bySize = [...groups.values()].sort((a, b) => b.length - a.length);
  return bySize.flatMap((_, at) => bySize[at % 2 === 0 ? at / 2 : bySize.length - (at + 1) / 2] ?? []).flat();
}

/** Sub-models that the devices of a plan need, at most on one of them. */
export function mostModels({ blocks }: Pick<Draft, 'blocks'>): number {
  const held = new Map<string, Set<string>>();
  for (const [block, { parts }] of blocks.entries()) {
    for (const { tile, devices } of parts)
      for (const device of devices) {
        const models = held.get(device) ?? new Set<string>();
        held.set(device, models.add(`${block} ${tile.pattern}`));
      }
  }
  return Math.max(0, ...[...held.values()].map(({ size }) => size));
}
