/** The tasks of a plan as numbers: what each waits for, what waits for it, and who may run it. */

import { TilepipeError } from '../../runtime/errors.ts';
import { intersect } from '../../tensor/region.ts';
import type { Fleet } from '../cost/fleet.ts';
import type { Work } from '../cost/work.ts';
import { type DraftBlock, type DraftPart, SUPPLIED } from '../draft.ts';

export interface SimulatedTask {
  /** Position in the table, and so the order of submission. */
  readonly index: number;
  readonly block: number;
  readonly part: number;
  /** Parts of its block. */
  readonly parts: number;
  /** Positions of the devices that may run it, the preferred first. */
  readonly devices: readonly number[];
  readonly work: Work;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Bytes of those before they are deflated. */
  readonly packedIn: number;
  readonly packedOut: number;
  /** Tasks that must have been gathered before it, or whose strips it waits for. */
  readonly needs: number;
  /** Tasks that wait until it has been gathered. */
  readonly feeds: readonly number[];
  /** It collects its inputs itself, and is not dispatched. */
  readonly own: boolean;
  /** What goes to such tasks without the merger. */
  readonly strips: readonly SimulatedStrip[];
  /** Strips that come from other devices. */
  readonly received: number;
  /** What the splitter sends of the frame itself to one that collects its inputs; absent: nothing. */
  readonly supplied?: Omit<SimulatedStrip, 'to'>;
  /** Whether the merger gets anything of it. */
  readonly merged: boolean;
}

/** Bytes from one task to another; 0 where both are on one device. */
export interface SimulatedStrip {
  readonly to: number;
  readonly bytes: number;
  /** Bytes of those before they are deflated. */
  readonly packed?: number;
  /** It goes to the receiver's own broker. */
  readonly direct?: true;
}

/**
 * One task per part, in order of block and part. A part waits for the other parts that make an element it reads,
 * as the merger sends it as soon as those are there; one whose regions are not given waits for the whole block
 * before. Throws `plan-invalid` for a device the fleet does not have.
 */
export function taskTable(blocks: readonly DraftBlock[], fleet: Fleet): SimulatedTask[] {
  const positions = new Map(fleet.devices.map(({ id }, at) => [id, at]));
  const everyone = fleet.devices.map((_, at) => at);
  const rows = blocks.flatMap(({ parts }, block) =>
    parts.map((part, at) => ({ part, at, block, parts: parts.length })),
  );
  const makers = makersByTensor(rows.map(({ part }) => part));
  const feeds: number[][] = rows.map(() => []);
  const first: number[] = [];
  let count = 0;
  for (const { parts } of blocks) {
    first.push(count);
    count += parts.length;
  }
  const partsOf = (block: number): number[] =>
    (blocks[block]?.parts ?? []).map((_, part) => (first[block] as number) + part);
  const strips: SimulatedStrip[][] = rows.map(() => []);
  const needs = rows.map(({ part, block }, index) => {
    if (part.strips !== undefined) {
      for (const strip of part.strips)
        if (strip.block !== SUPPLIED)
          strips[(first[strip.block] as number) + strip.part]?.push({ ...strip, to: index });
      return part.strips.length;
    }
    const all = part.tile.inputs.size === 0 ? partsOf(block - 1) : needed(part, index, makers);
    for (const maker of all) (feeds[maker] as number[]).push(index);
    return all.length;
  });
  return rows.map(({ part, at, block, parts }, index) => ({
    index,
    block,
    part: at,
    parts,
    devices: part.devices.length === 0 ? everyone : part.devices.map((id) => positionOf(positions, id)),
    work: part.work,
    bytesIn: part.bytesIn,
    bytesOut: part.bytesOut,
    packedIn: part.packedIn ?? 0,
    packedOut: part.packedOut ?? 0,
    needs: needs[index] as number,
    feeds: feeds[index] as number[],
    own: part.strips !== undefined,
    ...suppliedTo(part),
    strips: strips[index] as SimulatedStrip[],
    received: (part.strips ?? []).filter(({ bytes }) => bytes > 0).length,
    merged: part.bytesOut > 0 || strips[index]?.length === 0,
  }));
}

function suppliedTo({ strips = [] }: DraftPart): Pick<SimulatedTask, 'supplied'> {
  const found = strips.find(({ block }) => block === SUPPLIED);
  return found === undefined ? {} : { supplied: found };
}

interface Maker {
  readonly index: number;
  readonly part: DraftPart;
}

function makersByTensor(parts: readonly DraftPart[]): ReadonlyMap<string, readonly Maker[]> {
  const makers = new Map<string, Maker[]>();
  for (const [index, part] of parts.entries()) {
    for (const tensor of part.tile.outputs.keys()) {
      const known = makers.get(tensor);
      if (known === undefined) makers.set(tensor, [{ index, part }]);
      else known.push({ index, part });
    }
  }
  return makers;
}

function needed(part: DraftPart, index: number, makers: ReadonlyMap<string, readonly Maker[]>): number[] {
  const found = new Set<number>();
  for (const [tensor, region] of part.tile.inputs) {
    for (const maker of makers.get(tensor) ?? []) {
      const made = maker.part.tile.outputs.get(tensor);
      // A tile that takes strips from its neighbours waits for the one after it as well.
      if (maker.index !== index && made !== undefined && intersect(made, region) !== undefined)
        found.add(maker.index);
    }
  }
  return [...found];
}

function positionOf(positions: ReadonlyMap<string, number>, id: string): number {
  const position = positions.get(id);
  if (position === undefined)
    throw new TilepipeError('plan-invalid', `the plan names a device "${id}" that is not there`);
  return position;
}
