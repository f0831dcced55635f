import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { describeMissing, Gather, type ReadyTask } from '../../../services/core/flow/gather.ts';
import { PlanIndex, type Task, validatePlan } from '../../../services/core/flow/plan-index.ts';
import type { Plan } from '../../../services/core/schema/generated/plan.ts';
import { copyRegion } from '../../../services/core/tensor/copy.ts';
import { extents, type Region, volume, whole } from '../../../services/core/tensor/region.ts';
import type { Piece } from '../../../services/core/wire/message.ts';
import { frameBytes, gridPlan } from './plans.ts';

/** Inputs in plain memory. */
class Inputs {
  readonly memory: Map<string, Uint8Array>;

  constructor(task: Task) {
    this.memory = new Map(
      task.inputs.map(({ tensor, region }) => [tensor, new Uint8Array(volume(region) * 4)]),
    );
  }

  write(tensor: string): Uint8Array {
    return this.memory.get(tensor) as Uint8Array;
  }
}

const piece = (name: string, region: Region, bytes: Uint8Array): Piece => ({
  tensor: { name, dtype: 'int32', shape: extents(region), bytes },
  region,
});

/** What a task makes of its input: the region of its output, cut out. */
function run(task: Task, inputs: Inputs): Piece[] {
  const [input] = task.inputs as [Task['inputs'][0]];
  return task.outputs.map(({ tensor, region }) => {
    const bytes = new Uint8Array(volume(region) * 4);
    copyRegion(inputs.write(input.tensor), input.region, bytes, region, region, 4);
    return piece(tensor, region, bytes);
  });
}

/** The part of `from` that is `region`. */
function crop(from: Piece, region: Region): Piece {
  const bytes = new Uint8Array(volume(region) * 4);
  copyRegion(from.tensor.bytes, from.region, bytes, region, region, 4);
  return piece(from.tensor.name, region, bytes);
}

function gatherer(plan: Plan, tasks: readonly string[], options: { maxFrames?: () => number } = {}) {
  const evicted: string[] = [];
  const gather = new Gather<Inputs>({
    index: new PlanIndex(plan),
    tasks,
    allocate: (_, task) => new Inputs(task),
    onEvict: (frame, missing) => evicted.push(`${frame.id}: ${describeMissing(missing)}`),
    ...options,
  });
  return { gather, evicted };
}

const f = (sequence = 0, id = `f${sequence}`) => ({ id, sequence });

describe('gather', () => {
  const plan = gridPlan({
    grids: [
      [2, 1],
      [2, 2],
    ],
  });
  const index = new PlanIndex(plan);
  const t1 = (task: string): Piece[] => {
    const region = index.tasks.get(task)?.outputs[0]?.region as Region;
    return [crop(piece('t1', whole([1, 2, 12, 10]), frameBytes(plan)), region)];
  };

  test('makes each task ready once, with the last of its rectangles', () => {
    const { gather } = gatherer(plan, index.mergerGathers());
    expect(gather.accept(f(), 'b0.t0', t1('b0.t0')).map(({ task }) => task.id)).toEqual([]);
    const ready = gather.accept(f(), 'b0.t1', t1('b0.t1'));
    expect(ready.map(({ task }) => task.id)).toEqual(['b1.t0', 'b1.t1', 'b1.t2', 'b1.t3']);
    expect(gather.accept(f(), 'b0.t1', t1('b0.t1'))).toEqual([]);
    expect(gather.counters().duplicates).toBe(4);
    expect(gather.has('f0')).toBe(true);
  });

  test('is not completed by the same data twice', () => {
    const { gather } = gatherer(plan, index.mergerGathers());
    for (let i = 0; i < 5; i++) expect(gather.accept(f(), 'b0.t0', t1('b0.t0'))).toEqual([]);
    expect(gather.missing('f0').map(({ task }) => task)).toEqual([
      'b1.t0',
      'b1.t1',
      'b1.t2',
      'b1.t3',
      'result',
    ]);
    expect(gather.missing('f0')[0]?.transfers).toEqual([
      {
        from: 'b0.t1',
        tensor: 't1',
        region: [
          [0, 1],
          [0, 2],
          [6, 7],
          [0, 6],
        ],
      },
    ]);
    expect(describeMissing(gather.missing('f0'), 2)).toBe(
      'no data from b0.t1, b1.t0 and 3 more; waiting: b1.t0, b1.t1',
    );
  });

  test('a duplicate does not touch memory that was handed over', () => {
    const { gather } = gatherer(plan, index.mergerGathers());
    gather.accept(f(), 'b0.t0', t1('b0.t0'));
    const ready = gather.accept(f(), 'b0.t1', t1('b0.t1'));
    const [first] = ready as [ReadyTask<Inputs>];
    first.inputs.write('t1').fill(9);
    gather.accept(f(), 'b0.t0', t1('b0.t0'));
    expect(first.inputs.write('t1').every((byte) => byte === 9)).toBe(true);
  });

  test('takes the pieces of one task in several messages', () => {
    const { gather } = gatherer(plan, ['b1.t0']);
    const [all] = t1('b0.t0') as [Piece];
    expect(
      gather.accept(f(), 'b0.t1', [
        crop(t1('b0.t1')[0] as Piece, [
          [0, 1],
          [0, 2],
          [6, 7],
          [0, 6],
        ]),
      ]),
    ).toEqual([]);
    expect(
      gather.accept(f(), 'b0.t0', [
        crop(all, [
          [0, 1],
          [0, 2],
          [0, 6],
          [0, 6],
        ]),
      ]),
    ).toHaveLength(1);
  });

  test.each<[string, string, number, (right: Piece) => Piece]>([
    ['unknown-task', 'nobody', 0, (right) => right],
    ['unknown-task', 'result', 0, (right) => right],
    ['unknown-tensor', 'b0.t0', 0, (right) => ({ ...right, tensor: { ...right.tensor, name: 't9' } })],
    [
      'unknown-tensor',
      'b0.t0',
      0,
      (right) => ({ ...right, tensor: { ...right.tensor, name: 'constructor' } }),
    ],
    ['unknown-tensor', 'b0.t0', 0, (right) => ({ ...right, tensor: { ...right.tensor, name: 't2' } })],
    ['wrong-type', 'b0.t0', 0, (right) => ({ ...right, tensor: { ...right.tensor, dtype: 'float32' } })],
    [
      'wrong-shape',
      'b0.t0',
      0,
      (right) => ({
        ...right,
        region: [
          [0, 1],
          [0, 2],
          [0, 7],
          [0, 10],
        ],
      }),
    ],
    [
      'wrong-shape',
      'b0.t0',
      0,
      (right) => ({
        ...right,
        region: [
          [0, 1],
          [0, 2],
          [0, 6],
        ],
      }),
    ],
    [
      'wrong-shape',
      'b0.t0',
      0,
      (right) => ({
        ...right,
        region: [
          [0, 1],
          [0, 2],
          [10, 16],
          [0, 10],
        ],
      }),
    ],
    [
      'wrong-shape',
      'b0.t0',
      0,
      (right) => ({ ...right, tensor: { ...right.tensor, bytes: right.tensor.bytes.subarray(4) } }),
    ],
    [
      'uncovered',
      'b0.t0',
      0,
      (right) =>
        crop(right, [
          [0, 1],
          [0, 2],
          [0, 1],
          [0, 10],
        ]),
    ],
  ])('rejects a stranger: %s from %s', (reason, from, sequence, spoil) => {
    const { gather } = gatherer(plan, index.mergerGathers());
    expect(gather.accept(f(sequence), from, [spoil(t1('b0.t0')[0] as Piece)])).toEqual([]);
    expect(gather.counters().rejected).toEqual({ [reason]: 1 });
    expect(gather.frames).toEqual([]);
  });

  test('takes each frame from its own replica only', () => {
    const twice = gridPlan({
      grids: [
        [1, 1],
        [1, 1],
      ],
      replicas: 2,
    });
    const { gather } = gatherer(twice, ['b1.t0']);
    const data = [piece('t1', whole([1, 2, 12, 10]), frameBytes(twice))];
    expect(gather.accept(f(1), 'b0.t0.r0', data)).toEqual([]);
    expect(gather.counters().rejected).toEqual({ 'wrong-turn': 1 });
    expect(gather.accept(f(1), 'b0.t0.r1', data).map(({ task }) => task.id)).toEqual(['b1.t0']);
  });

  test('a task that needs no input is ready when the frame begins', () => {
    const free = gridPlan({
      grids: [
        [1, 1],
        [1, 1],
      ],
      halo: 0,
    });
    const task = free.tasks.find(({ id }) => id === 'b1.t0') as Task;
    task.inputs = [];
    free.transfers = free.transfers.filter(({ to }) => to !== 'b1.t0');
    const { gather } = gatherer(free, ['b1.t0', 'result']);
    expect(gather.open(f()).map((ready) => ready.task.id)).toEqual(['b1.t0']);
    expect(gather.open(f())).toEqual([]);
  });

  test('late data is counted, and a frame begun anew starts from nothing', () => {
    const { gather } = gatherer(plan, ['b1.t0']);
    gather.accept(f(), 'b0.t0', t1('b0.t0'));
    expect(gather.accept(f(), 'b0.t1', t1('b0.t1'))).toHaveLength(1);
    expect(gather.has('f0')).toBe(false);
    expect(gather.hasEnded('f0')).toBe(true);
    gather.accept(f(), 'b0.t0', t1('b0.t0'));
    expect(gather.counters().late).toBe(1);
    gather.open(f());
    expect(gather.accept(f(), 'b0.t0', t1('b0.t0'))).toEqual([]);
    expect(gather.accept(f(), 'b0.t1', t1('b0.t1'))).toHaveLength(1);
  });

  test('holds a bounded number of frames and names the hole of the one it gives up', () => {
    let most = 2;
    const { gather, evicted } = gatherer(plan, ['b1.t0'], { maxFrames: () => most });
    for (let i = 0; i < 3; i++) gather.accept(f(i), 'b0.t0', t1('b0.t0'));
    expect(evicted).toEqual(['f0: no data from b0.t1; waiting: b1.t0']);
    expect(gather.frames.map(({ id }) => id)).toEqual(['f1', 'f2']);
    expect(gather.counters().evicted).toBe(1);
    gather.drop('f1');
    expect(gather.frames.map(({ id }) => id)).toEqual(['f2']);
    // The bound may change while frames are under way.
    most = 4;
    for (let i = 3; i < 6; i++) gather.accept(f(i), 'b0.t0', t1('b0.t0'));
    expect(gather.frames.map(({ id }) => id)).toEqual(['f2', 'f3', 'f4', 'f5']);
    most = 1;
    gather.accept(f(6), 'b0.t0', t1('b0.t0'));
    expect(gather.frames.map(({ id }) => id)).toEqual(['f6']);
    expect(gather.counters().evicted).toBe(5);
  });

  test('remembers a bounded number of ended frames', () => {
    const { gather } = gatherer(plan, ['b1.t0']);
    for (let i = 0; i < 1030; i++) {
      gather.open(f(i));
      gather.drop(`f${i}`);
    }
    expect(gather.hasEnded('f0')).toBe(false);
    expect(gather.hasEnded('f1029')).toBe(true);
  });
});

describe('whole frames', () => {
  const grids = fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })), {
    minLength: 1,
    maxLength: 3,
  });

  test('arrive unchanged through any grids, halos and order of arrival, through the merger or from worker to worker', () => {
    fc.assert(
      fc.property(
        grids,
        fc.integer({ min: 5, max: 13 }),
        fc.integer({ min: 5, max: 13 }),
        fc.nat(3),
        fc.boolean(),
        fc.infiniteStream(fc.nat()),
        (layers, height, width, halo, direct, random) => {
          const plan = gridPlan({ grids: layers, height, width, halo, direct });
          validatePlan(plan);
          expect(simulate(plan, () => random.next().value as number)).toEqual([...frameBytes(plan, 3)]);
        },
      ),
      { numRuns: 150 },
    );
  });

  /** Every role's gathering at work; messages wait in one bag and are drawn at random, some of them twice. */
  function simulate(plan: Plan, random: () => number): number[] {
    const index = new PlanIndex(plan);
    const places = new Map<string, Gather<Inputs>>();
    places.set('merger', gatherer(plan, index.mergerGathers()).gather);
    for (let i = 0; i < 9; i++) places.set(`w${i}`, gatherer(plan, index.workerGathers(`w${i}`)).gather);
    const bag: { to: string; from: string; pieces: Piece[] }[] = [];
    const deliver = (task: string, outputs: readonly Piece[]): void => {
      for (const delivery of index.deliveries(task, 0)) {
        const pieces = delivery.pieces.map(({ tensor, region }) =>
          crop(outputs.find((output) => output.tensor.name === tensor) as Piece, region),
        );
        bag.push({ to: delivery.to === 'merger' ? 'merger' : delivery.worker, from: task, pieces });
      }
    };
    const frame = piece('t0', whole(plan.tensors.t0?.shape ?? []), frameBytes(plan, 3));
    deliver(index.source.id, [frame]);
    for (const task of index.sourceTasks(0)) {
      const inputs = new Inputs(task);
      for (const { tensor, region } of task.inputs)
        inputs.write(tensor).set(crop(frame, region).tensor.bytes);
      deliver(task.id, run(task, inputs));
    }
    let result: number[] = [];
    while (bag.length > 0) {
      const at = random() % bag.length;
      const message = bag[at] as (typeof bag)[0];
      if (random() % 4 > 0) bag.splice(at, 1);
      for (const { task, inputs } of places.get(message.to)?.accept(f(), message.from, message.pieces) ??
        []) {
        if (task.kind === 'sink') {
          expect(result).toEqual([]);
          result = [...inputs.write(plan.outputs[0] as string)];
        } else deliver(task.id, run(task, inputs));
      }
    }
    return result;
  }
});
