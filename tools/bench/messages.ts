/** What messages cost on one core: repartition, encode and decode of a tile of 1 x 64 x 112 x 112 floats (3.2 MB). */

import { median } from '../../services/core/runtime/quantile.ts';
import { copyRegion } from '../../services/core/tensor/copy.ts';
import type { Region } from '../../services/core/tensor/region.ts';
import { whole } from '../../services/core/tensor/region.ts';
import { Assembler } from '../../services/core/wire/assembler.ts';
import { BodyPool } from '../../services/core/wire/body-pool.ts';
import { layoutMessage, parts } from '../../services/core/wire/encode.ts';
import { DEFAULT_MAX_MESSAGE_BYTES } from '../../services/core/wire/limits.ts';
import type { MessageMeta } from '../../services/core/wire/message.ts';

export interface MessageFigures {
  /** Tiles with a halo of 4 cut out of a 2 x 2 grid of tiles, in GB of copied bytes per second. */
  readonly repartitionGBs: number;
  /** Laid out, filled, cut into parts with checksums, in GB of tensor bytes per second. */
  readonly encodeGBs: number;
  /** Parts checked, put together, parsed, in GB of tensor bytes per second. */
  readonly decodeGBs: number;
}

const CHANNELS = 64;
const SIDE = 112;
const HALO = 4;
const SHAPE = [1, CHANNELS, SIDE, SIDE];
const TILE_BYTES = CHANNELS * SIDE * SIDE * 4;
const ROUNDS = 9;
/** Offset of the message id in the envelope. */
const MESSAGE_ID_AT = 20;
const REPEATS = 12;
/** The compiler needs this long to settle, in microseconds of processor time. */
const WARM_UP_US = 500_000;

/** Medians over rounds, after a warm-up that compiles everything, of processor time: "on one core" whatever else runs. */
export async function benchMessages(): Promise<MessageFigures> {
  return {
    repartitionGBs: await medianSpeed(repartition()),
    encodeGBs: await medianSpeed(encode()),
    decodeGBs: await medianSpeed(decode()),
  };
}

/** One measured step, and the bytes it moves. */
interface Step {
  readonly bytes: number;
  run(): void;
}

/** GB per second. */
async function medianSpeed({ bytes, run }: Step): Promise<number> {
  const warmFrom = process.cpuUsage();
  while (process.cpuUsage(warmFrom).user < WARM_UP_US) run();
  const speeds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const from = process.cpuUsage();
    for (let i = 0; i < REPEATS; i++) run();
    const { user, system } = process.cpuUsage(from);
    speeds.push((bytes * REPEATS) / (user + system) / 1000);
    // Lets the collector and other timers have their turn between rounds, as in a service.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return median(speeds);
}

/** Four tiles of 112 x 112 make the inputs of four tiles with a halo: the merger's work between two blocks. */
function repartition(): Step {
  const tile = (row: number, column: number, halo: number): Region => {
    const range = (index: number): [number, number] => [
      Math.max(0, index * SIDE - halo),
      Math.min(2 * SIDE, (index + 1) * SIDE + halo),
    ];
    return [[0, 1], [0, CHANNELS], range(row), range(column)];
  };
  const places = [0, 1].flatMap((row) => [0, 1].map((column) => [row, column] as const));
  const sources = places.map(([row, column]) => ({
    region: tile(row, column, 0),
    bytes: Buffer.alloc(TILE_BYTES, 1),
  }));
  const targets = places.map(([row, column]) => {
    const region = tile(row, column, HALO);
    return { region, bytes: Buffer.alloc(bytesOf(region)) };
  });
  const copies = targets.flatMap((target) =>
    sources.map((source) => ({ source, target, box: commonBox(source.region, target.region) })),
  );
  const run = (): void => {
    for (const { source, target, box } of copies) {
      copyRegion(source.bytes, source.region, target.bytes, target.region, box, 4);
    }
  };
  return { bytes: copies.reduce((sum, { box }) => sum + bytesOf(box), 0), run };
}

const META: MessageMeta = {
  kind: 'data',
  sender: 'bench',
  pipeline: 'bench',
  plan: '0'.repeat(64),
  frame: 'f-1',
  task: 'b0.t0',
  deadlineMs: 1000,
  regions: { map: whole(SHAPE) },
};
const SPEC = { name: 'map', dtype: 'float32', shape: SHAPE } as const;

function encode(): Step {
  const pool = new BodyPool(4 * TILE_BYTES);
  const source = Buffer.alloc(TILE_BYTES, 3);
  const all = whole(SHAPE);
  const run = (): void => {
    const message = layoutMessage(META, [SPEC], pool);
    copyRegion(source, all, message.bytes('map'), all, all, 4);
    parts(message, DEFAULT_MAX_MESSAGE_BYTES, 900);
    message.release();
  };
  return { bytes: TILE_BYTES, run };
}

function decode(): Step {
  const message = layoutMessage(META, [SPEC]);
  message.bytes('map').fill(5);
  const payloads = parts(message, DEFAULT_MAX_MESSAGE_BYTES);
  const assembler = new Assembler({ now: () => 0 });
  let id = 0n;
  const run = (): void => {
    id++;
    for (const payload of payloads) {
      // A message of its own each time, or the assembler takes it for a duplicate.
      payload.writeBigUInt64LE(id, MESSAGE_ID_AT);
      assembler.accept('bench', payload)?.release();
    }
    if (assembler.counters().messages !== Number(id)) throw new Error('a message was not put together');
  };
  return { bytes: TILE_BYTES, run };
}

function bytesOf(region: Region): number {
  return region.reduce((product, [begin, end]) => product * (end - begin), 4);
}

function commonBox(a: Region, b: Region): Region {
  return a.map(([begin, end], axis) => {
    const [from, to] = b[axis] as readonly [number, number];
    return [Math.max(begin, from), Math.min(end, to)] as const;
  });
}
