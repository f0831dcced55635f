/** Fleets and plans with round figures, so that a test can say what a simulation must answer. */

import type { Device, Fleet, Hub, Medium } from '../../../../services/core/planning/cost/fleet.ts';
import type { DraftBlock, DraftPart } from '../../../../services/core/planning/draft.ts';
import type { Region } from '../../../../services/core/tensor/region.ts';

export interface HandMadePart {
  /** Milliseconds on a device of speed 1. */
  readonly ms: number;
  readonly devices: readonly string[];
  readonly bytesIn?: number;
  readonly bytesOut?: number;
  /** Regions; absent: it waits for the whole block before. */
  readonly reads?: Readonly<Record<string, Region>>;
  readonly makes?: Readonly<Record<string, Region>>;
}

/** Blocks of parts. */
export function plan(...blocks: readonly (readonly HandMadePart[])[]): DraftBlock[] {
  return blocks.map((parts, id) => ({
    block: { id, kind: 'tile', nodes: [], inputs: [], outputs: [] },
    mode: parts.length > 1 ? 'tile' : 'whole',
    parts: parts.map((part, index) => draftPart(part, id, index)),
  }));
}

function draftPart(part: HandMadePart, block: number, index: number): DraftPart {
  const { ms, devices, bytesIn = 0, bytesOut = 0, reads = {}, makes = {} } = part;
  return {
    tile: {
      block,
      index,
      inputs: new Map(Object.entries(reads)),
      outputs: new Map(Object.entries(makes)),
      pattern: '',
      macs: 0,
    },
    devices,
    work: [{ kind: 'Anything', runs: ms, macs: 0, bytes: 0, weights: 0 }],
    bytesIn,
    bytesOut,
    activationBytes: 0,
    weightBytes: 0,
  };
}

/** A device that takes `slowness` milliseconds for what one of speed 1 does in one. */
export function device(id: string, medium?: string, slowness = 1, byteMs = 0): Device {
  return {
    id,
    kinds: new Map([['other', { run: slowness, mac: 0, byte: 0, weight: 0 }]]),
    taskMs: 0,
    byteMs,
    memoryBytes: Number.POSITIVE_INFINITY,
    idleBytes: 0,
    ...(medium === undefined ? {} : { medium }),
    estimated: false,
  };
}

export function medium(
  name: string,
  bytesPerMs: number,
  duplex: 'half' | 'full' = 'full',
  latencyMs = 0,
): Medium {
  return { name, bytesPerMs, duplex, latencyMs };
}

export function fleet(
  devices: readonly Device[],
  media: readonly Medium[] = [],
  hub: Partial<Hub> = {},
): Fleet {
  return {
    hub: { messageMs: 0, byteMs: 0, ...hub },
    media: new Map(media.map((one) => [one.name, one])),
    devices,
  };
}

/** `count` equal devices `d0`, `d1`, ..., each on a full-duplex medium of its own. */
export function wired(count: number, bytesPerMs: number, hub: Partial<Hub> = {}): Fleet {
  const names = Array.from({ length: count }, (_, at) => at);
  return fleet(
    names.map((at) => device(`d${at}`, `m${at}`)),
    names.map((at) => medium(`m${at}`, bytesPerMs)),
    hub,
  );
}
