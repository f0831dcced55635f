import { describe, expect, test } from 'vitest';
import { canonicalJson, planDigest, validatePlan } from '../../../services/core/flow/plan-index.ts';
import type { TilepipeError } from '../../../services/core/runtime/errors.ts';
import type { Plan } from '../../../services/core/schema/generated/plan.ts';
import { digest, gridPlan } from './plans.ts';

type Task = Plan['tasks'][number];
const task = (plan: Plan, id: string): Task => plan.tasks.find((candidate) => candidate.id === id) as Task;
const transfer = (plan: Plan, from: string, to: string) =>
  plan.transfers.find(
    (candidate) => candidate.from === from && candidate.to === to,
  ) as Plan['transfers'][number];

describe('validatePlan', () => {
  test.each([
    [
      'tiles',
      gridPlan({
        grids: [
          [2, 2],
          [3, 1],
        ],
      }),
    ],
    [
      'direct exchange',
      gridPlan({
        grids: [
          [2, 1],
          [2, 1],
          [2, 1],
        ],
        direct: true,
      }),
    ],
    [
      'replicas',
      gridPlan({
        grids: [
          [2, 1],
          [1, 1],
        ],
        replicas: 3,
      }),
    ],
    ['one task', gridPlan({ grids: [[1, 1]], halo: 0 })],
  ])('takes %s', (_, plan) => {
    expect(() => validatePlan(plan)).not.toThrow();
  });

  test('takes transfers that overlap', () => {
    const plan = gridPlan({
      grids: [
        [2, 1],
        [2, 1],
      ],
      halo: 0,
    });
    task(plan, 'b0.t0').outputs = [
      {
        tensor: 't1',
        region: [
          [0, 1],
          [0, 2],
          [0, 7],
          [0, 10],
        ],
      },
    ];
    task(plan, 'b1.t0').inputs = [
      {
        tensor: 't1',
        region: [
          [0, 1],
          [0, 2],
          [0, 7],
          [0, 10],
        ],
      },
    ];
    transfer(plan, 'b0.t0', 'b1.t0').region = [
      [0, 1],
      [0, 2],
      [0, 7],
      [0, 10],
    ];
    plan.transfers.push({
      from: 'b0.t1',
      to: 'b1.t0',
      tensor: 't1',
      region: [
        [0, 1],
        [0, 2],
        [6, 7],
        [0, 10],
      ],
    });
    expect(() => validatePlan(plan)).not.toThrow();
  });

  test.each<[string, (plan: Plan) => void, RegExp]>([
    [
      'an id used twice',
      (plan) => void plan.tasks.push({ ...task(plan, 'b0.t0') }),
      /task b0\.t0: the id is used twice/,
    ],
    ['no sink', (plan) => void plan.tasks.pop(), /0 of kind sink/],
    [
      'two sources',
      (plan) => void plan.tasks.push({ ...task(plan, 'input'), id: 'other' }),
      /2 of kind source/,
    ],
    [
      'a source with inputs',
      (plan) => (task(plan, 'input').inputs = task(plan, 'input').outputs),
      /a source has no inputs/,
    ],
    [
      'a sink of part of the output',
      (plan) =>
        (task(plan, 'result').inputs = [
          {
            tensor: 't2',
            region: [
              [0, 1],
              [0, 2],
              [0, 12],
              [0, 9],
            ],
          },
        ]),
      /whole of "t2"/,
    ],
    ['a sink of one replica', (plan) => (task(plan, 'result').replica = 0), /every frame/],
    [
      'an unlisted tensor',
      (plan) => (task(plan, 'b0.t0').outputs = [{ tensor: 'tx', region: [] }]),
      /b0\.t0: outputs: tensor "tx" is not listed/,
    ],
    [
      'a tensor named like a member of every object',
      (plan) => (task(plan, 'b0.t0').outputs = [{ tensor: 'toString', region: [] }]),
      /"toString" is not listed/,
    ],
    [
      'one tensor in two inputs',
      (plan) =>
        void task(plan, 'b0.t0').inputs.push({ ...(task(plan, 'b0.t0').inputs[0] as Task['inputs'][0]) }),
      /stands twice/,
    ],
    [
      'a region beyond its tensor',
      (plan) =>
        (task(plan, 'b1.t0').outputs = [
          {
            tensor: 't2',
            region: [
              [0, 1],
              [0, 2],
              [0, 13],
              [0, 10],
            ],
          },
        ]),
      /not inside "t2" of 1x2x12x10/,
    ],
    [
      'a region of another rank',
      (plan) => (task(plan, 'b1.t0').outputs = [{ tensor: 't2', region: [[0, 1]] }]),
      /not inside/,
    ],
    ['a replica without a count', (plan) => (task(plan, 'b0.t0').replica = 1), /replica 1 of 1/],
    [
      'a model nobody lists',
      (plan) => (task(plan, 'b0.t0').model = digest('f')),
      /model f{64} is not listed/,
    ],
    ['no model', (plan) => Reflect.deleteProperty(task(plan, 'b0.t0'), 'model'), /model \(none\)/],
    ['an unknown block', (plan) => (task(plan, 'b0.t0').block = 9), /block 9/],
    ['a task without outputs', (plan) => (task(plan, 'b1.t1').outputs = []), /no outputs/],
    [
      'a worker-gathered task without device',
      (plan) => (task(plan, 'b1.t0').gather = 'worker'),
      /one device, not 0/,
    ],
    [
      'a worker-gathered task with two devices',
      (plan) => Object.assign(task(plan, 'b1.t0'), { gather: 'worker', devices: ['a', 'b'] }),
      /one device, not 2/,
    ],
    [
      'an endpoint on the way to the merger',
      (plan) => ((plan.transfers[0] as Plan['transfers'][0]).endpoint = 'w0'),
      /endpoint w0, but no worker gathers/,
    ],
    [
      "an endpoint of another worker than the task's",
      (plan) => {
        Object.assign(task(plan, 'b1.t0'), { gather: 'worker', devices: ['w0'] });
        for (const transfer of plan.transfers) if (transfer.to === 'b1.t0') transfer.endpoint = 'w1';
      },
      /endpoint w1, but w0 gathers b1.t0/,
    ],
    [
      'a transfer from nowhere',
      (plan) => ((plan.transfers[0] as Plan['transfers'][0]).from = 'nobody'),
      /transfer 0 .*no task nobody/,
    ],
    [
      'a transfer of what is not made',
      (plan) =>
        (transfer(plan, 'b0.t0', 'b1.t0').region = [
          [0, 1],
          [0, 2],
          [0, 7],
          [0, 10],
        ]),
      /b0\.t0 does not make/,
    ],
    [
      'a transfer of what is not read',
      (plan) =>
        (transfer(plan, 'b0.t1', 'b1.t0').region = [
          [0, 1],
          [0, 2],
          [6, 9],
          [0, 10],
        ]),
      /b1\.t0 does not read/,
    ],
    [
      'an unknown codec',
      (plan) => ((plan.transfers[0] as Plan['transfers'][0]).codec = 'lz4' as 'raw'),
      /codec lz4 is not one of raw, fp16, uint8, deflate, fp16\+deflate, uint8\+deflate, png, webp, jpeg/,
    ],
    [
      'a codec that changes values in an exact plan',
      (plan) => ((plan.transfers[0] as Plan['transfers'][0]).codec = 'uint8+deflate'),
      /codec uint8\+deflate changes values, and the plan's accuracy is exact/,
    ],
    [
      'a tensor that its sub-models round in an exact plan',
      (plan) => {
        const [name] = Object.keys(plan.tensors);
        Object.assign(plan.tensors[name as string] as object, { codec: { codec: 'fp16', of: name } });
      },
      /codec fp16 changes values, and the plan's accuracy is exact/,
    ],
    [
      'bytes of what is no float32',
      (plan) => {
        plan.accuracy = 'budgeted';
        (plan.transfers[0] as Plan['transfers'][0]).codec = 'uint8';
      },
      /codec uint8 is for float32, ".*" is int32/,
    ],
    [
      'a picture of what is none',
      (plan) => (transfer(plan, 'input', 'b0.t0').codec = 'png'),
      /codec png is for uint8 of 1 or 3 channels/,
    ],
    [
      'a picture of what a task makes',
      (plan) => (transfer(plan, 'b0.t0', 'b1.t0').codec = 'png'),
      /codec png is for what the source supplies/,
    ],
    [
      'a hole',
      (plan) =>
        (plan.transfers = plan.transfers.filter(({ from, to }) => from !== 'b0.t1' || to !== 'b1.t0')),
      /task b1\.t0: nothing brings 0:1,0:2,6:7,0:10 of "t1"/,
    ],
    [
      'some of the partial sums',
      (plan) => {
        const other = plan.tensors.t1 as Plan['tensors'][string];
        plan.tensors['t1@sum1'] = other;
        for (const id of ['b0.t0', 'b0.t1']) task(plan, id).shape = 'partial';
        const [made] = task(plan, 'b0.t1').outputs;
        task(plan, 'b0.t1').outputs.push({ ...(made as Task['outputs'][number]), tensor: 't1@sum1' });
      },
      /task b1\.t0: reads partial sums of block 0, but not "t1@sum1"/,
    ],
    [
      'a worker-gathered task that is sent nothing',
      (plan) => {
        Object.assign(task(plan, 'b1.t0'), { gather: 'worker', devices: ['w0'], inputs: [] });
        plan.transfers = plan.transfers.filter(({ to }) => to !== 'b1.t0');
      },
      /task b1\.t0: nothing is sent to the worker that gathers it/,
    ],
    [
      'a transfer to itself',
      (plan) => {
        const own = task(plan, 'b1.t0');
        own.inputs.push(...own.outputs);
        plan.transfers.push({ from: own.id, to: own.id, ...(own.outputs[0] as Task['outputs'][number]) });
      },
      /task b1\.t0: waits for itself: b1\.t0 -> b1\.t0/,
    ],
    [
      'a transfer from a task that makes another tensor',
      (plan) => (transfer(plan, 'b0.t0', 'b1.t0').from = 'input'),
      /input does not make .* of "t1"/,
    ],
    [
      'a transfer from the sink',
      (plan) => (transfer(plan, 'b0.t0', 'b1.t0').from = 'result'),
      /result does not make .* of "t1"/,
    ],
    [
      'a transfer to the source',
      (plan) => (transfer(plan, 'b0.t0', 'b1.t0').to = 'input'),
      /input does not read .* of "t1"/,
    ],
    [
      'a region that ends before it begins',
      (plan) => ((transfer(plan, 'b0.t0', 'b1.t0').region[2] as [number, number]) = [5, 3]),
      /region .*5:3.* ends before it begins/,
    ],
    [
      'nine axes',
      (plan) => (plan.tensors.deep = { dtype: 'int8', shape: [1, 1, 1, 1, 1, 1, 1, 1, 1] }),
      /tensor deep: 9 axes/,
    ],
  ])('refuses %s', (_, spoil, message) => {
    const plan = gridPlan({
      grids: [
        [2, 1],
        [2, 1],
      ],
    });
    spoil(plan);
    expect(() => validatePlan(plan)).toThrow(message);
    try {
      validatePlan(plan);
    } catch (error) {
      expect((error as TilepipeError).code).toBe('plan-invalid');
    }
  });

  test('refuses a circle', () => {
    const plan = gridPlan({
      grids: [
        [1, 1],
        [1, 1],
      ],
      halo: 0,
    });
    const region = task(plan, 'b0.t0').outputs[0]?.region as [number, number][];
    task(plan, 'b0.t0').inputs.push({ tensor: 't2', region });
    plan.transfers.push({ from: 'b1.t0', to: 'b0.t0', tensor: 't2', region });
    expect(() => validatePlan(plan)).toThrow(/waits for itself: .+ -> /);
  });

  test('is not kept busy by transfers that overlap at random', () => {
    const plan = gridPlan({ height: 64, width: 64, grids: [[1, 1]], halo: 0 });
    const [entry] = plan.transfers;
    plan.transfers = plan.transfers.slice(1);
    for (let turn = 0; turn < 1000; turn++) {
      const [row, column] = [(turn * 29) % 59, (turn * 37) % 61];
      const region: [number, number][] = [
        [0, 1],
        [turn % 2, 2],
        [row, row + 1 + (turn % 5)],
        [column, column + 1 + (turn % 3)],
      ];
      plan.transfers.push({ ...(entry as Plan['transfers'][number]), region });
    }
    expect(() => validatePlan(plan)).toThrow(
      /1000 transfers of "t0" overlap in too many ways|nothing brings/,
    );
  });

  test('refuses a hole in the frames of one replica only', () => {
    const plan = gridPlan({
      grids: [
        [1, 1],
        [1, 1],
      ],
      replicas: 2,
      halo: 0,
    });
    plan.transfers = plan.transfers.filter(({ from }) => from !== 'b0.t0.r1');
    expect(() => validatePlan(plan)).toThrow(/in frames of replica 1/);
  });
});

describe('planDigest', () => {
  test('does not depend on the order of keys, and depends on everything else', () => {
    const plan = gridPlan({ grids: [[2, 1]] });
    const reordered = Object.fromEntries(Object.entries(plan).reverse()) as unknown as Plan;
    expect(planDigest(reordered)).toBe(planDigest(plan));
    expect(planDigest(plan)).toMatch(/^[0-9a-f]{64}$/);
    expect(planDigest({ ...plan, pipeline: 'other' })).not.toBe(planDigest(plan));
    expect(planDigest({ ...plan, tasks: [...plan.tasks].reverse() })).not.toBe(planDigest(plan));
  });

  test('is the SHA-256 of canonical JSON', () => {
    expect(canonicalJson({ b: [1, 'ä"', null, true], a: { d: 1.5, c: undefined } })).toBe(
      '{"a":{"d":1.5},"b":[1,"ä\\"",null,true]}',
    );
  });
});
