/** What-if runs: a fleet repeated, a model planned and simulated on it, and the picture of it. */

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { OpenedModel } from '../../services/controller/prepare.ts';
import type { Device, Fleet } from '../../services/core/planning/cost/fleet.ts';
import { simulate } from '../../services/core/planning/simulate/simulate.ts';
import { packageRoot } from '../../services/core/runtime/entry.ts';
import { validator } from '../../services/core/runtime/validate.ts';
import type { Profile } from '../../services/core/schema/generated/profile.ts';
import { simulationSchema } from '../../services/core/schema/generated/simulation.ts';
import { scaledBlocks, scaledFleet } from '../../tools/simulate/scaled-fleet.ts';
import { simulateModel } from '../../tools/simulate/simulate-model.ts';
import { tickStep, timelineSvg } from '../../tools/simulate/timeline-svg.ts';
import { device, fleet, medium, plan, wired } from '../core/planning/simulate/hand-made.ts';
import { temporaryFolder } from '../support/cluster.ts';
import { residualNetwork } from '../support/networks.ts';
import { openModel } from '../support/open-model.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

/** A device of so many multiply-accumulates per millisecond. */
function counting(id: string, macsPerMs: number, on?: string): Device {
  const kinds = new Map([['other', { run: 0, mac: 1 / macsPerMs, byte: 0, weight: 0 }]]);
  return { ...device(id, on), kinds, taskMs: 0.1 };
}

/** Four devices that need about as long for the whole network as for sending it, on cables of their own. */
const FOUR: Fleet = fleet(
  [1, 2, 3, 4].map((at) => counting(`box${at}`, 20_000, `cable${at}`)),
  [1, 2, 3, 4].map((at) => medium(`cable${at}`, 25_000, 'full', 0.05)),
  { messageMs: 0.5 },
);

function profile(name: string): Profile {
  return {
    format: 1,
    device: name,
    hardware: { processor: 'none', arch: 'none', threads: 1 },
    executor: 'none',
    estimated: true,
    idleBytes: 50e6,
    taskMs: 0.1,
    byteMs: 0,
    kinds: { other: { run: 0, mac: 0.00005, byte: 0, weight: 0 } },
  };
}

describe('a fleet repeated', () => {
  const cables = fleet(
    [device('hub-box'), device('a', 'cable'), device('b', 'air'), device('c', 'air')],
    [medium('cable', 100), medium('air', 10, 'half')],
  );

  test('repeats devices off the hub in turn, their own media with them, shared ones not', () => {
    const { fleet: many, copies } = scaledFleet(cables, 9);
    expect(many.devices.map(({ id, medium: on }) => [id, on])).toEqual([
      ['hub-box', undefined],
      ['a', 'cable'],
      ['b', 'air'],
      ['c', 'air'],
      ['a-2', 'cable-2'],
      ['b-2', 'air'],
      ['c-2', 'air'],
      ['a-3', 'cable-3'],
      ['b-3', 'air'],
    ]);
    expect([...many.media.keys()]).toEqual(['cable', 'air', 'cable-2', 'cable-3']);
    expect(copies.get('a')).toEqual(['a', 'a-2', 'a-3']);
    expect(copies.get('c')).toEqual(['c', 'c-2']);
  });

  test('a part may run on any copy of its device', () => {
    const scaled = scaledFleet(cables, 6);
    const [block] = scaledBlocks(plan([{ ms: 1, devices: ['b', 'a'] }]), scaled);
    expect(block?.parts[0]?.devices).toEqual(['b', 'b-2', 'a', 'a-2']);
  });

  test('refuses fewer devices than there are, and a fleet with nothing to repeat', () => {
    const numbered = fleet(
      [device('pi', 'm'), device('pi-2', 'm-2')],
      [medium('m', 100), medium('m-2', 100)],
    );
    const names = scaledFleet(numbered, 5).fleet.devices.map(({ id }) => id);
    expect(new Set(names).size).toBe(5);
    expect(() => scaledFleet(cables, 3)).toThrow(/less than the 4/);
    expect(() => scaledFleet(fleet([device('alone')]), 2)).toThrow(/on the hub/);
  });
});

describe('a model simulated', () => {
  const check = validator(simulationSchema, 'internal');
  let model: OpenedModel;

  beforeAll(async () => {
    model = await openModel(folder.path, residualNetwork(), { name: 'network', shapes: new Map() });
  });

  test('one frame alone takes what the planner expects', () => {
    const { report } = simulateModel(model, FOUR, { objective: 'latency', frames: 20 });
    check(report);
    expect(report.alone.latencyMs / report.alone.predictedMs).toBeCloseTo(1, 1);
    expect(report.stream).toMatchObject({ offered: 20, finished: 20, dropped: 0, inFlight: 1 });
  });

  test('more devices, more frames, until the hub is busy', () => {
    const rates = [4, 8, 400].map((scale) => {
      const { report } = simulateModel(model, FOUR, { objective: 'throughput', scale });
      check(report);
      return report.stream;
    });
    expect((rates[1]?.framesPerSecond ?? 0) / (rates[0]?.framesPerSecond ?? 1)).toBeCloseTo(2, 0);
    // Two messages per frame, each half a millisecond.
    expect((rates[2]?.framesPerSecond ?? 0) / 1000).toBeCloseTo(1, 1);
    expect(rates[2]?.bottleneck).toBe('hub');
  });

  test('frames by the clock keep their rate', () => {
    const { report } = simulateModel(model, FOUR, { objective: 'throughput', frames: 100, rate: 5 });
    expect(report.stream.framesPerSecond).toBeCloseTo(5, 3);
    expect(report.stream.rate).toBe(5);
  });

  test('the first frames as a picture', () => {
    const { picture } = simulateModel(model, FOUR, { objective: 'throughput', frames: 100 });
    expect(picture()).toMatch(/^<svg .*<\/svg>$/s);
  });
});

describe('the command', () => {
  const devices = `
hub: { medium: uplink }
media: [{ name: uplink, mbit: 400 }]
devices:
  - { name: box1, mbit: 200, profile: ${JSON.stringify(profile('box1'))} }
  - { name: box2, mbit: 200, like: box1 }
`;

  function tilepipe(...args: readonly string[]) {
    const command = join(packageRoot(), 'tools', 'tilepipe.mjs');
    const { status, stdout, stderr } = spawnSync(process.execPath, [command, 'simulate', ...args], {
      encoding: 'utf8',
      env: { ...process.env, TILEPIPE_CACHE: join(folder.path, 'cache') },
      timeout: 120_000,
    });
    return { status, stdout, stderr };
  }

  test('reads the devices, repeats them, prints its schema and writes the picture', () => {
    const model = join(folder.path, 'network.onnx');
    const file = join(folder.path, 'devices.yaml');
    const picture = join(folder.path, 'timeline.svg');
    writeFileSync(model, residualNetwork());
    writeFileSync(file, devices);
    const given = ['--model', model, '--devices', file, '--scale', '50', '--rate', '20', '--svg', picture];
    const { status, stdout, stderr } = tilepipe(...given, '--json');
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const report: unknown = JSON.parse(stdout);
    validator(simulationSchema, 'internal')(report);
    expect(report).toMatchObject({
      devices: { described: 2, simulated: 50 },
      stream: { rate: 20, dropped: 0 },
    });
    expect(readFileSync(picture, 'utf8')).toMatch(/^<svg .*<\/svg>\s*$/s);
    const shown = tilepipe(...given);
    expect(shown.stdout).toContain('repeated to 50');
    expect(shown.stdout).toContain('bottleneck');
    expect(tilepipe(...given, '--objective', 'speed').status).toBe(2);
  });
});

describe('the timeline', () => {
  const blocks = plan(
    [
      { ms: 20, devices: ['d0'], bytesIn: 500, bytesOut: 300 },
      { ms: 20, devices: ['d1'], bytesIn: 500, bytesOut: 300 },
    ],
    [{ ms: 30, devices: ['<&>'], bytesIn: 600, bytesOut: 10 }],
  );
  const two = wired(2, 100, { messageMs: 1, medium: 'up' });
  const three: Fleet = {
    ...two,
    devices: [...two.devices, device('<&>', 'up-too')],
    media: new Map([...two.media, ['up', medium('up', 300)], ['up-too', medium('up-too', 100)]]),
  };
  const simulation = simulate(blocks, three, { frames: 3, inFlight: 2, binding: 'late', timeline: true });

  test('has a bar for every interval, and rows for devices, their links and what they share', () => {
    const svg = timelineSvg(simulation);
    expect(svg.match(/<title>/g)?.length).toBe(simulation.timeline?.length);
    for (const label of ['d0', 'm0 in', 'm1 out', 'hub', 'up out', 'block 1'])
      expect(svg).toContain(`>${label}<`);
    expect(svg).toContain('>&lt;&amp;&gt;<');
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  test('takes colours of devices, a width and an end', () => {
    const colours = new Map([['d0', '#123456']]);
    const svg = timelineSvg(simulation, { width: 600, colours, untilMs: 20 });
    expect(svg).toContain('fill="#123456"');
    expect(svg).toContain('width="600"');
    expect(svg).not.toContain('frame 2,');
    expect(svg).not.toContain('>block 1<');
  });

  test('says how many devices it leaves out', () => {
    const svg = timelineSvg(simulation, { mostDevices: 1 });
    expect(svg).toContain('and 2 more devices');
    expect(svg).toContain('>&lt;&amp;&gt;<');
    expect(svg).not.toContain('>d0<');
  });

  test('of nothing is an empty one', () => {
    const { timeline: _, ...rest } = simulation;
    expect(timelineSvg(rest)).toMatch(/^<svg .*<\/svg>$/s);
  });

  test.each([
    [0.7, 1],
    [1.2, 2],
    [3, 5],
    [6, 10],
    [0.03, 0.05],
  ])('ticks at least %f apart are %f apart', (least, step) => {
    expect(tickStep(least)).toBeCloseTo(step, 9);
  });
});
