import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  measuredTogether,
  sharedLink,
  wholeRound,
} from '../../../../services/core/planning/cost/link-sharing.ts';
import { namesText } from '../../../../services/core/planning/cost/names-text.ts';
import type { Profile } from '../../../../services/core/schema/generated/profile.ts';
import { slowProfile } from '../../../support/profiles.ts';

type Together = NonNullable<NonNullable<Profile['link']>['together']>;
interface Flows {
  /** Bytes per millisecond: alone, and with all at once. */
  readonly alone: number;
  readonly all: number;
  readonly half?: boolean;
}

const FREE = { byteMs: 0 };
const MBIT = 125;

function profile(
  device: string,
  { alone, all, half = false }: Flows,
  fields: Partial<Together> = {},
): Profile {
  const both = half ? 2 : 1;
  const together: Together = {
    round: 'r',
    devices: 2,
    at: '2026-01-01T00:00:00Z',
    aloneOutBytesPerMs: alone,
    aloneBothBytesPerMs: alone / both,
    outBytesPerMs: all,
    bothBytesPerMs: all / both,
    ...fields,
  };
  const link = { latencyMs: 2, upBytesPerMs: alone, downBytesPerMs: alone, together };
  return { ...slowProfile(device), link };
}

const round = (flows: Record<string, Flows>): Profile[] =>
  Object.entries(flows).map(([id, flow]) => profile(id, flow, { devices: Object.keys(flows).length }));

describe('rounds', () => {
  test('count when all their devices have answered, the newest first', () => {
    const flow = { alone: 10, all: 10 };
    const [a, b] = round({ a: flow, b: flow });
    const gone = profile('c', flow, { round: 'older', devices: 2, at: '2025-01-01T00:00:00Z' });
    const profiles = [a, b, gone, slowProfile('d')] as Profile[];
    expect(wholeRound(profiles).map(({ device }) => device)).toEqual(['a', 'b']);
    expect(measuredTogether(profiles, ['a'])).toBe(true);
    expect(measuredTogether(profiles, ['a', 'b', 'd'])).toBe(false);
    expect(wholeRound([a, gone] as Profile[])).toEqual([]);
    const late = profile('b', flow, { round: 'later' });
    expect(measuredTogether([a, late] as Profile[], ['a', 'b'])).toBe(false);
  });
});

describe('what is shared', () => {
  test('is one medium of what was seen, where it is as much as one alone had', () => {
    const flow = { alone: 21 * MBIT, all: 7 * MBIT, half: true };
    const found = sharedLink(
      round({ 'pi-1': flow, 'pi-2': flow, 'pi-3': flow, nuc: { alone: 999, all: 990 } }),
      FREE,
    );
    expect(found).toEqual({
      place: 'devices',
      devices: ['pi-1', 'pi-2', 'pi-3'],
      medium: { name: 'medium of pi-1..pi-3', bytesPerMs: 21 * MBIT, duplex: 'half', latencyMs: 2 },
    });
  });

  test('is the way to the hub, where none alone fills it', () => {
    const flow = { alone: 100, all: 50 };
    const found = sharedLink(round({ a: flow, b: flow, c: flow, d: flow, e: { alone: 10, all: 10 } }), FREE);
    expect(found).toMatchObject({ place: 'hub', medium: { bytesPerMs: 210, duplex: 'full', latencyMs: 0 } });
    expect(found?.devices).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  test('is nothing where the hub was the limit, or one device alone was slowed', () => {
    const flow = { alone: 100, all: 50 };
    const flows = round({ a: flow, b: flow });
    expect(sharedLink(flows, FREE)).toBeDefined();
    expect(sharedLink(flows, { byteMs: 0.0045 })).toBeUndefined();
    expect(sharedLink(flows, { byteMs: 0, bytesPerMs: 110 })).toBeUndefined();
    expect(sharedLink(flows, { byteMs: 0, bytesPerMs: 200 })).toBeDefined();
    expect(sharedLink(round({ a: flow, b: { alone: 100, all: 90 } }), FREE)).toBeUndefined();
  });

  test('is found again from what a medium and cables give, whatever their number and speed', () => {
    const noise = fc.double({ min: 0.95, max: 1.05, noNaN: true });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 6 }),
        fc.array(fc.integer({ min: 10, max: 10_000 }), { maxLength: 6 }),
        fc.integer({ min: 10, max: 10_000 }),
        fc.boolean(),
        fc.array(noise, { minLength: 24, maxLength: 24 }),
        (sharers, cables, capacity, half, noises) => {
          let at = 0;
          const seen = (rate: number) => rate * (noises[at++ % noises.length] as number);
          const flows: Record<string, Flows> = {};
          for (let each = 1; each <= sharers; each++)
            flows[`air-${each}`] = { alone: seen(capacity), all: seen(capacity / sharers), half };
          for (const [index, rate] of cables.entries())
            flows[`cable-${index}`] = { alone: seen(rate), all: seen(rate) };
          const found = sharedLink(round(flows), FREE);
          if (sharers < 2) expect(found).toBeUndefined();
          else {
            expect(found?.devices).toEqual(Object.keys(flows).slice(0, sharers));
            expect(found?.place).toBe('devices');
            expect(found?.medium.duplex).toBe(half ? 'half' : 'full');
            expect(Math.abs((found?.medium.bytesPerMs ?? 0) / capacity - 1)).toBeLessThan(0.06);
          }
        },
      ),
    );
  });
});

test.each([
  [[], ''],
  [['a'], 'a'],
  [['b', 'a'], 'a and b'],
  [['pi-10', 'pi-9', 'pi-11'], 'pi-9..pi-11'],
  [['pi-1', 'pi-2', 'attic'], 'attic, pi-1 and pi-2'],
  [['a', 'b', 'c', 'd', 'e', 'x1', 'x2', 'x3'], 'a, b, c, d and 4 others'],
])('%j are called %s', (names, text) => {
  expect(namesText(names)).toBe(text);
});
