/** What an exchange of strips is thought to cost where some devices are reached without the hub. */

import { expect, test } from 'vitest';
import { viewOf } from '../../../../services/core/planning/search/fleet-view.ts';
import { keeping, keptCost } from '../../../../services/core/planning/search/halo-cost.ts';
import { fleetOf } from './small.ts';

const THIRDS = { bands: [1, 1, 1].map(() => ({ share: 1 / 3, columns: [1] })) };
const STRIPS = { bytes: 300_000, packed: 0 };
const EACH = { reads: [0.4, 0.4, 0.4], lacks: [0.1, 0.1, 0.1], writes: [1 / 3, 1 / 3, 1 / 3] };

/** Of an exchange on two devices far away and one on the hub, the first `brokers` with brokers of their own. */
function stayMs(brokers: number): number {
  const fleet = fleetOf({
    slowness: [1, 1],
    local: 1,
    link: { bytesPerMs: 500 },
    hubLink: { bytesPerMs: 500 },
  });
  const far = fleet.devices.filter(({ medium }) => medium !== undefined);
  const devices = fleet.devices.map((device) =>
    far.indexOf(device) >= 0 && far.indexOf(device) < brokers ? { ...device, endpoint: true } : device,
  );
  const view = viewOf({ ...fleet, devices });
  const keep = keeping(view.members, THIRDS);
  const shares = { ...EACH, computeMs: [5, 5, 5] };
  return keptCost(view, keep, shares, { entering: STRIPS, staying: STRIPS, leaving: STRIPS }).stayMs;
}

test('strips to devices with brokers of their own do not pass the hub, whoever else keeps a tile', () => {
  expect(stayMs(1)).toBeLessThan(stayMs(0));
  expect(stayMs(2)).toBeLessThan(stayMs(1));
});
