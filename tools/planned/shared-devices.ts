/** What is left of the devices where other pipelines run on them too, and how to say so. */

import type { Fleet } from '../../services/core/planning/cost/fleet.ts';
import { type Contention, slowedBy } from '../../services/core/planning/replan/device-loads.ts';
import { factoredFleet } from '../../services/core/planning/replan/factored-fleet.ts';

export interface Sharing {
  /** Other pipelines whose plans are in force. */
  readonly others: number;
  /** What this pipeline meets on a device. */
  readonly met: (device: string) => Contention;
}

/** A share below this is no reason to say anything. */
const SLIGHT = 0.01;

/** The fleet with what the others leave of each device. */
export function leftOver(fleet: Fleet, { others, met }: Sharing): Fleet {
  if (others === 0) return fleet;
  return factoredFleet(fleet, {
    present: new Set(fleet.devices.map(({ id }) => id)),
    speed: (id) => slowedBy(met(id), others + 1),
    link: () => 1,
  });
}

/** As the end of a sentence; empty where there is no other pipeline. */
export function sharingText({ devices }: Fleet, { others, met }: Sharing): string {
  if (others === 0) return '';
  const taken = devices.flatMap(({ id }) => {
    const { busy } = met(id);
    return busy < SLIGHT ? [] : [`${Math.round(100 * busy)} % of ${id}`];
  });
  if (taken.length === 0) return ' Other pipelines run nothing on these devices now: planned as if alone.';
  return ` Planned with what other pipelines leave: they take ${taken.join(', ')}.`;
}
