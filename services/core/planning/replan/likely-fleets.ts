/** What may become of a fleet: what to be prepared for. */

import type { Fleet } from '../cost/fleet.ts';
import { factoredFleet } from './factored-fleet.ts';

/** HotEdge'19 slows a device down to a quarter. */
const SLOW = 4;

/** Each device once slow and once away; the fleet as it is comes first. */
export function* likelyFleets(fleet: Fleet): Generator<Fleet> {
  yield fleet;
  const ids = fleet.devices.map(({ id }) => id);
  const link = (): number => 1;
  if (ids.length < 2) return;
  for (const id of ids) {
    yield factoredFleet(fleet, { present: new Set(ids), speed: (each) => (each === id ? SLOW : 1), link });
    const others = new Set(ids.filter((each) => each !== id));
    yield factoredFleet(fleet, { present: others, speed: () => 1, link });
  }
}
