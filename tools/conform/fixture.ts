/**
 * The little pipeline a worker is examined with: one convolution, cut into a small and a large tile; and once more the
 * small one, whose output goes in two strips to a neighbour that gathers them by itself.
 */

import { planDigest, validatePlan } from '../../services/core/flow/plan-index.ts';
import { encodeModel } from '../../services/core/graph/write.ts';
import type { BlobCache } from '../../services/core/runtime/blobs.ts';
import type { Announcement } from '../../services/core/schema/generated/announcement.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import type { Region } from '../../services/core/tensor/region.ts';

export const PIPELINE = 'conform';
/** Height and width of the input; the output is two smaller. The large tile does not fit into one message. */
export const SIDE = 514;
const OUT = SIDE - 2;
const INPUT_CHANNELS = 2;
const OUTPUT_CHANNELS = 3;
/** Output rows of the small tile. */
const SMALL_ROWS = 6;

export const SMALL = 'small';
export const LARGE = 'large';
export const STRIPS = 'strips';
/** What reads the strips, and the worker it is for. */
const BESIDE = 'beside';
export const NEIGHBOUR = 'conform-neighbour';

export interface Fixture {
  readonly announcement: Announcement;
  readonly weights: Float32Array;
  readonly model: string;
}

/** Weights that differ with `variant`, so that the answers of two plans do. */
function makeWeights(variant: number): Float32Array {
  const count = OUTPUT_CHANNELS * INPUT_CHANNELS * 9;
  return Float32Array.from({ length: count }, (_, i) => Math.sin(1 + i * (variant + 1)) / 3);
}

/** The frame every task is cut from: 2 x SIDE x SIDE. */
export function makeFrame(): Float32Array {
  return Float32Array.from(
    { length: INPUT_CHANNELS * SIDE * SIDE },
    (_, i) => Math.sin(i * 0.37) + ((i >> 9) % 7) / 7,
  );
}

/**
 * Puts the sub-model and its weights into the store and makes the announcement of the plan, which uses none but these
 * `codecs`.
 */
export async function makeFixture(
  blobs: BlobCache,
  store: string,
  variant: number,
  codecs: ReadonlySet<string>,
): Promise<Fixture> {
  const weights = makeWeights(variant);
  const file = await blobs.putBytes(new Uint8Array(weights.buffer));
  const bytes = encodeModel({
    opsets: new Map([['', 17]]),
    irVersion: 8,
    nodes: [
      { op: 'Conv', inputs: ['x', 'w'], outputs: ['c'] },
      { op: 'Relu', inputs: ['c'], outputs: ['y'] },
    ],
    inputs: [{ name: 'x', dtype: 'float32', shape: [1, INPUT_CHANNELS, 'h', 'w_'] }],
    outputs: [{ name: 'y', dtype: 'float32', shape: [1, OUTPUT_CHANNELS, 'oh', 'ow'] }],
    externalInitializers: [
      {
        name: 'w',
        dtype: 'float32',
        shape: [OUTPUT_CHANNELS, INPUT_CHANNELS, 3, 3],
        location: file.digest,
        offset: 0,
        length: file.bytes,
      },
    ],
  });
  const model = await blobs.putBytes(bytes);
  const plan = makePlan(model, file, codecs);
  validatePlan(plan);
  const announcement: Announcement = {
    digest: planDigest(plan),
    plan,
    store,
    controller: 'conform',
    settings: {},
    frames: { maxInFlight: 4, maxWaiting: 4, deadlineMs: 30_000, attempts: 1 },
  };
  return { announcement, weights, model: model.digest };
}

type File = Plan['models'][number]['weights'][number];
type Task = Plan['tasks'][number];
type Transfer = Plan['transfers'][number];

function makePlan(model: File, weights: File, codecs: ReadonlySet<string>): Plan {
  const whole = (channels: number, side: number): Task['inputs'][number]['region'] => [
    [0, 1],
    [0, channels],
    [0, side],
    [0, side],
  ];
  const tile = (id: string, index: number, begin: number, end: number): Task => ({
    id,
    kind: 'run',
    block: 0,
    index,
    shape: 'tile',
    model: model.digest,
    inputs: [
      {
        tensor: 'x',
        region: [
          [0, 1],
          [0, INPUT_CHANNELS],
          [begin, end + 2],
          [0, SIDE],
        ],
      },
    ],
    outputs: [
      {
        tensor: 'y',
        region: [
          [0, 1],
          [0, OUTPUT_CHANNELS],
          [begin, end],
          [0, OUT],
        ],
      },
    ],
  });
  const tiles = [tile(SMALL, 0, 0, SMALL_ROWS), tile(LARGE, 1, SMALL_ROWS, OUT)];
  const small = tile(STRIPS, 2, 0, SMALL_ROWS);
  const made = small.outputs as [Task['outputs'][number]];
  const beside: Task = {
    id: BESIDE,
    kind: 'run',
    model: model.digest,
    inputs: made,
    outputs: [{ tensor: 'z', region: whole(OUTPUT_CHANNELS, 1) }],
    devices: [NEIGHBOUR],
    gather: 'worker',
  };
  const input = { tensor: 'x', region: whole(INPUT_CHANNELS, SIDE) };
  const output = { tensor: 'y', region: whole(OUTPUT_CHANNELS, OUT) };
  return {
    format: 1,
    pipeline: PIPELINE,
    model: { digest: model.digest, name: 'conform' },
    inputs: ['x'],
    outputs: ['y'],
    tensors: {
      x: { dtype: 'float32', shape: [1, INPUT_CHANNELS, SIDE, SIDE], spatial: [2, 3] },
      y: { dtype: 'float32', shape: [1, OUTPUT_CHANNELS, OUT, OUT], spatial: [2, 3] },
      z: { dtype: 'float32', shape: [1, OUTPUT_CHANNELS, 1, 1] },
    },
    blocks: [
      {
        id: 0,
        kind: 'tile',
        nodes: 2,
        macs: OUTPUT_CHANNELS * INPUT_CHANNELS * 9 * OUT * OUT,
        weightBytes: weights.bytes,
      },
    ],
    tasks: [
      { id: 'input', kind: 'source', inputs: [], outputs: [input] },
      ...tiles,
      small,
      beside,
      { id: 'result', kind: 'sink', inputs: [output], outputs: [] },
    ],
    transfers: [
      ...[...tiles, small].map(
        (task): Transfer => ({
          from: 'input',
          to: task.id,
          tensor: 'x',
          region: (task.inputs[0] as Task['inputs'][number]).region,
          // It may come deflated, and comes raw to most rules: that is the sender's choice.
          ...(codecs.has('deflate') ? { codec: 'deflate' } : {}),
        }),
      ),
      ...strips(made[0].region, codecs),
      ...tiles.map((task) => ({
        from: task.id,
        to: 'result',
        tensor: 'y',
        region: (task.outputs[0] as Task['outputs'][number]).region,
      })),
    ],
    accuracy: 'budgeted',
    models: [{ digest: model.digest, bytes: model.bytes, weights: [weights] }],
  };
}

/** The left half as it is, the right half as bytes where the worker knows them. */
function strips(region: Transfer['region'], codecs: ReadonlySet<string>): Transfer[] {
  const half = (begin: number, end: number): Transfer => ({
    from: STRIPS,
    to: BESIDE,
    tensor: 'y',
    region: region.with(3, [begin, end]),
  });
  const coded = codecs.has('uint8') ? { codec: 'uint8' as const } : {};
  return [half(0, OUT / 2), { ...half(OUT / 2, OUT), ...coded }];
}

/** The right answer for a region of the output, worked out without any executor. */
export function expected(frame: Float32Array, weights: Float32Array, region: Region): Float32Array {
  const [rowFrom, rowTo] = region[2] as readonly [number, number];
  const [columnFrom, columnTo] = region[3] as readonly [number, number];
  const answer = new Float32Array(OUTPUT_CHANNELS * (rowTo - rowFrom) * (columnTo - columnFrom));
  let at = 0;
  for (let o = 0; o < OUTPUT_CHANNELS; o++) {
    for (let row = rowFrom; row < rowTo; row++) {
      for (let column = columnFrom; column < columnTo; column++)
        answer[at++] = Math.max(0, convolved(frame, weights, o, row, column));
    }
  }
  return answer;
}

function convolved(
  frame: Float32Array,
  weights: Float32Array,
  o: number,
  row: number,
  column: number,
): number {
  let sum = 0;
  for (let i = 0; i < INPUT_CHANNELS; i++) {
    for (let k = 0; k < 9; k++) {
      const value = frame[(i * SIDE + row + Math.floor(k / 3)) * SIDE + column + (k % 3)] as number;
      sum += value * (weights[(o * INPUT_CHANNELS + i) * 9 + k] as number);
    }
  }
  return sum;
}
