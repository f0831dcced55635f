/** Block times by hand: hub, links, processors, slots. */

import { describe, expect, test } from 'vitest';
import type { Device, Fleet, Medium } from '../../../../services/core/planning/cost/fleet.ts';
import { viewOf } from '../../../../services/core/planning/search/fleet-view.ts';
import { type Assigned, schedule } from '../../../../services/core/planning/search/schedule.ts';
import { steady } from '../../../../services/core/planning/search/steady.ts';

const link = (name: string, duplex: 'half' | 'full' = 'full', bytesPerMs = 100): Medium => ({
  name,
  bytesPerMs,
  duplex,
  latencyMs: 1,
});

const device = (id: string, medium?: string): Device => ({
  id,
  kinds: new Map([['other', { run: 0, mac: 1, byte: 0, weight: 0 }]]),
  taskMs: 0,
  byteMs: 0.001,
  memoryBytes: Number.POSITIVE_INFINITY,
  idleBytes: 0,
  estimated: false,
  ...(medium === undefined ? {} : { medium }),
});

function fleetOf(hub: string | undefined, media: readonly Medium[], devices: readonly Device[]): Fleet {
  return {
    hub: { messageMs: 2, byteMs: 0.001, ...(hub === undefined ? {} : { medium: hub }) },
    media: new Map(media.map((medium) => [medium.name, medium])),
    devices,
  };
}

/** 1000 bytes in, 500 out. */
const part = (ms: number, ...on: number[]): Assigned => ({
  cost: {
    work: [{ kind: 'conv', runs: 1, macs: ms, bytes: 0, weights: 0 }],
    bytesIn: 1000,
    bytesOut: 500,
    activationBytes: 0,
    weightBytes: 0,
  },
  on,
});

// Hub 3 ms and 2.5 ms, link 11 ms and 6 ms, device 1.5 ms beside its work.
const FAR = 3 + 11 + 1.5 + 6 + 2.5;

describe('one part', () => {
  test('on a device with a cable of its own: hub, link, work, link, hub', () => {
    const view = viewOf(fleetOf(undefined, [link('a')], [device('d', 'a')]));
    expect(schedule(view, [part(100, 0)]).ms).toBeCloseTo(FAR + 100, 9);
  });

  test("the hub's link and the device's carry it at the same time: the slower decides", () => {
    const view = viewOf(fleetOf('h', [link('h', 'full', 50), link('a')], [device('d', 'a')]));
    expect(schedule(view, [part(100, 0)]).ms).toBeCloseTo(FAR + 10 + 5 + 100, 9);
  });

  test('a medium that both are on carries it twice', () => {
    const view = viewOf(fleetOf('air', [link('air', 'half')], [device('d', 'air')]));
    expect(schedule(view, [part(100, 0)]).ms).toBeCloseTo(FAR + 11 + 6 + 100, 9);
  });

  test('on the hub it needs no link', () => {
    const view = viewOf(fleetOf('h', [link('h')], [device('d')]));
    expect(schedule(view, [part(100, 0)]).ms).toBeCloseTo(3 + 101.5 + 2.5, 9);
  });
});

describe('several parts', () => {
  const cables = fleetOf('h', [link('h'), link('a'), link('b')], [device('d', 'a'), device('e', 'b')]);

  test("the hub's link carries one input after the other, the outputs as they come", () => {
    // The second is sent when the first has left the link, and is back last.
    expect(schedule(viewOf(cables), [part(100, 0), part(100, 1)]).ms).toBeCloseTo(FAR + 11 + 100, 9);
  });

  test('bound late, they go to whoever is done first', () => {
    const late = schedule(viewOf(cables), [part(100, 0, 1), part(100, 0, 1)]).ms;
    expect(late).toBeCloseTo(FAR + 11 + 100, 9);
  });

  test('a third for one device is sent when it has done the first', () => {
    const view = viewOf(fleetOf(undefined, [link('a')], [device('d', 'a')]));
    const { gathered } = schedule(view, [part(10, 0), part(10, 0), part(10, 0)]);
    // The third leaves at 25.5 ms, when the first is computed, and arrives at 39.5 ms.
    expect(gathered[0]).toBeCloseTo(FAR + 10, 9);
    expect(gathered[2]).toBeCloseTo(25.5 + FAR + 10, 9);
  });

  test('what the hub computes yields to its messages, and loses their time', () => {
    const view = viewOf(fleetOf(undefined, [link('a')], [device('d'), device('e', 'a')]));
    const { gathered } = schedule(view, [part(100, 0), part(10, 1)]);
    expect(gathered[1]).toBeCloseTo(3 + FAR + 10, 9);
    // 3 ms to send to the other and 2.5 ms to take its result.
    expect(gathered[0]).toBeCloseTo(3 + 101.5 + 3 + 2.5 + 2.5, 9);
  });
});

describe('a stream', () => {
  const view = viewOf(fleetOf(undefined, [link('a'), link('b')], [device('d', 'a'), device('e', 'b')]));

  test('goes at the pace of the busiest device', () => {
    const { periodMs, bottleneck } = steady(view, [part(100, 0), part(40, 1)]);
    expect(periodMs).toBeCloseTo(101.5, 9);
    expect(view.resources[bottleneck]).toBe('d');
  });

  test('is shared out where it is bound late', () => {
    expect(steady(view, [part(100, 0, 1)]).periodMs).toBeCloseTo(101.5 / 2, 6);
  });

  test("goes at the hub's pace where devices and links are fast", () => {
    const media = ['a', 'b', 'c'].map((name) => link(name));
    const wide = viewOf(
      fleetOf(
        undefined,
        media,
        media.map(({ name }) => device(name, name)),
      ),
    );
    const { periodMs, bottleneck } = steady(wide, [part(0, 0), part(0, 1), part(0, 2)]);
    expect(periodMs).toBeCloseTo(3 * 5.5, 9);
    expect(bottleneck).toBe(0);
  });

  test('is no faster than devices have places for its tasks, of each dispatcher', () => {
    const both = [part(8, 0), part(8, 0)];
    const { periodMs, bottleneck } = steady(view, both);
    expect(periodMs).toBeCloseTo(FAR + 8, 9);
    expect(view.resources[bottleneck]).toBe('a');
    // One from the splitter, one from the merger: the link has no more than two inputs to carry.
    expect(steady(view, both, 1).periodMs).toBeCloseTo(22, 9);
    const narrow = viewOf(fleetOf(undefined, [link('a')], [{ ...device('d', 'a'), slots: 1 }]));
    expect(steady(narrow, both, 1).periodMs).toBeCloseTo(FAR + 8, 9);
    // Where any of two devices will do, they have four.
    expect(steady(view, [part(8, 0, 1)]).periodMs).toBeCloseTo((FAR + 8) / 4, 6);
  });

  test('a medium without figures is refused', () => {
    expect(() => viewOf(fleetOf(undefined, [], [device('d', 'a')]))).toThrow(/no medium "a"/);
  });
});
