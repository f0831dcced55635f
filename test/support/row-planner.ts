/** A planner for tests: a model's blocks in rows, one per device, as high as the device is fast. */

import type { OpenedModel } from '../../services/controller/prepare.ts';
import { type ChosenBlock, chooseBlocks } from '../../services/core/planning/choose-blocks.ts';
import { computeMs, type Device, type Fleet } from '../../services/core/planning/cost/fleet.ts';
import type { Work } from '../../services/core/planning/cost/work.ts';
import type { Draft, DraftBlock, DraftPart } from '../../services/core/planning/draft.ts';
import { bandCover, gridCover } from '../../services/core/tiling/cover.ts';
import { tileBlock } from '../../services/core/tiling/tile-block.ts';
import type { Tile } from '../../services/core/tiling/types.ts';

/** A device whose speed is not known: factors tell. */
export function rowDevice(id: string): Device {
  return {
    id,
    kinds: new Map([['other', { run: 0, mac: 1e-7, byte: 0, weight: 0 }]]),
    taskMs: 0.5,
    byteMs: 0,
    memoryBytes: Number.POSITIVE_INFINITY,
    idleBytes: 0,
    estimated: true,
  };
}

export function rowFleet(ids: readonly string[]): Fleet {
  return { hub: { messageMs: 0, byteMs: 0 }, media: new Map(), devices: ids.map(rowDevice) };
}

const workOf = (macs: number): Work => [{ kind: 'other', runs: 1, macs, bytes: 0, weights: 0 }];

/** A share smaller than this part of the largest could be lower than the halo: another pad pattern. */
const SLOWEST = 6;

export class RowPlanner {
  readonly #model: OpenedModel;
  readonly #chosen: readonly ChosenBlock[];

  /** The blocks are those of `most` equal rows, whatever the devices: only the sizes of the tiles change. */
  constructor(model: OpenedModel, most: number) {
    this.#model = model;
    this.#chosen = chooseBlocks(model.graph, model.analysis, gridCover(most, 1));
  }

  readonly plan = (fleet: Fleet): Draft => {
    const { graph, analysis } = this.#model;
    const times = fleet.devices.map((device) => computeMs(device, workOf(1e9)));
    const fastest = Math.min(...times);
    const shares = times.map((ms) => ({ share: fastest / Math.min(ms, SLOWEST * fastest), columns: [1] }));
    const blocks = this.#chosen.map(({ block, parts }): DraftBlock => {
      const tiles = block.kind === 'tile' ? tileBlock(graph, analysis, block, bandCover(shares)) : parts;
      const mode = block.kind === 'tile' && tiles.length > 1 ? 'tile' : 'whole';
      return { block, mode, parts: tiles.map((tile, i) => part(tile, fleet.devices[i] as Device)) };
    });
    const predicted = {
      ...this.predict({ blocks }, fleet),
      bytesPerFrame: 0,
      bottleneck: '',
      memoryBytes: {},
    };
    return { strategy: 'parallel', blocks, inFlight: 1, predicted };
  };

  readonly predict = ({ blocks }: Pick<Draft, 'blocks'>, fleet: Fleet) => {
    const ms = ({ devices, work }: DraftPart): number => {
      const device = fleet.devices.find(({ id }) => id === devices[0]);
      return device === undefined ? Number.POSITIVE_INFINITY : computeMs(device, work);
    };
    const latencyMs = blocks.reduce((sum, { parts }) => sum + Math.max(...parts.map(ms)), 0);
    return { latencyMs, framesPerSecond: 1000 / latencyMs };
  };
}

function part(tile: Tile, { id }: Device): DraftPart {
  const sizes = { bytesIn: 0, bytesOut: 0, activationBytes: 0, weightBytes: 0 };
  return { tile, devices: [id], work: workOf(tile.macs), ...sizes };
}

/** Multiply-accumulates of a draft by device. */
export function loadOf({ blocks }: Draft): Record<string, number> {
  const load: Record<string, number> = {};
  for (const { tile, devices } of blocks.flatMap(({ parts }) => parts)) {
    const [id = ''] = devices;
    load[id] = (load[id] ?? 0) + tile.macs;
  }
  return load;
}
