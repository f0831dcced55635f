/** Small plans for worker tests. */

import { encodeModel } from '../../services/core/graph/write.ts';
import type { BlobCache } from '../../services/core/runtime/blobs.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import type { MessageMeta, TensorData } from '../../services/core/wire/message.ts';
import { tensor } from './models.ts';

type Task = Plan['tasks'][number];
type Transfer = Plan['transfers'][number];

const WIDTH = 8;
export const rows = (begin: number, end: number): [number, number][] => [
  [begin, end],
  [0, WIDTH],
];

/** A sub-model of one operator between two of the plan's tensors. */
export async function model(
  shelf: BlobCache,
  from: string,
  to: string,
  op: 'Neg' | 'Abs' | 'Identity',
): Promise<Plan['models'][number]> {
  const bytes = encodeModel({
    opsets: new Map([['', 17]]),
    irVersion: 8,
    nodes: [{ op, inputs: [from], outputs: [to] }],
    inputs: [{ name: from, dtype: 'float32', shape: ['r', WIDTH] }],
    outputs: [{ name: to, dtype: 'float32', shape: ['r', WIDTH] }],
  });
  return { ...(await shelf.putBytes(bytes)), weights: [] };
}

export interface Step {
  readonly task: Task;
  readonly from: readonly { readonly task: string; readonly region: [number, number][] }[];
}

/** A plan over tensors x -> (y ->) z of 8 rows; transfers follow from the steps. */
export function planOf(
  steps: readonly Step[],
  models: Plan['models'],
  sinkTensor: string,
  pipeline = 'p',
): Plan {
  const names = ['x', ...new Set(steps.flatMap(({ task }) => task.outputs.map((piece) => piece.tensor)))];
  const transfers: Transfer[] = [];
  for (const { task, from } of steps) {
    const name = task.inputs[0]?.tensor as string;
    for (const { task: producer, region } of from)
      transfers.push({ from: producer, to: task.id, tensor: name, region });
  }
  for (const { task } of steps) {
    for (const { tensor: name, region } of task.outputs) {
      if (name === sinkTensor) transfers.push({ from: task.id, to: 'result', tensor: name, region });
    }
  }
  return {
    format: 1,
    pipeline,
    model: { digest: '0'.repeat(64), name: 'test' },
    inputs: ['x'],
    outputs: [sinkTensor],
    tensors: Object.fromEntries(
      names.map((name) => [name, { dtype: 'float32', shape: [8, WIDTH], spatial: [0, 1] }]),
    ),
    blocks: [0, 1].map((id) => ({ id, kind: 'tile', nodes: 1, macs: 0, weightBytes: 0 })),
    tasks: [
      { id: 'input', kind: 'source', inputs: [], outputs: [{ tensor: 'x', region: rows(0, 8) }] },
      ...steps.map(({ task }) => task),
      { id: 'result', kind: 'sink', inputs: [{ tensor: sinkTensor, region: rows(0, 8) }], outputs: [] },
    ],
    transfers,
    models,
  };
}

export function run(
  id: string,
  block: number,
  index: number,
  digest: string,
  from: [string, number, number],
  to: [string, number, number],
  more: Partial<Task> = {},
): Task {
  return {
    id,
    kind: 'run',
    block,
    index,
    shape: 'tile',
    model: digest,
    inputs: [{ tensor: from[0], region: rows(from[1], from[2]) }],
    outputs: [{ tensor: to[0], region: rows(to[1], to[2]) }],
    ...more,
  };
}

/** Two tiles of one block, each negating its half. */
export async function twoTiles(shelf: BlobCache, op: 'Neg' | 'Abs' = 'Neg', pipeline = 'p'): Promise<Plan> {
  const files = await model(shelf, 'x', 'z', op);
  const tile = (id: string, index: number, begin: number, end: number): Step => ({
    task: run(id, 0, index, files.digest, ['x', begin, end], ['z', begin, end]),
    from: [{ task: 'input', region: rows(begin, end) }],
  });
  return planOf([tile('t0', 0, 0, 3), tile('t1', 1, 3, 8)], [files], 'z', pipeline);
}

const value = (row: number, column: number): number => row * 10 + column + 1;
export function frameRows(name: string, begin: number, end: number, sign = 1): TensorData {
  const data = Float32Array.from(
    { length: (end - begin) * WIDTH },
    (_, i) => sign * value(begin + Math.floor(i / WIDTH), i % WIDTH),
  );
  return tensor(name, 'float32', [end - begin, WIDTH], data);
}

export function taskMeta(
  plan: string,
  task: string,
  frame: string,
  more: Partial<MessageMeta> = {},
): MessageMeta {
  return {
    kind: 'task',
    sender: 's',
    pipeline: 'p',
    plan,
    frame,
    sequence: 0,
    task,
    reply: 'tilepipe/splitter/s/in',
    merger: 'tilepipe/merger/m/in',
    splitter: 'tilepipe/splitter/s/in',
    deadlineMs: 20_000,
    ...more,
  };
}

/** Two blocks of two tiles: the second reads a strip of the neighbour's, which travels directly. */
export async function haloPlan(
  shelf: BlobCache,
  codec: 'raw' | 'fp16' | 'uint8' | 'uint8+deflate' = 'raw',
): Promise<Plan> {
  const head = await model(shelf, 'x', 'y', 'Neg');
  const tail = await model(shelf, 'y', 'z', 'Abs');
  const own = (device: string): Partial<Task> => ({ devices: [device] });
  const gathered = (device: string): Partial<Task> => ({ devices: [device], gather: 'worker' });
  const plan = planOf(
    [
      {
        task: run('a0', 0, 0, head.digest, ['x', 0, 4], ['y', 0, 4], own('left')),
        from: [{ task: 'input', region: rows(0, 4) }],
      },
      {
        task: run('a1', 0, 1, head.digest, ['x', 4, 8], ['y', 4, 8], own('right')),
        from: [{ task: 'input', region: rows(4, 8) }],
      },
      {
        task: run('b0', 1, 0, tail.digest, ['y', 0, 5], ['z', 0, 5], gathered('left')),
        from: [
          { task: 'a0', region: rows(0, 4) },
          { task: 'a1', region: rows(4, 5) },
        ],
      },
      {
        task: run('b1', 1, 1, tail.digest, ['y', 3, 8], ['z', 3, 8], gathered('right')),
        from: [
          { task: 'a0', region: rows(3, 4) },
          { task: 'a1', region: rows(4, 8) },
        ],
      },
    ],
    [head, tail],
    'z',
  );
  const transfers = plan.transfers.map((transfer) =>
    transfer.tensor === 'y' ? { ...transfer, codec } : transfer,
  );
  return { ...plan, transfers, ...(codec === 'raw' ? {} : { accuracy: 'budgeted' as const }) };
}
