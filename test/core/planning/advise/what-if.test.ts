/** Questions as people type them, and the fleets they stand for. */

import { describe, expect, test } from 'vitest';
import {
  changedFleet,
  levelled,
  withSlowestLink,
} from '../../../../services/core/planning/advise/changed-fleet.ts';
import { figure, rateText } from '../../../../services/core/planning/advise/units.ts';
import { parseWhatIf, WHAT_IF_FORMS } from '../../../../services/core/planning/advise/what-if.ts';
import { type Fleet, OTHER } from '../../../../services/core/planning/cost/fleet.ts';
import { MBIT } from '../../../../services/core/planning/units.ts';
import { fleetOfSpeeds } from './fleets.ts';

const ask = (fleet: Fleet, text: string): Fleet => changedFleet(fleet, parseWhatIf(text).changes);
const ids = ({ devices }: Fleet): string[] => devices.map(({ id }) => id);
const wired = fleetOfSpeeds({ speeds: [1, 1, 0.5] });

describe('parsing', () => {
  test.each([
    ['+1 device', [{ kind: 'add', count: 1 }]],
    [' +12 Devices ', [{ kind: 'add', count: 12 }]],
    ['-1 device', [{ kind: 'remove', count: 1 }]],
    ['link=100mbit', [{ kind: 'link', bytesPerMs: 100 * MBIT }]],
    ['link = 0.5 Gbit/s on wifi', undefined],
    ['link=0.5Gbit/s on wifi', [{ kind: 'link', bytesPerMs: 500 * MBIT, on: 'wifi' }]],
    ['link=500kbit', [{ kind: 'link', bytesPerMs: 0.5 * MBIT }]],
    ['link=1mbit on cable of pi-2', [{ kind: 'link', bytesPerMs: MBIT, on: 'cable of pi-2' }]],
    ['memory=256MB', [{ kind: 'memory', bytes: 256e6 }]],
    ['memory=1GiB on pi-2', [{ kind: 'memory', bytes: 2 ** 30, on: 'pi-2' }]],
    ['cpu=0.5 on pi-2', [{ kind: 'cpu', factor: 0.5, on: 'pi-2' }]],
    [
      '+2 devices, link=1gbit',
      [
        { kind: 'add', count: 2 },
        { kind: 'link', bytesPerMs: 1000 * MBIT },
      ],
    ],
  ])('%s', (text, changes) => {
    if (changes === undefined) expect(() => parseWhatIf(text)).toThrow('is none of');
    else expect(parseWhatIf(text).changes).toEqual(changes);
  });

  test.each([
    '',
    '1 device',
    '+0 devices',
    '+65 devices',
    '+1000 devices',
    'link=fast',
    'link=0mbit',
    'link=100MB',
    'memory=-1MB',
    'memory=64',
    'cpu=0',
    'cpu=NaN',
    'cpu=1e9',
    'cpu=1e-9',
    'cpu=0x10',
    'cpu=0.0001',
    'disk=1GB',
    'link=1mbit,',
  ])('"%s" is refused with every form', (text) => {
    expect(() => parseWhatIf(text)).toThrow(
      expect.objectContaining({ code: 'usage', message: expect.stringContaining(WHAT_IF_FORMS.join('; ')) }),
    );
  });

  test('what is wrong with it is said', () => {
    expect(() => parseWhatIf('+65 devices')).toThrow('at most 64 devices');
    expect(() => parseWhatIf('link=fast')).toThrow('"fast" is no speed of a link');
    expect(() => parseWhatIf('cpu=0x10')).toThrow('"0x10" is no factor');
  });

  test('figures for people', () => {
    expect([figure(0.01234), figure(4.25), figure(42.04), figure(689.4), figure(0)]).toEqual([
      '0.012',
      '4.3',
      '42',
      '689',
      '0',
    ]);
    expect([rateText(42 * MBIT), rateText(0.5 * MBIT), rateText(2500 * MBIT)]).toEqual([
      '42 Mbit/s',
      '500 kbit/s',
      '2.5 Gbit/s',
    ]);
  });
});

describe('changed fleets', () => {
  test('a further device is like the last one, on a cable of its own', () => {
    const more = ask(wired, '+2 devices');
    expect(ids(more)).toEqual(['pi-1', 'pi-2', 'pi-3', 'pi-3+1', 'pi-3+2']);
    const [, , like, first, second] = more.devices;
    expect(first).toMatchObject({ kinds: like?.kinds, estimated: true });
    expect(new Set([like?.medium, first?.medium, second?.medium]).size).toBe(3);
    expect(more.media.get(first?.medium ?? '')).toMatchObject({ bytesPerMs: 1000 * MBIT, duplex: 'full' });
  });

  test('on the air it shares the air', () => {
    const fleet = fleetOfSpeeds({ speeds: [1, 1], wifi: true });
    const more = ask(fleet, '+1 device');
    expect(more.devices.at(-1)?.medium).toBe('wifi');
    expect(more.media).toEqual(fleet.media);
  });

  test('beside a machine without any link it is behind an assumed cable', () => {
    const more = ask(fleetOfSpeeds({ speeds: [1] }), '+1 device');
    expect(more.devices[0]?.medium).toBeUndefined();
    const medium = more.devices[1]?.medium ?? '';
    expect(more.media.get(medium)?.duplex).toBe('full');
    const alone: Fleet = {
      ...fleetOfSpeeds({ speeds: [1] }),
      media: new Map(),
      hub: { messageMs: 0, byteMs: 0 },
    };
    const two = ask(alone, '+1 device, link=10mbit');
    expect([...two.media.values()].map(({ bytesPerMs }) => bytesPerMs)).toEqual([10 * MBIT, 10 * MBIT]);
    expect(two.hub.medium).toBe('hub-link');
  });

  test('fewer devices, but never none', () => {
    expect(ids(ask(wired, '-2 devices'))).toEqual(['pi-1']);
    expect(() => ask(wired, '-3 devices')).toThrow(/leaves none of 3/);
  });

  test('one link or all', () => {
    const one = ask(wired, 'link=5mbit on cable-2');
    expect(one.media.get('cable-2')?.bytesPerMs).toBe(5 * MBIT);
    expect(one.media.get('cable-3')?.bytesPerMs).toBe(1000 * MBIT);
    expect([...ask(wired, 'link=5mbit').media.values()].every(({ bytesPerMs }) => bytesPerMs === 625)).toBe(
      true,
    );
    expect(() => ask(wired, 'link=5mbit on cable-4')).toThrow(/no medium "cable-4"; did you mean/);
  });

  test('memory is what a worker has beside itself', () => {
    const small = ask(wired, 'memory=32MB on pi-2');
    expect(small.devices.map(({ memoryBytes }) => memoryBytes)).toEqual([
      Number.POSITIVE_INFINITY,
      96e6,
      Number.POSITIVE_INFINITY,
    ]);
    expect(() => ask(wired, 'memory=32MB on nobody')).toThrow(/there are: pi-1, pi-2, pi-3/);
  });

  test('a slower processor takes longer for everything it does; the hub with the device on it', () => {
    const slower = ask(wired, 'cpu=0.5 on pi-1');
    expect(slower.devices[0]?.kinds.get(OTHER)?.mac).toBeCloseTo(2e-7);
    expect(slower.devices[0]?.taskMs).toBeCloseTo(0.6);
    expect(slower.hub.messageMs).toBeCloseTo(0.1);
    expect(ask(wired, 'cpu=0.5 on pi-2').hub).toEqual(wired.hub);
    expect(slower.devices[1]).toEqual(wired.devices[1]);
  });

  test('links in proportion to the slowest', () => {
    const mixed = ask(wired, 'link=100mbit on cable-2');
    const slow = withSlowestLink(mixed, 10 * MBIT);
    expect(slow.media.get('cable-2')?.bytesPerMs).toBeCloseTo(10 * MBIT);
    expect(slow.media.get('cable-3')?.bytesPerMs).toBeCloseTo(100 * MBIT);
  });

  test('levelled devices are equal and together as fast for the same share', () => {
    const { devices } = levelled(wired);
    const macs = devices.map(({ kinds }) => kinds.get(OTHER)?.mac);
    expect(new Set(macs).size).toBe(1);
    expect(macs[0]).toBeCloseTo(((1 + 1 + 2) * 1e-7) / 3);
  });
});
