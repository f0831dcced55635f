/** What may become of a fleet: what to be prepared for. */

import type { Fleet } from '../cost/fleet.ts';
import { factoredFleet } from './factored-fleet.ts';

/** What lies about that: plans for these share much, but not every sub-model. */
const ABOUT = [2, 3, 5, 7] as const;
/** HotEdge'19 slows a device down to a quarter. */
const SLOW = 4;
/** Times by which all links become slower: from 200 Mbit/s to 0.8. */
const FAR = [4, 16, 64, 256] as const;

/** Each device once slow and once away, then all links slower; the fleet as it is comes first. */
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
  if (fleet.devices.every(({ medium }) => medium === undefined)) return;
  for (const slower of FAR)
    yield factoredFleet(fleet, { present: new Set(ids), speed: () => 1, link: () => slower });
}

/** Each device once at other speeds than that; for these the cuts of plans for likely fleets will do. */
export function* nearbyFleets(fleet: Fleet): Generator<Fleet> {
  const ids = fleet.devices.map(({ id }) => id);
  if (ids.length < 2) return;
  for (const slower of ABOUT)
    for (const id of ids)
      yield factoredFleet(fleet, {
        present: new Set(ids),
        speed: (each) => (each === id ? slower : 1),
        link: () => 1,
      });
}
