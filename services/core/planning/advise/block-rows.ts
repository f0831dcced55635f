/** A draft block by block, in the figures that people compare. */

import { computeMs, type Device, type Fleet } from '../cost/fleet.ts';
import { type CutCodec, type Draft, type DraftBlock, type Mode, SUPPLIED, type WireCodec } from '../draft.ts';

export interface BlockRow {
  readonly id: number;
  /** Operators. */
  readonly nodes: number;
  /** Names of the first and the last of them. */
  readonly first: string;
  readonly last: string;
  readonly mode: Mode;
  /** Whether its tiles take strips from their neighbours. */
  readonly reuse: boolean;
  /** Whether its parts keep what they made before, and take what they lack from those who made it. */
  readonly kept: boolean;
  readonly parts: number;
  /** Every device that may run a part of it, in the order of the parts. */
  readonly devices: readonly string[];
  /** Share of the plan's multiply-accumulates, redundant halo work included. */
  readonly macsShare: number;
  /** Bytes of one frame from the hub to its devices. */
  readonly bytesIn: number;
  /** Bytes of one frame from its devices to the hub. */
  readonly bytesOut: number;
  /** Bytes of one frame that come to it from device to device, through the hub's broker or one of their own. */
  readonly stripBytes: number;
  /** Milliseconds until the slowest of its devices has computed its parts; transfers are not among them. */
  readonly computeMs: number;
  readonly reason?: string;
}

export function blockRows({ blocks }: Pick<Draft, 'blocks'>, fleet: Fleet): BlockRow[] {
  const macs = blocks.map(({ parts }) => parts.reduce((sum, { tile }) => sum + tile.macs, 0));
  const total = macs.reduce((sum, count) => sum + count, 0);
  return blocks.map((planned, at) => {
    const { block, mode, entry, parts, reason, reuse = false } = planned;
    const strips = parts.flatMap(({ strips: own = [] }) =>
      own.filter(({ block: from }) => from !== SUPPLIED),
    );
    const stripBytes = strips.reduce((sum, { bytes }) => sum + bytes, 0);
    return {
      id: block.id,
      nodes: block.nodes.length,
      first: block.nodes[0]?.name ?? '',
      last: block.nodes.at(-1)?.name ?? '',
      mode,
      reuse,
      kept: entry === 'halo',
      parts: parts.length,
      devices: [...new Set(parts.flatMap(({ devices }) => devices))],
      macsShare: total === 0 ? 0 : (macs[at] as number) / total,
      bytesIn: parts.reduce((sum, { bytesIn }) => sum + bytesIn, 0) - stripBytes,
      bytesOut: parts.reduce((sum, { bytesOut }) => sum + bytesOut, 0),
      stripBytes,
      computeMs: slowestMs(planned, fleet),
      ...(reason === undefined ? {} : { reason }),
    };
  });
}

/** A tensor that travels from one block to later ones, or a picture that enters as one. */
export interface CutRow {
  readonly tensor: string;
  /** Block that makes it; -1: the frame has it. */
  readonly block: number;
  readonly codec: CutCodec | WireCodec;
  readonly deflated: boolean;
}

export function cutRows({ blocks, codecs = {}, packed = [], wire = {} }: Draft): CutRow[] {
  const read = new Set(blocks.flatMap(({ block }) => block.inputs));
  const made = new Set(blocks.flatMap(({ block }) => block.outputs));
  const deflated = new Set(packed);
  const row = (tensor: string, block: number): CutRow => ({
    tensor,
    block,
    codec: wire[tensor] ?? codecs[tensor] ?? 'raw',
    deflated: deflated.has(tensor),
  });
  const given = Object.keys(wire).filter((tensor) => !made.has(tensor));
  return [
    ...given.map((tensor) => row(tensor, SUPPLIED)),
    ...blocks.flatMap(({ block }) =>
      block.outputs.filter((tensor) => read.has(tensor)).map((tensor) => row(tensor, block.id)),
    ),
  ];
}

/** Devices that compute something of a draft, in the order of the fleet. */
export function devicesOf({ blocks }: Pick<Draft, 'blocks'>, fleet: Fleet): string[] {
  const used = new Set(blocks.flatMap(({ parts }) => parts.flatMap(({ devices }) => devices)));
  return fleet.devices.map(({ id }) => id).filter((id) => used.has(id));
}

/** Parts that may run on several devices go to the one that has finished first, as late binding does. */
function slowestMs({ parts }: DraftBlock, fleet: Fleet): number {
  const devices = new Map<string, Device>(fleet.devices.map((device) => [device.id, device]));
  const busy = new Map<string, number>();
  for (const { devices: ids, work } of parts) {
    let chosen: string | undefined;
    let end = Number.POSITIVE_INFINITY;
    for (const id of ids) {
      const device = devices.get(id);
      const done = (busy.get(id) ?? 0) + (device === undefined ? 0 : computeMs(device, work));
      if (done < end) [chosen, end] = [id, done];
    }
    if (chosen !== undefined) busy.set(chosen, end);
  }
  return Math.max(0, ...busy.values());
}
