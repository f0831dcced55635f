import { describe, expect, test } from 'vitest';
import { PlanIndex } from '../../../services/core/flow/plan-index.ts';
import type { Plan } from '../../../services/core/schema/generated/plan.ts';
import { gridPlan } from './plans.ts';

const ids = (tasks: readonly { id: string }[]): string[] => tasks.map(({ id }) => id);

describe('PlanIndex', () => {
  const tiles = new PlanIndex(
    gridPlan({
      grids: [
        [2, 1],
        [3, 1],
      ],
    }),
  );

  test('knows who dispatches what', () => {
    expect(ids(tiles.sourceTasks(0))).toEqual(['b0.t0', 'b0.t1']);
    expect(ids(tiles.mergerTasks(0))).toEqual(['b1.t0', 'b1.t1', 'b1.t2']);
    expect(tiles.mergerGathers()).toEqual(['b1.t0', 'b1.t1', 'b1.t2', 'result']);
    expect(tiles.dispatchOf('result')).toBeUndefined();
    expect([tiles.source.id, tiles.sink.id]).toEqual(['input', 'result']);
  });

  test('knows transfers by both ends, each with its identity', () => {
    expect(tiles.transfersTo('b1.t1').map(({ from }) => from)).toEqual(['b0.t0', 'b0.t1']);
    const all = [...tiles.tasks.keys()].flatMap((id) =>
      tiles.transfersFrom(id).map((transfer) => transfer.id),
    );
    expect(all.sort((a, b) => a - b)).toEqual(tiles.plan.transfers.map((_, i) => i));
    expect(tiles.transfersFrom('nobody')).toEqual([]);
  });

  test('sends a tile to the merger once, as the box around all that is needed of it', () => {
    expect(tiles.deliveries('b0.t0', 0)).toEqual([
      {
        to: 'merger',
        pieces: [
          {
            tensor: 't1',
            region: [
              [0, 1],
              [0, 2],
              [0, 6],
              [0, 10],
            ],
          },
        ],
      },
    ]);
  });

  test('sends nothing of the frame to the merger where only first tasks read it', () => {
    expect(tiles.deliveries('input', 0)).toEqual([]);
  });

  test('sends the frame to the merger where a later task reads it too', () => {
    const plan = gridPlan({
      grids: [
        [2, 1],
        [1, 1],
      ],
    });
    const box: [number, number][] = [
      [0, 1],
      [0, 1],
      [2, 5],
      [0, 10],
    ];
    plan.tasks.find(({ id }) => id === 'b1.t0')?.inputs.push({ tensor: 't0', region: box });
    plan.transfers.push({ from: 'input', to: 'b1.t0', tensor: 't0', region: box });
    expect(new PlanIndex(plan).deliveries('input', 0)).toEqual([
      { to: 'merger', pieces: [{ tensor: 't0', region: box }] },
    ]);
  });

  describe('with workers that exchange strips', () => {
    const direct = new PlanIndex(
      gridPlan({
        grids: [
          [2, 1],
          [2, 1],
        ],
        direct: true,
      }),
    );

    test('sends each worker exactly its transfers, also the one that may be itself', () => {
      expect(direct.deliveries('b0.t0', 0)).toEqual([
        {
          to: 'worker',
          worker: 'w0',
          pieces: [
            {
              tensor: 't1',
              region: [
                [0, 1],
                [0, 2],
                [0, 6],
                [0, 10],
              ],
            },
          ],
        },
        {
          to: 'worker',
          worker: 'w1',
          pieces: [
            {
              tensor: 't1',
              region: [
                [0, 1],
                [0, 2],
                [5, 6],
                [0, 10],
              ],
            },
          ],
        },
      ]);
      expect(direct.deliveries('b1.t0', 0)).toHaveLength(1);
    });

    test('sends directly where every transfer of a task to the worker asks for it', () => {
      const plan = gridPlan({
        grids: [
          [2, 1],
          [2, 1],
          [2, 1],
        ],
        direct: true,
      });
      const ways = (): unknown[] =>
        new PlanIndex(plan)
          .deliveries('b1.t0', 0)
          .map((each) => (each.to === 'worker' ? [each.worker, each.direct] : each.to));
      for (const transfer of plan.transfers) if (transfer.to === 'b2.t1') transfer.endpoint = 'w1';
      expect(ways()).toEqual([
        ['w0', undefined],
        ['w1', true],
      ]);
      const [strip] = plan.transfers.filter(({ from, to }) => from === 'b1.t0' && to === 'b2.t1');
      const { endpoint: _, ...byHub } = strip as Plan['transfers'][number];
      plan.transfers.push(byHub);
      expect(ways()).toEqual([
        ['w0', undefined],
        ['w1', undefined],
      ]);
    });

    test('knows what each worker gathers, and leaves the merger the rest', () => {
      expect(direct.workerGathers('w1')).toEqual(['b1.t1']);
      expect(ids(direct.workerTasks('w0', 0))).toEqual(['b1.t0']);
      expect(direct.mergerGathers()).toEqual(['result']);
    });

    test('sends two strips of one tensor to one worker in two messages, and an equal one once', () => {
      const plan = gridPlan({
        grids: [
          [2, 1],
          [2, 1],
        ],
        direct: true,
      });
      for (const task of plan.tasks) if (task.devices !== undefined) task.devices = ['w'];
      const deliveries = new PlanIndex(plan).deliveries('b0.t0', 0);
      expect(deliveries.map((delivery) => delivery.pieces.length)).toEqual([1, 1]);
      for (const [i, transfer] of plan.transfers.entries()) {
        if (transfer.from === 'b0.t0')
          (plan.transfers[i] as { region: unknown }).region = [
            [0, 1],
            [0, 2],
            [5, 6],
            [0, 10],
          ];
      }
      expect(new PlanIndex(plan).deliveries('b0.t0', 0)).toHaveLength(1);
    });
  });

  test('knows which inputs come deflated, and which as pictures: where all that bring them agree', () => {
    const plan = gridPlan({
      grids: [
        [1, 2],
        [1, 1],
      ],
    });
    const into = (to: string) => plan.transfers.filter((each) => each.to === to);
    for (const each of into('b0.t0')) each.codec = 'jpeg';
    for (const each of into('b1.t0')) each.codec = 'deflate';
    const index = new PlanIndex(plan);
    expect([...index.pictureInputs('b0.t0')]).toEqual([['t0', 'jpeg']]);
    expect([...index.packedInputs('b1.t0')]).toEqual(['t1']);
    expect([index.pictureInputs('b0.t1').size, index.packedInputs('b0.t0').size]).toEqual([0, 0]);
    const [first] = into('b1.t0');
    (first as Plan['transfers'][number]).codec = 'uint8+deflate';
    expect(new PlanIndex(plan).packedInputs('b1.t0').size).toBe(0);
  });

  test('knows the codecs that whoever runs a task must take', () => {
    const plan = gridPlan({
      grids: [
        [1, 2],
        [1, 2],
        [1, 2],
      ],
      direct: true,
    });
    const codecs = { 'b0.t0': 'png', 'b0.t1': 'deflate', 'b2.t0': 'uint8' } as const;
    for (const transfer of plan.transfers)
      transfer.codec = codecs[transfer.to as keyof typeof codecs] ?? 'raw';
    const index = new PlanIndex(plan);
    const taken = ['b0.t0', 'b0.t1', 'b1.t0', 'b2.t0'].map((task) => index.codecsTo(task));
    expect(taken).toEqual([['png'], ['deflate'], [], ['uint8']]);
    // What a worker made itself travels in no codec, and a merger sends no pictures.
    for (const transfer of plan.transfers) if (transfer.from === 'b1.t1') transfer.codec = 'raw';
    expect(new PlanIndex(plan).codecsTo('b2.t0')).toEqual([]);
    const merged = gridPlan({
      grids: [
        [1, 1],
        [1, 1],
      ],
    });
    for (const transfer of merged.transfers) transfer.codec = 'png';
    expect(['b0.t0', 'b1.t0'].map((task) => new PlanIndex(merged).codecsTo(task))).toEqual([['png'], []]);
  });

  test('takes the turns of replicas into account', () => {
    const index = new PlanIndex(
      gridPlan({
        grids: [
          [1, 1],
          [1, 1],
        ],
        replicas: 2,
      }),
    );
    expect(ids(index.sourceTasks(4))).toEqual(['b0.t0.r0']);
    expect(ids(index.sourceTasks(5))).toEqual(['b0.t0.r1']);
    expect(ids(index.mergerTasks(5))).toEqual(['b1.t0']);
  });

  test('passes on a codec where all that reads a tensor asks for it', () => {
    const plan = gridPlan({
      grids: [
        [1, 1],
        [2, 1],
      ],
    });
    const fromFirst = plan.transfers.filter(({ from }) => from === 'b0.t0');
    for (const transfer of fromFirst) transfer.codec = 'fp16';
    expect(new PlanIndex(plan).deliveries('b0.t0', 0)[0]?.pieces[0]?.codec).toBe('fp16');
    (fromFirst[0] as { codec: string }).codec = 'raw';
    expect(new PlanIndex(plan).deliveries('b0.t0', 0)[0]?.pieces[0]?.codec).toBeUndefined();
  });
});
