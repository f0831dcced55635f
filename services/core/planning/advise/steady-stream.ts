/** What a plan gives in a steady stream, by the simulator. */

import type { Fleet } from '../cost/fleet.ts';
import type { Draft } from '../draft.ts';
import { type Simulation, simulate } from '../simulate/simulate.ts';
import { framesFor } from '../simulate/stream-rate.ts';
import { devicesOf } from './block-rows.ts';

/** `inFlight` frames under way; absent: two per device, which keeps the slowest resource busy. */
export function steadyStream(draft: Draft, fleet: Fleet, inFlight?: number): Simulation {
  const under = inFlight ?? Math.max(draft.inFlight, 2 * devicesOf(draft, fleet).length);
  return simulate(draft.blocks, fleet, { frames: framesFor(under), inFlight: under, binding: 'late' });
}
