/** Plans for tests: maps of numbers cut into tiles whose tasks pass on the middle of what they read. */

import type { Plan } from '../../../services/core/schema/generated/plan.ts';
import { intersect, type Range, type Region } from '../../../services/core/tensor/region.ts';

type Task = Plan['tasks'][number];

export interface GridOptions {
  readonly height?: number;
  readonly width?: number;
  /** Rows and columns of tiles, one pair per block. */
  readonly grids: readonly (readonly [rows: number, columns: number])[];
  /** Extra rows and columns every tile reads. */
  readonly halo?: number;
  /** Blocks after the first are gathered by the workers w0, w1, ... of their tiles. */
  readonly direct?: boolean;
  /** The first block exists once per replica. */
  readonly replicas?: number;
}

export const digest = (letter: string): string => letter.repeat(64);

const cut = (extent: number, count: number, index: number): Range => [
  Math.floor((extent * index) / count),
  Math.floor((extent * (index + 1)) / count),
];

const mutable = (region: Region): [number, number][] => region.map(([begin, end]) => [begin, end]);

/** source -> grids of tiles, one per block -> sink; tensors t0 (the frame's) to tN (the result), of int32. */
export function gridPlan({
  height = 12,
  width = 10,
  grids,
  halo = 1,
  direct = false,
  replicas,
}: GridOptions): Plan {
  const shape = [1, 2, height, width];
  const whole = mutable(shape.map((extent) => [0, extent] as const));
  const tasks: Task[] = [
    { id: 'input', kind: 'source', inputs: [], outputs: [{ tensor: 't0', region: whole }] },
  ];
  for (const [block, [rows, columns]] of grids.entries()) {
    for (let replica = 0; replica < (block === 0 ? (replicas ?? 1) : 1); replica++) {
      for (let index = 0; index < rows * columns; index++) {
        const spatial = [
          cut(height, rows, Math.floor(index / columns)),
          cut(width, columns, index % columns),
        ];
        const wider = spatial.map(([begin, end], axis): Range => {
          return [Math.max(0, begin - halo), Math.min(axis === 0 ? height : width, end + halo)];
        });
        const regionOf = (ranges: readonly Range[]): [number, number][] =>
          mutable([[0, 1], [0, 2], ...ranges]);
        tasks.push({
          id: `b${block}.t${index}${replicas !== undefined && block === 0 ? `.r${replica}` : ''}`,
          kind: 'run',
          block,
          index,
          shape: 'tile',
          model: digest('a'),
          inputs: [{ tensor: `t${block}`, region: regionOf(wider) }],
          outputs: [{ tensor: `t${block + 1}`, region: regionOf(spatial) }],
          ...(direct && block > 0 ? { gather: 'worker' as const, devices: [`w${index}`] } : {}),
          ...(replicas !== undefined && block === 0 ? { replica } : {}),
        });
      }
    }
  }
  const last = `t${grids.length}`;
  tasks.push({ id: 'result', kind: 'sink', inputs: [{ tensor: last, region: whole }], outputs: [] });
  return {
    format: 1,
    pipeline: 'test',
    model: { digest: digest('0'), name: 'test' },
    inputs: ['t0'],
    outputs: [last],
    tensors: Object.fromEntries(
      [...grids.keys(), grids.length].map((i) => [
        `t${i}`,
        { dtype: 'int32' as const, shape, spatial: [2, 3] },
      ]),
    ),
    blocks: grids.map((_, id) => ({ id, kind: 'tile' as const, nodes: 1, macs: 1, weightBytes: 0 })),
    tasks,
    transfers: connect(tasks),
    models: [{ digest: digest('a'), bytes: 1, weights: [] }],
    ...(replicas === undefined ? {} : { replicas }),
  };
}

function connect(tasks: readonly Task[]): Plan['transfers'] {
  const transfers: Plan['transfers'] = [];
  for (const to of tasks) {
    for (const need of to.inputs) {
      for (const from of tasks) {
        for (const made of from.outputs) {
          const region = made.tensor === need.tensor ? intersect(made.region, need.region) : undefined;
          if (region !== undefined)
            transfers.push({ from: from.id, to: to.id, tensor: need.tensor, region: mutable(region) });
        }
      }
    }
  }
  return transfers;
}

/** The frame's tensor: every element its own number. */
export function frameBytes(plan: Plan, seed = 0): Uint8Array {
  const elements = (plan.tensors.t0?.shape ?? []).reduce((a, b) => a * b, 1);
  return new Uint8Array(Int32Array.from({ length: elements }, (_, i) => i + 1 + seed * 100_000).buffer);
}
