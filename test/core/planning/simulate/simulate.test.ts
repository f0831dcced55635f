/** The simulator against what can be worked out by hand. */

import { describe, expect, test } from 'vitest';
import { simulate } from '../../../../services/core/planning/simulate/simulate.ts';
import { device, fleet, medium, plan, wired } from './hand-made.ts';

const alone = { frames: 1, inFlight: 1, binding: 'late' } as const;

describe('one frame', () => {
  test('on one device: transfers, both processors, compute', () => {
    const one = fleet([device('a', 'cable', 3, 0.01)], [medium('cable', 100, 'full', 2)], {
      messageMs: 1,
      byteMs: 0.001,
    });
    const { latency, framesPerSecond, bytesPerFrame } = simulate(
      plan([{ ms: 10, devices: ['a'], bytesIn: 1000, bytesOut: 500 }]),
      one,
      alone,
    );
    const hub = 1 + 1 + 1 + 0.5;
    const link = 2 + 10 + 2 + 5;
    expect(latency.median).toBeCloseTo(hub + link + 3 * 10 + 0.01 * 1500, 9);
    expect(framesPerSecond).toBeCloseTo(1000 / latency.median, 9);
    expect(bytesPerFrame).toBe(1500);
  });

  test('on the hub itself: no link', () => {
    const block = [{ ms: 10, devices: ['a'], bytesIn: 1000, bytesOut: 1000 }];
    const { latency, bytesPerFrame, bottleneck } = simulate(
      plan(block, block),
      fleet([device('a')], [], { messageMs: 1 }),
      alone,
    );
    expect(latency.median).toBeCloseTo(24, 9);
    expect(bytesPerFrame).toBe(0);
    expect(bottleneck).toBe('a');
  });

  test('the whole model on the hub itself: not even a message', () => {
    const { latency, utilisation } = simulate(
      plan([{ ms: 10, devices: ['a'], bytesIn: 1000, bytesOut: 1000 }]),
      fleet([device('a', undefined, 1, 1)], [], { messageMs: 1 }),
      alone,
    );
    expect(latency.median).toBeCloseTo(10, 9);
    expect(utilisation).toEqual({ hub: 1, a: 1 });
  });

  test('blocks follow one another', () => {
    const { latency } = simulate(
      plan(
        [{ ms: 10, devices: ['d0'], bytesIn: 100, bytesOut: 200 }],
        [{ ms: 20, devices: ['d1'], bytesIn: 200, bytesOut: 50 }],
      ),
      wired(2, 100),
      alone,
    );
    expect(latency.median).toBeCloseTo(1 + 10 + 2 + 2 + 20 + 0.5, 9);
  });

  test('a part waits for those whose outputs it reads, and for no others', () => {
    const halves: readonly [[number, number]][] = [[[0, 5]], [[5, 10]]];
    const [upper, lower] = halves as [[[number, number]], [[number, number]]];
    const blocks = plan(
      [
        { ms: 10, devices: ['d0'], reads: { x: upper }, makes: { y: upper } },
        { ms: 50, devices: ['d1'], reads: { x: lower }, makes: { y: lower } },
      ],
      [
        { ms: 30, devices: ['d0'], reads: { y: upper }, makes: { z: upper } },
        { ms: 5, devices: ['d1'], reads: { y: lower }, makes: { z: lower } },
      ],
    );
    expect(simulate(blocks, wired(2, 1), alone).latency.median).toBeCloseTo(55, 9);
  });

  test('tiles share the hub: with its medium as fast as theirs they are sent one after the other', () => {
    const tiles = [0, 1, 2, 3].map((at) => ({ ms: 100, devices: [`d${at}`], bytesIn: 1000 }));
    const free = wired(4, 100);
    expect(simulate(plan(tiles), free, alone).latency.median).toBeCloseTo(110, 9);
    const shared = { ...free, hub: { ...free.hub, medium: 'up' } };
    const media = new Map([...free.media, ['up', medium('up', 100)]]);
    expect(simulate(plan(tiles), { ...shared, media }, alone).latency.median).toBeCloseTo(140, 9);
  });

  test('cut-through: two media in a row take as long as the slower', () => {
    const two = fleet([device('a', 'slow')], [medium('slow', 10), medium('fast', 100)], { medium: 'fast' });
    const { latency, utilisation } = simulate(
      plan([{ ms: 0, devices: ['a'], bytesIn: 1000, bytesOut: 1000 }]),
      two,
      alone,
    );
    expect(latency.median).toBeCloseTo(200, 9);
    expect(utilisation).toMatchObject({ 'slow in': 0.5, 'slow out': 0.5, 'fast out': 0.05, 'fast in': 0.05 });
  });

  test('Wi-Fi: through the access point every message takes its airtime twice', () => {
    const air = [medium('air', 100, 'half', 1)];
    const part = [{ ms: 0, devices: ['a'], bytesIn: 1000, bytesOut: 500 }];
    const hubOnCable = fleet([device('a', 'air')], air);
    expect(simulate(plan(part), hubOnCable, alone).latency.median).toBeCloseTo(11 + 6, 9);
    const hubOnAir = fleet([device('a', 'air')], air, { medium: 'air' });
    expect(simulate(plan(part), hubOnAir, alone).latency.median).toBeCloseTo(22 + 12, 9);
  });

  test('a message interrupts a device on the hub, and both get their time', () => {
    const two = fleet([device('hub-device'), device('b', 'cable')], [medium('cable', 1000)], {
      messageMs: 1,
    });
    const { latency, utilisation, timeline } = simulate(
      plan([
        { ms: 40, devices: ['hub-device'] },
        { ms: 10, devices: ['b'] },
      ]),
      two,
      { ...alone, timeline: true },
    );
    // Its own two messages and the other's two.
    expect(latency.median).toBeCloseTo(44, 9);
    expect(utilisation).toMatchObject({ hub: 1, 'hub-device': 40 / 44, b: 10 / 44 });
    const pieces = (timeline ?? []).filter(({ resource }) => resource === 'hub-device');
    expect(pieces.length).toBeGreaterThan(1);
    expect(pieces.reduce((sum, { from, to }) => sum + to - from, 0)).toBeCloseTo(40, 9);
  });
});

describe('a stream', () => {
  const many = { frames: 400, inFlight: 8, binding: 'late' } as const;

  test('saturated, one device: as fast as it computes, whatever the link takes meanwhile', () => {
    const part = [{ ms: 20, devices: ['d0'], bytesIn: 1000, bytesOut: 1000 }];
    const { framesPerSecond, bottleneck, utilisation } = simulate(plan(part), wired(1, 100), many);
    expect(framesPerSecond).toBeCloseTo(50, 6);
    expect(bottleneck).toBe('d0');
    expect(utilisation.d0).toBeCloseTo(1, 6);
    expect(utilisation['m0 in']).toBeCloseTo(0.5, 6);
  });

  test('two frames under way overlap transfer and compute; one does not', () => {
    const part = [{ ms: 20, devices: ['d0'], bytesIn: 1000, bytesOut: 1000 }];
    const rate = (inFlight: number) =>
      simulate(plan(part), wired(1, 100), { ...many, inFlight }).framesPerSecond;
    expect(rate(1)).toBeCloseTo(1000 / 40, 6);
    expect(rate(2)).toBeCloseTo(1000 / 20, 6);
  });

  test('a pipeline runs at the pace of its slower stage', () => {
    const stages = plan([{ ms: 12, devices: ['d0'] }], [{ ms: 30, devices: ['d1'] }]);
    const { framesPerSecond, bottleneck, utilisation } = simulate(stages, wired(2, 1), many);
    expect(framesPerSecond).toBeCloseTo(1000 / 30, 6);
    expect(bottleneck).toBe('d1');
    expect(utilisation.d0).toBeCloseTo(12 / 30, 6);
  });

  test('a half-duplex medium carries both directions in turn, a full-duplex one at once', () => {
    const part = [{ ms: 1, devices: ['d0'], bytesIn: 1000, bytesOut: 1000 }];
    const rate = (duplex: 'half' | 'full') =>
      simulate(plan(part), fleet([device('d0', 'm')], [medium('m', 100, duplex)]), {
        ...many,
        slots: 4,
      });
    expect(rate('full').framesPerSecond).toBeCloseTo(100, 2);
    expect(rate('half').framesPerSecond).toBeCloseTo(50, 2);
    expect(rate('half').bottleneck).toBe('m');
    expect(rate('full').bottleneck).toMatch(/^m (in|out)$/);
  });

  test('two slots cannot hide a round trip that is longer than two tasks', () => {
    const part = [{ ms: 1, devices: ['d0'], bytesIn: 1000, bytesOut: 1000 }];
    const { framesPerSecond } = simulate(plan(part), wired(1, 100), many);
    expect(framesPerSecond).toBeCloseTo(2000 / 21, 2);
  });

  test('a device has its own number of slots', () => {
    const part = [{ ms: 1, devices: ['d0'], bytesIn: 1000, bytesOut: 1000 }];
    const rate = (slots: number): number => {
      const wires = wired(1, 100);
      const devices = wires.devices.map((one) => ({ ...one, slots }));
      return simulate(plan(part), { ...wires, devices }, many).framesPerSecond;
    };
    expect(rate(1)).toBeCloseTo(1000 / 21, 2);
    expect(rate(2)).toBeCloseTo(2000 / 21, 2);
  });

  test('what follows an answer delays no frame alone, but the next of a stream', () => {
    const wires = wired(1, 1000);
    const devices = wires.devices.map((one) => ({ ...one, afterMs: 10 }));
    const run = (frames: number, inFlight: number) =>
      simulate(plan([{ ms: 40, devices: ['d0'] }]), { ...wires, devices }, { ...many, frames, inFlight });
    expect(run(1, 1).latency.max).toBeCloseTo(40);
    expect(run(200, 3).framesPerSecond).toBeCloseTo(20, 1);
  });

  test('while tasks of one block wait for a faster device, a slow one takes those of another', () => {
    // d1 would need 80 ms for block 1, which d0 does in 10; block 2 is for d1 alone.
    const blocks = plan(
      [{ ms: 1, devices: ['d0'] }],
      [{ ms: 10, devices: ['d0', 'd1'] }],
      [{ ms: 1, devices: ['d1'] }],
    );
    const unequal = fleet(
      [device('d0', 'm0', 1), device('d1', 'm1', 8)],
      [medium('m0', 1e6), medium('m1', 1e6)],
    );
    const { framesPerSecond } = simulate(blocks, unequal, { ...many, inFlight: 6 });
    // d0 alone does 1000 / 11 frames a second, and d1 has 8 ms of every frame.
    expect(framesPerSecond).toBeGreaterThan(85);
  });

  test('messages of the hub limit many devices', () => {
    const devices = Array.from({ length: 16 }, (_, at) => `d${at}`);
    const { framesPerSecond, bottleneck } = simulate(
      plan([{ ms: 20, devices }]),
      wired(16, 1000, { messageMs: 1 }),
      { ...many, inFlight: 40 },
    );
    expect(framesPerSecond).toBeCloseTo(500, 0);
    expect(bottleneck).toBe('hub');
  });

  test('replicas: whole frames, late or by turns, add up', () => {
    const devices = ['d0', 'd1', 'd2', 'd3'];
    for (const binding of ['late', 'static'] as const) {
      const { framesPerSecond } = simulate(plan([{ ms: 40, devices }]), wired(4, 1), { ...many, binding });
      expect(framesPerSecond).toBeCloseTo(100, 0);
    }
  });

  test('late binding gives the slow device less, turns give it as much', () => {
    const unequal = fleet(
      ['d0', 'd1', 'd2', 'd3'].map((id, at) => device(id, id, at === 0 ? 4 : 1)),
      ['d0', 'd1', 'd2', 'd3'].map((id) => medium(id, 1)),
    );
    const rate = (binding: 'late' | 'static', inFlight: number) => {
      const options = { ...many, binding, inFlight, frames: 12 * inFlight };
      return simulate(plan([{ ms: 40, devices: ['d0', 'd1', 'd2', 'd3'] }]), unequal, options)
        .framesPerSecond;
    };
    expect(rate('late', 24) / (1000 * (3.25 / 40))).toBeCloseTo(1, 1);
    expect(rate('static', 24) / (1000 * (4 / 160))).toBeCloseTo(1, 1);
    // With few frames under way the others have them done sooner than the slow one would.
    expect(rate('late', 3) / (1000 * (3 / 40))).toBeCloseTo(1, 1);
  });

  test('by the clock: its rate where it keeps up, its capacity and drops where it does not', () => {
    const blocks = plan([{ ms: 20, devices: ['d0'] }]);
    const calm = simulate(blocks, wired(1, 1), { ...many, periodMs: 50 });
    expect(calm.framesPerSecond).toBeCloseTo(20, 6);
    expect(calm.dropped).toBe(0);
    expect(calm.latency).toMatchObject({ median: 20, p90: 20, max: 20 });
    const flooded = simulate(blocks, wired(1, 1), { ...many, periodMs: 10, maxWaiting: 5 });
    expect(flooded.framesPerSecond).toBeCloseTo(50, 1);
    expect(flooded.finished + flooded.dropped).toBe(400);
    expect(flooded.dropped / 400).toBeCloseTo(0.5, 1);
    // Eight under way and five waiting, each taking 20 ms.
    expect(flooded.latency.max).toBeLessThanOrEqual(14 * 20);
  });
});

describe('several sources', () => {
  const tiles = Array.from({ length: 4 }, () => ({ ms: 10, devices: [] }));

  test('static: each keeps its own devices busy, and a busy one the others cannot help', () => {
    const sources = [
      { periodMs: 10, devices: ['d0', 'd1'] },
      { periodMs: 80, devices: ['d2', 'd3'] },
    ];
    const options = { frames: 900, inFlight: 12, sources, maxWaiting: 4 };
    const bound = simulate(plan(tiles), wired(4, 1), { ...options, binding: 'static' });
    expect(bound.utilisation.d0).toBeGreaterThan(0.9);
    expect(bound.utilisation.d2).toBeLessThan(0.5);
    const stolen = simulate(plan(tiles), wired(4, 1), { ...options, binding: 'late' });
    expect(stolen.framesPerSecond).toBeGreaterThan(1.3 * bound.framesPerSecond);
    for (const { sources: by, finished, dropped } of [bound, stolen]) {
      expect(by?.reduce((sum, one) => sum + one.finished, 0)).toBe(finished);
      expect(by?.reduce((sum, one) => sum + one.dropped, 0)).toBe(dropped);
    }
  });

  test('DeepThings: two devices for each of four sources, one of them eight times as busy', () => {
    const eight = wired(8, 100_000);
    const perSecond = 40 / 11;
    const sources = [8, 1, 1, 1].map((share, at) => ({
      periodMs: 1000 / (share * perSecond),
      devices: [`d${2 * at}`, `d${2 * at + 1}`],
    }));
    const parts = Array.from({ length: 4 }, () => ({ ms: 50, devices: [] }));
    const rate = (binding: 'late' | 'static') =>
      simulate(plan(parts), eight, { frames: 2000, inFlight: 16, sources, binding }).framesPerSecond;
    // Static, the busy source has a quarter of the devices: 1/4 + 3/11 of what all of them could do.
    expect(rate('static') / 40).toBeCloseTo(1 / 4 + 3 / 11, 1);
    const gain = rate('late') / rate('static');
    expect(gain).toBeGreaterThan(1.7);
    expect(gain).toBeLessThan(1.95);
  });

  test('steady equal sources lose nothing by either', () => {
    const sources = [0, 1].map((at) => ({ periodMs: 40, devices: [`d${2 * at}`, `d${2 * at + 1}`] }));
    const rates = (['late', 'static'] as const).map(
      (binding) =>
        simulate(plan(tiles), wired(4, 1), { frames: 400, inFlight: 8, sources, binding }).framesPerSecond,
    );
    expect(rates[0]).toBeCloseTo(50, 1);
    expect(rates[1]).toBeCloseTo(50, 1);
  });
});

describe('what it refuses', () => {
  const blocks = plan([{ ms: 1, devices: ['d0'] }]);

  test('a device the fleet does not have', () => {
    expect(() => simulate(plan([{ ms: 1, devices: ['x'] }]), wired(1, 1), alone)).toThrow(/"x"/);
    const sources = [{ periodMs: 1, devices: ['y'] }];
    expect(() => simulate(blocks, wired(1, 1), { ...alone, sources })).toThrow(/"y"/);
  });

  test('a medium the fleet does not have', () => {
    expect(() => simulate(blocks, fleet([device('d0', 'none')]), alone)).toThrow(/"none"/);
  });

  test('options without sense, and plans without a task', () => {
    expect(() => simulate(blocks, wired(1, 1), { ...alone, frames: 0 })).toThrow(/above 0/);
    expect(() => simulate(blocks, wired(1, 1), { ...alone, sources: [] })).toThrow(/above 0/);
    expect(() => simulate([], wired(1, 1), alone)).toThrow(/no task/);
  });
});
