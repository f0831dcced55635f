import { expect, test } from 'vitest';
import { leftOver, sharingText } from '../../../tools/planned/shared-devices.ts';
import { toyDevice, toyFleet, toyPlan } from '../../core/planning/replan/world.ts';

const FLEET = toyFleet(['a', 'b'].map((id) => toyDevice(id)));
const alone = { busy: 0, waits: Number.POSITIVE_INFINITY };
const met = (id: string) => (id === 'b' ? { ...alone, busy: 0.48 } : alone);
const rowsOf = (fleet: typeof FLEET) => toyPlan(fleet).blocks[0]?.parts.map(({ tile }) => tile.macs);

test('a second pipeline is planned with what the first leaves of each device', () => {
  expect(rowsOf(leftOver(FLEET, { others: 0, met }))).toEqual([28, 28]);
  expect(rowsOf(leftOver(FLEET, { others: 1, met }))).toEqual([37, 19]);
  // Not less than its fair share.
  expect(
    rowsOf(leftOver(FLEET, { others: 1, met: (id) => (id === 'b' ? { ...alone, busy: 1 } : alone) })),
  ).toEqual([38, 18]);
});

test('and says so', () => {
  expect(sharingText(FLEET, { others: 0, met })).toBe('');
  expect(sharingText(FLEET, { others: 1, met })).toBe(
    ' Planned with what other pipelines leave: they take 48 % of b.',
  );
  expect(sharingText(FLEET, { others: 1, met: () => alone })).toBe(
    ' Other pipelines run nothing on these devices now: planned as if alone.',
  );
});
