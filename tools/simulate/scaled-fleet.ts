/** What if there were many more of these devices: a described fleet repeated, and a plan that may use all of them. */

import type { Device, Fleet, Medium } from '../../services/core/planning/cost/fleet.ts';
import type { DraftBlock } from '../../services/core/planning/draft.ts';
import { TilepipeError } from '../../services/core/runtime/errors.ts';

/** A fleet with repeated devices; the devices that stand for each described one, itself first. */
export interface ScaledFleet {
  readonly fleet: Fleet;
  readonly copies: ReadonlyMap<string, readonly string[]>;
}

/**
 * Repeats the devices off the hub in turn until there are `count` devices in all. A medium that one device alone is
 * on is repeated with it; shared ones stay one. Throws `usage` where there is nothing to repeat or fewer are asked for.
 */
export function scaledFleet(fleet: Fleet, count: number): ScaledFleet {
  const { devices } = fleet;
  const movable = devices.filter(({ medium }) => medium !== undefined);
  if (count < devices.length)
    throw new TilepipeError('usage', `--scale ${count} is less than the ${devices.length} devices described`);
  if (count > devices.length && movable.length === 0)
    throw new TilepipeError('usage', 'every device is on the hub: --scale has none to repeat');
  const copies = new Map(devices.map(({ id }) => [id, [id]]));
  const media = new Map(fleet.media);
  const more: Device[] = [];
  const taken = new Set([...devices.map(({ id }) => id), ...media.keys()]);
  for (let added = 0; devices.length + added < count; added++) {
    const original = movable[added % movable.length] as Device;
    const copy = repeated(original, freeEnding(original, taken), fleet, media);
    taken.add(copy.id);
    if (copy.medium !== undefined) taken.add(copy.medium);
    copies.get(original.id)?.push(copy.id);
    more.push(copy);
  }
  return { fleet: { ...fleet, media, devices: [...devices, ...more] }, copies };
}

/** A number whose name no device and no medium has yet. */
function freeEnding({ id, medium }: Device, taken: ReadonlySet<string>): string {
  let number = 2;
  while (taken.has(`${id}-${number}`) || taken.has(`${medium}-${number}`)) number++;
  return `-${number}`;
}

function repeated(original: Device, ending: string, fleet: Fleet, media: Map<string, Medium>): Device {
  const name = original.medium as string;
  const medium = fleet.media.get(name);
  const shared =
    fleet.hub.medium === name || fleet.devices.filter((device) => device.medium === name).length > 1;
  if (shared || medium === undefined) return { ...original, id: original.id + ending };
  media.set(name + ending, { ...medium, name: name + ending });
  return { ...original, id: original.id + ending, medium: name + ending };
}

/** The plan with every part on any copy of the devices it was meant for. */
export function scaledBlocks(blocks: readonly DraftBlock[], { copies }: ScaledFleet): DraftBlock[] {
  return blocks.map((block) => ({
    ...block,
    parts: block.parts.map((part) => ({
      ...part,
      devices: part.devices.flatMap((id) => copies.get(id) ?? [id]),
    })),
  }));
}
