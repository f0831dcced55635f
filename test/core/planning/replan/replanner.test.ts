/** The replanner in a made-up cluster: quick where a device slows down, quiet where the load only goes up and down. */

import { describe, expect, test } from 'vitest';
import type { Fleet } from '../../../../services/core/planning/cost/fleet.ts';
import { type Decision, Replanner } from '../../../../services/core/planning/replan/replanner.ts';
import { normal, toyDevice, toyDraft, toyFleet, toyPlan, toyPredict, World } from './world.ts';

const FOUR = toyFleet(['d0', 'd1', 'd2', 'd3'].map((id) => toyDevice(id)));
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('a device that slows down to a quarter', () => {
  const from = 30_000;
  test.each([0, 150, 300, 450, 600, 750, 900])(
    '%i ms into a second: one change, and its first result within 5 s',
    (phase) => {
      const at = from + phase;
      const world = new World({ fleet: FOUR, load: (id, now) => (id === 'd3' && now >= at ? 4 : 1) });
      world.runUntil(90_000);
      expect(world.changes.map(({ why }) => why)).toEqual(['gain']);
      expect((world.changes[0]?.firstResultAt ?? Number.POSITIVE_INFINITY) - at).toBeLessThanOrEqual(5_000);
      // A quarter of the speed of three others: one of thirteen shares, and not one of four. Found before the first slow
      // task has ended, it may be taken for a little slower.
      expect([3, 4]).toContain(world.rows.d3);
    },
  );

  test('and gets its share back when it is itself again', () => {
    const slow = (now: number) => now >= from && now < 90_000;
    const world = new World({ fleet: FOUR, load: (id, now) => (id === 'd3' && slow(now) ? 4 : 1) });
    world.runUntil(240_000);
    expect(world.changes.length).toBe(2);
    expect(world.rows).toEqual({ d0: 14, d1: 14, d2: 14, d3: 14 });
  });

  test('so far that it gets nothing: tried again later, and each time later when that was wrong', () => {
    const world = new World({ fleet: FOUR, load: (id, now) => (id === 'd3' && now >= from ? 60 : 1) });
    world.runUntil(1_200_000);
    const times = world.changes.map(({ at }) => at / 1000);
    expect(world.rows).toEqual({ d0: 19, d1: 19, d2: 18 });
    expect(times.length).toBeGreaterThan(2);
    expect(times.length).toBeLessThanOrEqual(13);
  });

  test('a frame now and then does not repay a change', () => {
    const world = new World({
      fleet: FOUR,
      load: (id, now) => (id === 'd3' && now >= from ? 1.3 : 1),
      periodMs: 60_000,
    });
    world.runUntil(600_000);
    expect(world.changes).toEqual([]);
  });
});

describe('tasks that take more than half a second', () => {
  const slow = toyFleet(['d0', 'd1', 'd2', 'd3'].map((id) => toyDevice(id, 1 / 4)));
  const taskMs = 564;

  test.each([0, 800])('the first one that is slow throughout is enough, before it ends (%i ms)', (phase) => {
    const at = 60_000 + phase;
    const world = new World({ fleet: slow, load: (id, now) => (id === 'd3' && now >= at ? 4 : 1) });
    world.runUntil(at + 30_000);
    expect(world.changes.map(({ why }) => why)).toEqual(['gain']);
    expect((world.changes[0]?.at ?? 0) - at).toBeLessThan(taskMs + 4 * taskMs);
    expect(world.rows.d3).toBeLessThanOrEqual(4);
  });

  test('one alone that was slow may change the plan once, and back', () => {
    const hiccup = (now: number) => now >= 60_000 && now < 60_000 + taskMs;
    const world = new World({ fleet: slow, load: (id, now) => (id === 'd3' && hiccup(now) ? 4 : 1) });
    world.runUntil(120_000);
    expect(world.changes.length).toBeLessThanOrEqual(2);
    expect(world.rows).toEqual({ d0: 14, d1: 14, d2: 14, d3: 14 });
  });
});

describe('load that goes up and down brings about few changes, however long it does', () => {
  /** Changes in ten minutes; a planner that follows every edge would make 600, 240, 60 and 20. */
  test.each([
    { period: 2, most: 8 },
    { period: 5, most: 9 },
    { period: 20, most: 9 },
    { period: 60, most: 9 },
  ])(
    'a square wave of $period s between full and quarter speed: at most $most changes',
    ({ period, most }) => {
      const load = (id: string, now: number) => (id === 'd3' && (now / 1000) % period >= period / 2 ? 4 : 1);
      const world = new World({ fleet: FOUR, load });
      world.runUntil(600_000);
      const times = world.changes.map(({ at }) => at / 1000);
      expect(times.length).toBeLessThanOrEqual(most);
      // Each waits for twice as long as the one before, until the load has been steady.
      expect(times.filter((at) => at > 300).length).toBeLessThanOrEqual(2);
      // And costs little beside never changing at all.
      const still = new World({ fleet: FOUR, load, policy: { sensitivity: 0.1 } });
      still.runUntil(600_000);
      expect(mean(world.latencies)).toBeLessThan(1.05 * mean(still.latencies));
    },
  );

  test.each([1, 2])('20 % of noise on everything, seed %i: at most 2 changes', (seed) => {
    const noise = normal(seed);
    const world = new World({ fleet: FOUR, load: () => Math.max(0.3, 1 + 0.2 * noise()) });
    world.runUntil(600_000);
    expect(world.changes.length).toBeLessThanOrEqual(2);
  });

  test('lesser changes just before it do not make a great one wait', () => {
    const since: Record<string, readonly [at: number, load: number]> = {
      d1: [20_000, 1.6],
      d2: [24_000, 1.6],
      d3: [33_000, 4],
    };
    const load = (id: string, now: number) => {
      const [at, slower] = since[id] ?? [0, 1];
      return now >= at ? slower : 1;
    };
    const world = new World({ fleet: FOUR, load });
    world.runUntil(33_000);
    expect(world.changes.filter(({ at }) => at < 33_000).length).toBe(2);
    world.runUntil(60_000);
    expect((world.changes[2]?.firstResultAt ?? Number.POSITIVE_INFINITY) - 33_000).toBeLessThanOrEqual(5_000);
  });

  test('after a calm it is as quick as ever', () => {
    const at = 1_500_000;
    const world = new World({
      fleet: FOUR,
      load: (id, now) => {
        const slow = now < 60_000 ? (now / 1000) % 20 >= 10 : now >= at;
        return id === 'd3' && slow ? 4 : 1;
      },
    });
    world.runUntil(at + 20_000);
    const last = world.changes.at(-1);
    expect((last?.firstResultAt ?? 0) - at).toBeGreaterThan(0);
    expect((last?.firstResultAt ?? 0) - at).toBeLessThanOrEqual(5_000);
  });

  test('the knob: more readily, or less', () => {
    const load = (id: string, now: number) => (id === 'd3' && now >= 30_000 ? 1.25 : 1);
    const changes = [0.5, 1, 2].map((sensitivity) => {
      const world = new World({ fleet: FOUR, load, policy: { sensitivity } });
      world.runUntil(120_000);
      return world.changes.length;
    });
    expect(changes[0]).toBe(0);
    expect(changes[2]).toBe(1);
  });
});

describe('devices that come and go', () => {
  function told(running = toyPlan(FOUR)) {
    let now = 0;
    const replanner = new Replanner({
      now: () => now,
      fleet: FOUR,
      running,
      objective: 'latency',
      plan: toyPlan,
      predict: toyPredict,
    });
    replanner.online(['d0', 'd1', 'd2', 'd3']);
    const pass = (ms: number) => {
      now += ms;
    };
    return { replanner, pass };
  }
  const devicesOf = (draft: ReturnType<typeof toyPlan> | undefined) =>
    draft?.blocks[0]?.parts.map(({ devices }) => devices[0]);

  test('one that a plan needs and that is gone: planned without it at once, frames or none', () => {
    const { replanner } = told();
    expect(replanner.decide()).toBeUndefined();
    replanner.online(['d0', 'd1', 'd3']);
    const decision = replanner.decide();
    expect(decision?.why).toBe('gone');
    expect(decision?.fromMs).toBe(Number.POSITIVE_INFINITY);
    expect(devicesOf(decision?.draft)).toEqual(['d0', 'd1', 'd3']);
  });

  test('one that does not read any more what a plan sends it: as if it were gone', () => {
    const fleet = toyFleet([toyDevice('a'), toyDevice('b')]);
    const plain = toyDraft([
      ['a', 28],
      ['b', 28],
    ]);
    const tensor = [...(plain.blocks[0]?.parts[0]?.tile.inputs.keys() ?? [])][0] as string;
    const replanner = new Replanner({
      fleet,
      now: () => 0,
      running: { ...plain, wire: { [tensor]: 'webp' } },
      objective: 'latency',
      plan: toyPlan,
      predict: toyPredict,
    });
    replanner.online(['a', 'b']);
    replanner.profiled({
      ...fleet,
      devices: fleet.devices.map((each) => ({ ...each, codecs: ['raw', 'webp'] })),
    });
    expect(replanner.decide()?.why).toBeUndefined();
    replanner.profiled({ ...fleet, devices: fleet.devices.map((each) => ({ ...each, codecs: ['raw'] })) });
    expect(replanner.decide()?.why).toBe('gone');
  });

  test('one that others can stand in for: only where it pays', () => {
    const { replanner } = told(
      toyDraft(
        [
          ['d0', 14],
          ['d1', 14],
          ['d2', 14],
          ['d3', 14],
        ],
        ['d0', 'd1', 'd2', 'd3'],
      ),
    );
    replanner.online(['d0', 'd1', 'd2']);
    expect(replanner.decide()).toBeUndefined();
    replanner.finished(20);
    expect(replanner.decide()).toMatchObject({ why: 'gain' });
  });

  test('one that comes back is taken in where it pays, after a wait', () => {
    const { replanner, pass } = told();
    replanner.online(['d0', 'd1', 'd2']);
    const decision = replanner.decide();
    replanner.changed(decision as Decision);
    replanner.online(['d0', 'd1', 'd2', 'd3']);
    replanner.finished(20);
    expect(replanner.decide()).toBeUndefined();
    pass(4_000);
    expect(devicesOf(replanner.decide()?.draft)).toEqual(['d0', 'd1', 'd2', 'd3']);
  });

  test('one that lets its tasks time out without a word is taken to hang, until it says something', () => {
    const { replanner, pass } = told();
    replanner.timedOut('d1', 1);
    pass(1_000);
    replanner.timedOut('d1', 2);
    expect(replanner.decide()).toBeUndefined();
    pass(1_000);
    expect(replanner.decide()?.why).toBe('gone');
    replanner.heard('d1');
    expect(replanner.decide()).toBeUndefined();
  });

  test('without any device there is nothing to decide; a stranger takes no part until it is profiled', () => {
    const { replanner } = told();
    replanner.online([]);
    expect(replanner.decide()).toBeUndefined();
    replanner.online(['d0', 'd9']);
    expect(devicesOf(replanner.decide()?.draft)).toEqual(['d0']);
    replanner.profiled(toyFleet([...FOUR.devices, toyDevice('d9')]));
    expect(devicesOf(replanner.decide()?.draft)).toEqual(['d0', 'd9']);
  });
});

test('links that are others by now: nothing is waited for, and what was decided before is decided again', () => {
  const medium = { name: 'air', bytesPerMs: 1000, duplex: 'half' as const, latencyMs: 1 };
  const fleet = {
    hub: { messageMs: 0, byteMs: 0 },
    media: new Map([['air', medium]]),
    devices: ['d0', 'd1'].map((id) => toyDevice(id, 1, { medium: 'air' })),
  };
  const [alone, both] = [
    toyDraft([['d0', 56]]),
    toyDraft([
      ['d0', 28],
      ['d1', 28],
    ]),
  ];
  let now = 0;
  const slow = (at: Fleet): boolean => (at.media.get('air')?.bytesPerMs ?? 0) < 100;
  const replanner = new Replanner({
    fleet,
    now: () => now,
    running: both,
    objective: 'latency',
    plan: (at) => (slow(at) ? alone : both),
    predict: ({ blocks }, at) => ({
      latencyMs: (blocks[0]?.parts.length === 1) === slow(at) ? 100 : 200,
      framesPerSecond: 1,
    }),
  });
  replanner.online(['d0', 'd1']);
  let changes = 0;
  // A level for five seconds each, looked at twice a second.
  for (let factor = 100; now < 60_000; factor = 101 - factor) {
    for (let look = 0; look < 10; look++, now += 500) {
      replanner.finished(5);
      for (const id of ['d0', 'd1']) replanner.linkSeen(id, factor);
      const decision = replanner.decide();
      if (decision === undefined) continue;
      expect(replanner.isCurrent(decision)).toBe(true);
      for (const link of [101 - factor, factor]) {
        for (const id of ['d0', 'd0', 'd1', 'd1']) replanner.linkSeen(id, link);
        expect(replanner.isCurrent(decision)).toBe(link === factor);
      }
      replanner.changed(decision);
      changes++;
    }
  }
  expect(changes).toBeGreaterThanOrEqual(10);
});

test('planning that takes its time is done seldom, unless a device is another than it was', () => {
  let now = 0;
  let planned = 0;
  const replanner = new Replanner({
    fleet: FOUR,
    now: () => now,
    running: toyPlan(FOUR),
    objective: 'latency',
    plan: (fleet) => {
      now += 1_000;
      planned++;
      return toyPlan(fleet);
    },
    predict: toyPredict,
  });
  const ids = FOUR.devices.map(({ id }) => id);
  replanner.online(ids);
  /** Twice a second for ten seconds, the last device so many times slower. */
  const told = (slower: (look: number) => number): number => {
    const before = planned;
    for (let look = 0; look < 20; look++, now += 500) {
      const readings = ids.map((device) => {
        const profiledMs = 144;
        const computeMs = profiledMs * (device === 'd3' ? slower(look) : 1);
        return { device, task: 't', computeMs, profiledMs };
      });
      for (let each = 0; each < 4; each++) replanner.read(readings);
      replanner.decide();
    }
    return planned - before;
  };
  expect(told((look) => 1 + (look % 2) / 2)).toBeLessThanOrEqual(2);
  now += 10_000;
  expect(told(() => 1)).toBeLessThanOrEqual(1);
  expect(told(() => 4)).toBeGreaterThanOrEqual(1);
});

test('while planning rests, a device that the plan does without may come and go', () => {
  let now = 0;
  let planned = 0;
  const three = toyFleet(FOUR.devices.slice(0, 3));
  const replanner = new Replanner({
    fleet: FOUR,
    now: () => now,
    running: toyPlan(three),
    objective: 'latency',
    plan: (fleet) => {
      now += 1_000;
      planned++;
      return toyPlan(fleet);
    },
    predict: toyPredict,
  });
  const decide = (ids: readonly string[]): number => {
    replanner.online(ids);
    replanner.decide();
    return planned;
  };
  const all = FOUR.devices.map(({ id }) => id);
  expect([all, all.slice(0, 3), all].map(decide)).toEqual([1, 1, 1]);
  now += 10_000;
  expect(decide(all.slice(0, 3))).toBe(2);
  expect(decide(all.slice(0, 2))).toBe(3);
});

test('what devices on the hub computed while it planned says nothing of them', () => {
  const medium = { name: 'air', bytesPerMs: 1000, duplex: 'half' as const, latencyMs: 1 };
  const fleet = {
    ...toyFleet([toyDevice('near'), toyDevice('far', 1, { medium: 'air' })]),
    media: new Map([['air', medium]]),
  };
  let now = 0;
  const replanner = new Replanner({
    fleet,
    now: () => now,
    running: toyPlan(fleet),
    objective: 'latency',
    plan: (at) => {
      now += 1_000;
      return toyPlan(at);
    },
    predict: toyPredict,
  });
  replanner.online(['near', 'far']);
  const read = (slower: number): number[] => {
    const readings = ['near', 'far'].map((device) => ({
      device,
      task: 't',
      computeMs: 400 * slower,
      profiledMs: 400,
    }));
    for (let each = 0; each < 8; each++) replanner.read(readings);
    return [...replanner.factors().values()].map(({ speed }) => speed);
  };
  expect(read(1)).toEqual([1, 1]);
  replanner.decide();
  now += 100;
  expect(read(4)).toEqual([1, 4]);
  now += 4 * 400 + 500;
  expect(read(4)).toEqual([4, 4]);
});
