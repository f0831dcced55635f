/** Speed and link factors: what single outliers, changes and slow processors do to them. */

import { describe, expect, test } from 'vitest';
import { TelemetryWindow } from '../../../../services/core/control/telemetry.ts';
import { computeMs, type Device } from '../../../../services/core/planning/cost/fleet.ts';
import { Devices } from '../../../../services/core/planning/replan/devices.ts';
import { factoredFleet } from '../../../../services/core/planning/replan/factored-fleet.ts';
import { LinkFactor } from '../../../../services/core/planning/replan/link-factor.ts';
import { Patience } from '../../../../services/core/planning/replan/patience.ts';
import { type ExpectedTask, readingsOf } from '../../../../services/core/planning/replan/readings.ts';
import { SpeedFactor } from '../../../../services/core/planning/replan/speed-factor.ts';
import type { Telemetry } from '../../../../services/core/schema/generated/telemetry.ts';
import { toyDevice, toyDraft, toyExpectations, toyFleet, toyPlan, toyWork } from './world.ts';

function speed(ratios: readonly number[], stepMs = 500): SpeedFactor {
  const factor = new SpeedFactor();
  for (const [i, ratio] of ratios.entries()) factor.add(ratio, i * stepMs);
  return factor;
}
const times = (count: number, ratio: number) => new Array<number>(count).fill(ratio);

test('a few ratios say nothing, six do', () => {
  expect(speed(times(5, 2)).value).toBeUndefined();
  expect(speed(times(6, 2)).value).toBe(2);
});

test('single outliers say nothing', () => {
  expect(speed([...times(10, 1), 50]).value).toBe(1);
  expect(speed([...times(10, 1), 50, 1, 0.01, 1]).value).toBe(1);
});

test('two in a row are a great change, four a lesser one, and a small one takes its time', () => {
  expect(speed([...times(20, 1), 4, 4]).value).toBe(4);
  expect(speed([...times(20, 4), 1, 1]).value).toBe(1);
  expect(speed([...times(20, 1), 2, 2, 2]).value).toBe(1);
  expect(speed([...times(20, 1), 2, 2, 2, 2]).value).toBe(2);
  expect(speed([...times(20, 1), 1.2, 1.2, 1.2, 1.2]).value).toBe(1);
  expect(speed([...times(20, 1), ...times(16, 1.2)]).value).toBe(1.2);
});

describe('a task that has not ended', () => {
  test('counts like two that have, once it took two and a half times as long and half a second more', () => {
    const factor = speed(times(10, 1));
    factor.running(2.4, 5_000);
    factor.running(9, 499);
    expect(factor.value).toBe(1);
    factor.running(2.5, 500);
    expect(factor.value).toBe(3.75);
    factor.running(4, 700);
    expect(factor.value).toBe(6);
  });

  test('and stays counted when it ends as late as that, or is forgotten when it does not', () => {
    const slow = speed(times(10, 1));
    slow.running(3, 500);
    slow.add(4, 6_000);
    expect(slow.value).toBe(4);
    const quick = speed(times(10, 1));
    quick.running(3, 500);
    quick.add(1.1, 6_000);
    expect(quick.value).toBe(1);
  });

  test('after a slow one it need be no later than that', () => {
    const factor = speed([...times(10, 1), 5]);
    expect(factor.value).toBe(1);
    factor.running(2.5, 100);
    expect(factor.value).toBe(5);
  });

  test('says nothing where nothing is known', () => {
    const factor = speed(times(5, 1));
    factor.running(30, 30_000);
    expect(factor.value).toBeUndefined();
  });
});

test('nonsense is left out or bounded', () => {
  expect(speed([...times(6, 1), 0, Number.NaN, -1]).value).toBe(1);
  expect(speed(times(6, Number.POSITIVE_INFINITY)).value).toBe(1000);
});

/** A link and transfers over it, one every two seconds. */
function link() {
  const factor = new LinkFactor();
  let now = 0;
  return {
    add: (task: string, restMs: number, { slower = 1, count = 1 } = {}): void => {
      for (let i = 0; i < count; i++, now += 2_000) factor.add(task, restMs, slower, now);
    },
    /** At one moment. */
    stall: (task: string, restMs: number, count: number): void => {
      for (let i = 0; i < count; i++) factor.add(task, restMs, 1, now);
      now += 2_000;
    },
    value: (): number => factor.value,
  };
}

test('tasks that move the same bytes are told by one history, however many there are', () => {
  const digest = 'p';
  const draft = toyDraft(Array.from({ length: 300 }, (_, i) => [`w${i % 3}`, 2]));
  const { tasks } = toyExpectations(digest, draft);
  expect(tasks.size).toBe(900);
  const sorts = new Set([...tasks.values()].map(({ sort }) => sort));
  expect([...sorts]).toEqual([0, 1, 2].map((block) => `block ${block}: 0 in, 0 out`));
});

test('of two looks at a link the faster counts: what is on the way beside one makes it seem slow', () => {
  const factor = new LinkFactor();
  for (let now = 0; now < 20_000; now += 2_000) factor.seen((now / 2_000) % 2 === 0 ? 10 : 60, now);
  expect(factor.value).toBe(10);
  for (let now = 20_000; now < 24_000; now += 2_000) factor.seen(60, now);
  expect(factor.value).toBe(60);
});

test('what was first measured while a link became another does not say for ever that it is the old', () => {
  const factor = new LinkFactor();
  for (const now of [0, 1_000, 2_000]) factor.seen(200, now);
  expect(factor.value).toBe(200);
  // It is 1 from here on; a new plan's tasks come before anybody has looked.
  for (let now = 3_000; now < 9_000; now += 500) factor.add('new', 20, 1, now);
  expect(factor.value).toBe(200);
  for (const now of [9_000, 9_500]) factor.seen(1, now);
  expect(factor.value).toBe(1);
  for (let now = 10_000; now < 60_000; now += 500) {
    factor.add('new', 20, 1, now);
    expect(factor.value).toBe(1);
  }
  // And what it learns afterwards counts.
  for (let now = 60_000; now < 90_000; now += 500) factor.add('new', 2_000, 1, now);
  expect(factor.value).toBeGreaterThan(50);
});

test('a link that takes longer than before is slower; small ups and downs are not', () => {
  const { add, value } = link();
  for (const restMs of [20, 22, 21, 20, 21]) add('t', restMs);
  expect(value()).toBe(1);
  for (const restMs of [25, 24, 26, 25, 25, 25]) add('t', restMs);
  expect(value()).toBe(1);
  add('t', 99, { count: 12 });
  expect(value()).toBeCloseTo(104 / 26, 3);
  add('t', 21, { count: 12 });
  expect(value()).toBe(1);
});

test('what grew with the computing is no matter of the link', () => {
  const { add, value } = link();
  add('t', 20, { count: 10 });
  add('t', 75, { count: 10, slower: 4 });
  expect(value()).toBe(1);
});

test('a pause of the hub holds up many transfers at once, and is none of the link', () => {
  const { add, stall, value } = link();
  add('t', 20, { count: 10 });
  for (let i = 0; i < 20; i++) {
    stall('t', 900, 8);
    add('t', 20, { count: 4 });
  }
  expect(value()).toBe(1);
});

test('the transfers of a new plan are judged by what was known of the link', () => {
  const { add, value } = link();
  add('t', 45, { count: 5 });
  add('t', 145, { count: 10 });
  expect(value()).toBeCloseTo(3, 3);
  add('u', 95, { count: 10 });
  expect(value()).toBeCloseTo(3, 3);
});

describe('a device whose answers come later', () => {
  /** What telemetry of 20 s makes of two devices, of which the second changes after 10 s. */
  function factorsOf({ compute = 1, rest = 1 }: { compute?: number; rest?: number }) {
    const fleet = toyFleet([toyDevice('a'), toyDevice('b')]);
    const devices = new Map(fleet.devices.map((device) => [device.id, device]));
    const draft = toyPlan(fleet);
    const plans = new Map([['p', toyExpectations('p', draft)]]);
    let now = 0;
    const known = new Devices({ fleet, now: () => now });
    known.online(['a', 'b']);
    const window = new TelemetryWindow();
    for (; now < 20_000; now += 500) {
      for (const { block, parts } of draft.blocks) {
        for (const {
          devices: [worker = ''],
          work,
          tile,
        } of parts) {
          const changed = worker === 'b' && now >= 10_000;
          const endedMs = computeMs(devices.get(worker) as Device, work) * (changed ? compute : 1);
          const totalMs = endedMs + 30 * (changed ? rest : 1);
          const task = `b${block.id}.t${tile.index}`;
          window.add({ worker, plan: 'p', task, bytes: 9, receivedMs: 0, startedMs: 0, endedMs, totalMs });
        }
      }
      for (const reading of readingsOf(window.take([]) as Telemetry, plans, devices).readings)
        known.read(reading);
    }
    return known.factors().get('b');
  }

  test('for its link is slow: its processor is not taken for slow', () => {
    expect(factorsOf({ rest: 8 })).toEqual({ speed: 1, link: expect.closeTo(7, 1) });
  });

  test('for it computes slowly, and unpacks slowly with it: its link is not', () => {
    expect(factorsOf({ compute: 4, rest: 4 })).toEqual({ speed: expect.closeTo(4, 1), link: 1 });
  });
});

describe('short tasks, which a quota of processor time does not slow down,', () => {
  const device = toyDevice('a');
  const work = (rows: number) => ({ work: toyWork(rows), sort: `${rows}` });
  const answers = (tasks: readonly string[]): Telemetry['tasks'] => {
    const window = new TelemetryWindow();
    for (const task of tasks)
      window.add({
        worker: 'a',
        plan: 'p',
        task,
        bytes: 1,
        receivedMs: 0,
        startedMs: 0,
        endedMs: 9,
        totalMs: 9,
      });
    return (window.take([]) as Telemetry).tasks;
  };
  const telling = (devices: readonly string[]): (boolean | undefined)[] => {
    const tasks = new Map<string, ExpectedTask>([
      ['long', { ...work(10_000), devices }],
      ['middle', work(2_500)],
      ['short', work(100)],
    ]);
    const plans = new Map([['p', { digest: 'p', tasks, tasksPerFrame: 3 }]]);
    const told = { tasks: answers([...tasks.keys()]), workers: [] };
    return readingsOf(told, plans, new Map([['a', device]])).readings.map((reading) => reading.telling);
  };

  test('say nothing of a device that runs long ones as well', () => {
    expect(telling(['a'])).toEqual([true, true, false]);
  });

  test('say all there is to say of a device that runs no others', () => {
    expect(telling(['b'])[1]).toBe(true);
  });

  test('change no factor', () => {
    const known = new Devices({ fleet: toyFleet([device]), now: () => 0 });
    known.online(['a']);
    for (let i = 0; i < 20; i++)
      known.read({ device: 'a', task: 't', computeMs: 1, profiledMs: 4, telling: false });
    expect(known.factors().get('a')?.speed).toBe(1);
  });
});

describe('tasks that run too long', () => {
  const late = (device: string) => ({ device, computeMs: 4_000, profiledMs: 1_000, usualMs: 1_000 });
  function three(): Devices {
    const known = new Devices({ fleet: toyFleet(['a', 'b', 'c'].map((id) => toyDevice(id))), now: () => 0 });
    known.online(['a', 'b', 'c']);
    for (const device of ['a', 'b', 'c'])
      for (let i = 0; i < 8; i++) known.read({ device, task: 't', computeMs: 1_000, profiledMs: 1_000 });
    return known;
  }
  const speeds = (known: Devices) => [...known.factors().values()].map(({ speed }) => speed);

  test('on one device are its own', () => {
    const known = three();
    known.running([late('b')]);
    expect(speeds(known)).toEqual([1, 6, 1]);
  });

  test("on most of them at once are somebody else's", () => {
    const known = three();
    known.running([late('a'), late('b')]);
    expect(speeds(known)).toEqual([1, 1, 1]);
  });
});

test('a fleet as it is now: some away, some slower, a medium as slow as half of its devices say', () => {
  const medium = { name: 'wifi', bytesPerMs: 1000, duplex: 'half' as const, latencyMs: 2 };
  const devices = ['a', 'b', 'c', 'd'].map((id) => toyDevice(id, 1, { medium: 'wifi', byteMs: 0.1 }));
  const fleet = { ...toyFleet(devices), media: new Map([['wifi', medium]]) };
  const link: Record<string, number> = { a: 8, b: 2, c: 2 };
  const now = factoredFleet(fleet, {
    present: new Set(['a', 'b', 'c']),
    speed: (id) => (id === 'b' ? 4 : 1),
    link: (id) => link[id] ?? 1,
  });
  expect(now.devices.map(({ id }) => id)).toEqual(['a', 'b', 'c']);
  expect(now.devices[1]).toMatchObject({ taskMs: 16, byteMs: 0.4 });
  expect(now.devices[1]?.kinds.get('other')?.mac).toBe(40);
  expect(now.devices[0]?.kinds.get('other')?.mac).toBe(10);
  expect(now.media.get('wifi')).toMatchObject({ bytesPerMs: 500, latencyMs: 4 });
});

test("what slows every link down may be the hub's own", () => {
  const medium = (name: string) => ({ name, bytesPerMs: 1000, duplex: 'full' as const, latencyMs: 1 });
  const fleet = {
    hub: { messageMs: 0, byteMs: 0, medium: 'hub' },
    media: new Map(['hub', 'a', 'b'].map((name) => [name, medium(name)])),
    devices: [toyDevice('a', 1, { medium: 'a' }), toyDevice('b', 1, { medium: 'b' }), toyDevice('c')],
  };
  const hubAt = (links: Record<string, number>) =>
    factoredFleet(fleet, {
      present: new Set(['a', 'b', 'c']),
      speed: () => 1,
      link: (id) => links[id] ?? 1,
    }).media.get('hub')?.bytesPerMs;
  expect(hubAt({ a: 10, b: 4 })).toBe(250);
  expect(hubAt({ a: 10 })).toBe(1000);
  expect(hubAt({ a: 0.5, b: 0.2 })).toBe(1000);
});

describe("the hub's own link", () => {
  const medium = (name: string, bytesPerMs: number) => ({
    name,
    bytesPerMs,
    duplex: 'full' as const,
    latencyMs: 1,
  });
  const devices = ['a', 'b', 'c', 'd'].map((id) => toyDevice(id, 1, { medium: id }));
  const fleet = {
    hub: { messageMs: 0, byteMs: 0, medium: 'hub' },
    media: new Map(['hub', 'a', 'b', 'c', 'd'].map((name) => [name, medium(name, 1000)])),
    devices,
  };
  /** All devices' links seen to be so many times slower. */
  function slowed(...factors: readonly number[]) {
    let now = 0;
    const known = new Devices({ fleet, now: () => now });
    known.online(devices.map(({ id }) => id));
    const see = (factor: number): void => {
      for (let look = 0; look < 8; look++, now += 1000)
        for (const { id } of devices) known.linkSeen(id, factor);
    };
    for (const factor of factors) see(factor);
    return { known, see, hub: () => known.fleet().media.get('hub')?.bytesPerMs };
  }

  test('has company: a link that has not been heard of since several became other links is one of those', () => {
    const { known } = slowed(1);
    const links = () => [...known.factors().values()].map(({ link }) => link);
    for (const id of ['a', 'a']) known.linkSeen(id, 100);
    expect(links()).toEqual([100, 1, 1, 1]);
    for (const id of ['b', 'b']) known.linkSeen(id, 120);
    expect(links()).toEqual([100, 120, 100, 100]);
    // Not believed yet, as it would be the second time.
    known.linkSeen('d', 90);
    expect(links()).toEqual([100, 120, 100, 100]);
    known.linkSeen('c', 1);
    expect(links()).toEqual([100, 120, 1, 100]);
  });

  test('is as good as all of them together are seen to be', () => {
    const { known, hub } = slowed(4);
    expect([hub(), known.hubUnknown]).toEqual([250, true]);
    known.hubSeen(1000);
    expect([hub(), known.hubUnknown]).toEqual([1000, false]);
    expect(known.fleet().media.get('a')?.bytesPerMs).toBe(250);
  });

  test('is as slow as one of them where together they carry no more than one', () => {
    const { known, hub } = slowed(4);
    known.hubSeen(250);
    expect([hub(), known.hubUnknown]).toEqual([250, false]);
    // Frames beside the look took the rest.
    known.hubSeen(100);
    expect(hub()).toBe(250);
  });

  test('may be another when they are all faster or slower than then', () => {
    const { known, see, hub } = slowed(4);
    known.hubSeen(1000);
    see(5);
    expect([hub(), known.hubUnknown]).toEqual([1000, false]);
    see(40);
    expect([hub(), known.hubUnknown]).toEqual([25, true]);
  });

  test('is not asked after while they are as profiled, nor where it is one of theirs', () => {
    expect(slowed(1).known.hubUnknown).toBe(false);
    const air = new Devices({
      fleet: { ...fleet, hub: { ...fleet.hub, medium: 'a' } },
      now: () => 0,
    });
    air.online(['a', 'b']);
    for (const id of ['a', 'b']) for (let look = 0; look < 8; look++) air.linkSeen(id, 10);
    expect(air.hubUnknown).toBe(false);
  });
});

test('patience: each change that follows another makes the wait twice as long, a calm takes it back', () => {
  const patience = new Patience(4_000);
  expect(patience.left(0, 0.5)).toBe(0);
  patience.changed(0, 0.5);
  expect(patience.left(0, 0.5)).toBe(4_000);
  expect(patience.left(4_000, 0.5)).toBe(0);
  patience.changed(4_000, 0.5);
  expect(patience.left(4_000, 0.5)).toBe(8_000);
  patience.changed(12_000, 0.5);
  expect(patience.left(12_000, 0.5)).toBe(16_000);
  // 8 waits of 16 s, of 8 s and of 4 s.
  const calm = 12_000 + 8 * (16_000 + 8_000 + 4_000);
  patience.changed(calm, 0.5);
  expect(patience.left(calm, 0.5)).toBe(4_000);
});

test('patience: what saves far more than any change before it waits as if it were the second', () => {
  const patience = new Patience(4_000);
  patience.changed(0, 0.2);
  patience.changed(4_000, 0.2);
  patience.changed(12_000, 0.2);
  expect(patience.left(12_000, 0.3)).toBe(16_000);
  expect(patience.left(12_000, 0.5)).toBe(4_000);
  expect(patience.left(12_000, 0.1, true)).toBe(4_000);
  patience.changed(16_000, 0.5);
  expect(patience.left(16_000, 0.5)).toBe(32_000);
  // Of another kind: what was before says nothing of it, so that it may be followed soon.
  patience.changed(16_000, 0.1, true);
  expect(patience.left(16_000, 0.1)).toBe(4_000);
});

test('short tasks that seem fast are believed after a while, and then only that the device is as profiled', () => {
  let now = 0;
  const devices = new Devices({ fleet: toyFleet([toyDevice('d0'), toyDevice('d1')]), now: () => now });
  devices.online(['d0', 'd1']);
  const read = (computeMs: number, profiledMs: number): number | undefined => {
    now += 500;
    const short = profiledMs < 100;
    devices.read({ device: 'd0', task: 't', computeMs, profiledMs, short });
    devices.read({ device: 'd1', task: 't', computeMs: 400, profiledMs: 400 });
    return devices.factors().get('d0')?.speed;
  };
  for (let i = 0; i < 10; i++) read(400, 400);
  read(1600, 400);
  expect(read(1600, 400)).toBe(4);
  for (let i = 0; i < 59; i++) expect(read(10, 40)).toBe(4);
  for (let i = 0; i < 3; i++) read(10, 40);
  expect(read(10, 40)).toBe(1);
  read(1600, 400);
  expect(read(1600, 400)).toBe(4);
  for (let i = 0; i < 119; i++) expect(read(10, 40)).toBe(4);
});

describe('short tasks of a slowed device', () => {
  const ratios = (...each: readonly number[]) => each;
  /** The factor after so many rounds of such ratios, every half second, and how it was slowed. */
  function settled(
    seconds: number,
    round: readonly number[],
    { slow = 4, long = 0 } = {},
  ): number | undefined {
    let now = 0;
    const devices = new Devices({ fleet: toyFleet([toyDevice('d')]), now: () => now });
    devices.online(['d']);
    const read = (ratio: number, profiledMs: number) =>
      devices.read({
        device: 'd',
        task: 't',
        computeMs: ratio * profiledMs,
        profiledMs,
        short: profiledMs < 100,
      });
    for (let i = 0; i < 6; i++) read(slow, 400);
    for (let i = 0; now < seconds * 1000; now += 500) {
      read(round[i++ % round.length] as number, 40);
      if (long > 0 && now % long === 0) read(slow, 400);
    }
    return devices.factors().get('d')?.speed;
  }

  test('are believed though some of them are slow, once most have been fast for long enough', () => {
    expect(settled(29, ratios(1, 1, 1, 1, 1, 1, 1, 1, 1, 4))).toBe(4);
    expect(settled(60, ratios(1, 1, 1, 1, 1, 1, 1, 1, 1, 4))).toBe(1);
  });

  test('are not where many of them are, or where a longer one tells more', () => {
    expect(settled(300, ratios(1, 4))).toBe(4);
    expect(settled(300, ratios(1, 1, 4))).toBe(4);
    expect(settled(300, ratios(1), { long: 10_000 })).toBe(4);
  });
});

test('what was only noise makes no later trial longer', () => {
  let now = 0;
  const devices = new Devices({ fleet: toyFleet([toyDevice('d')]), now: () => now });
  devices.online(['d']);
  const read = (ratio: number, profiledMs: number): number | undefined => {
    now += 500;
    devices.read({
      device: 'd',
      task: 't',
      computeMs: ratio * profiledMs,
      profiledMs,
      short: profiledMs < 100,
    });
    return devices.factors().get('d')?.speed;
  };
  for (let i = 0; i < 10; i++) read(1.2, 400);
  for (let i = 0; i < 80; i++) read(0.5, 40);
  for (let i = 0; i < 2; i++) read(4, 400);
  for (let i = 0; i < 59; i++) expect(read(0.5, 40)).toBe(4);
  for (let i = 0; i < 4; i++) read(0.5, 40);
  expect(read(0.5, 40)).toBe(1);
});
