/** What frames go on with where a plan whose tiles stay on their devices fails them: a plan that needs none of its neighbours. */

import { computeMs, type Device, type Fleet } from '../../core/planning/cost/fleet.ts';
import { workerBytes, workingBytes } from '../../core/planning/cost/worker-memory.ts';
import type { Draft, DraftBlock } from '../../core/planning/draft.ts';

/** Devices that hold the whole model, where they can: whichever is gone, the other is there. */
const HOLDERS = 2;
/**
 * A device on the hub comes first unless it takes so many times as long: what fails a plan is a link that has become slow
 * more often than anything else, and a device without one answers whatever has become of theirs.
 */
const SLOWER = 2;

/**
 * Of the best drafts of other strategies, the best first, the one that stands in for `draft`: all of the model on one
 * device, else the best; within the memory that `draft` leaves, for both are loaded. Undefined where nothing fits, or
 * where `draft` needs no other because all its inputs come through the merger.
 */
export function fallbackDraft(draft: Draft, others: readonly Draft[], fleet: Fleet): Draft | undefined {
  if (!draft.blocks.some(({ entry }) => entry === 'halo')) return undefined;
  const fitting = others.filter(
    ({ blocks, predicted }) =>
      blocks.every(({ entry }) => entry !== 'halo') &&
      fleet.devices.every((device) => fitsBeside(draft, device, predicted.memoryBytes[device.id])),
  );
  const one = fitting.find(({ strategy }) => strategy === 'one-device');
  return one === undefined ? fitting[0] : withHolders(draft, one, fleet);
}

/** `bytes`: of a worker that holds the other plan alone. */
function fitsBeside({ predicted }: Draft, device: Device, bytes: number | undefined): boolean {
  const own = predicted.memoryBytes[device.id];
  if (own === undefined || bytes === undefined) return true;
  return own + bytes - workingBytes(device) <= device.memoryBytes;
}

/** The same on its own devices and the fastest others that have room for it. */
function withHolders(draft: Draft, one: Draft, fleet: Fleet): Draft {
  const ids = new Set(one.blocks.flatMap(({ parts }) => parts.flatMap(({ devices }) => devices)));
  const own = fleet.devices.filter(({ id }) => ids.has(id));
  const more = fleet.devices
    .filter((device) => !ids.has(device.id) && fitsBeside(draft, device, bytesOf(one.blocks, device)))
    .sort((a, b) => msOf(one.blocks, a) - msOf(one.blocks, b));
  const ownMs = Math.max(...own.map((device) => msOf(one.blocks, device)));
  const near = own.some(isNear)
    ? undefined
    : more.find((device) => isNear(device) && msOf(one.blocks, device) < SLOWER * ownMs);
  const before = near === undefined ? [] : [near.id];
  const others = more.filter((device) => device !== near).map(({ id }) => id);
  const after = others.slice(0, Math.max(0, HOLDERS - ids.size - before.length));
  const blocks = one.blocks.map((block) => ({
    ...block,
    parts: block.parts.map((part) => ({ ...part, devices: [...before, ...part.devices, ...after] })),
  }));
  return { ...one, blocks };
}

function isNear({ medium }: Device): boolean {
  return medium === undefined;
}

function bytesOf(blocks: readonly DraftBlock[], device: Device): number {
  const parts = blocks.flatMap((block) => block.parts);
  return workerBytes(device, {
    weights: parts.reduce((sum, { weightBytes }) => sum + weightBytes, 0),
    activations: Math.max(...parts.map(({ activationBytes }) => activationBytes)),
    subModels: parts.length,
  });
}

function msOf(blocks: readonly DraftBlock[], device: Device): number {
  return blocks.flatMap(({ parts }) => parts).reduce((sum, { work }) => sum + computeMs(device, work), 0);
}
