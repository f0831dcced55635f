import { expect, test } from 'vitest';
import { viewOf } from '../../../../services/core/planning/search/fleet-view.ts';
import { fleetFor } from '../../../../tools/bench/search/times.ts';

test('a fleet of any size, of four kinds of device on cables of their own', () => {
  const { members } = viewOf(fleetFor(16));
  expect(members).toHaveLength(16);
  expect(new Set(members.map(({ kind }) => kind)).size).toBe(4);
  expect(new Set(members.map(({ device }) => device.medium)).size).toBe(16);
});
