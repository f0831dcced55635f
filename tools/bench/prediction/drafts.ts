/** A case as a plan for a fleet, and what is expected of it. */

import type { Fleet } from '../../../services/core/planning/cost/fleet.ts';
import type { Draft } from '../../../services/core/planning/draft.ts';
import { draftOf } from '../../../services/core/planning/search/fixed.ts';
import { type SearchSpace, search } from '../../../services/core/planning/search/search.ts';
import { simulate } from '../../../services/core/planning/simulate/simulate.ts';
import type { PredictedCase } from './cases.ts';
import type { Processors } from './targets.ts';

export interface ExpectedPlan {
  readonly draft: Draft;
  readonly inFlight: number;
  /** Of a frame among `inFlight`, by the simulator. */
  readonly simulatedMs: number;
  /** Of a frame alone, by the search's own arithmetic. */
  readonly searchedMs: number;
  /** Of the slowest task of each block, summed. */
  readonly taskMs: number;
  /** By frame; of the hub without a camera. */
  readonly processors: Processors;
}

/** Frames of a simulation for each that is under way: enough for a steady state. */
const ROUNDS = 12;

/** Shares of a processor that the machines have. */
export interface Shares {
  readonly hub: number;
  readonly devices: Readonly<Record<string, number>>;
}

/** Throws `plan-impossible` where a search finds nothing. */
export function expectedPlan(
  space: SearchSpace,
  fleet: Fleet,
  { how, inFlight: wanted }: PredictedCase,
  shares: Shares,
): ExpectedPlan {
  const ids = fleet.devices.map(({ id }) => id);
  const draft = 'objective' in how ? search(space, fleet, how).best : handMade(space, fleet, ids, how);
  const inFlight = wanted ?? draft.inFlight;
  const { latency } = simulate(draft.blocks, fleet, { frames: ROUNDS * inFlight, inFlight, binding: 'late' });
  const slowest = draft.blocks.map(({ parts }) =>
    Math.max(...parts.map(({ predictedMs = 0 }) => predictedMs)),
  );
  return {
    draft,
    inFlight,
    simulatedMs: latency.median,
    searchedMs: draft.predicted.latencyMs,
    taskMs: slowest.reduce((sum, ms) => sum + ms, 0),
    processors: processorsOf(draft, fleet, shares),
  };
}

/** What a frame takes of processors, all of its parts on the devices they prefer. */
function processorsOf({ blocks }: Draft, { hub }: Fleet, shares: Shares): Processors {
  let [hubMs, devicesMs] = [0, 0];
  for (const { bytesIn, bytesOut, predictedMs = 0, devices } of blocks.flatMap(({ parts }) => parts)) {
    hubMs += shares.hub * (2 * hub.messageMs + hub.byteMs * (bytesIn + bytesOut));
    devicesMs += (shares.devices[devices[0] ?? ''] ?? 0) * predictedMs;
  }
  return { hubMs, devicesMs };
}

function handMade(
  space: SearchSpace,
  fleet: Fleet,
  ids: readonly string[],
  { cuts, covers, on, late }: Exclude<PredictedCase['how'], { objective: string }>,
): Draft {
  return draftOf(space, fleet, {
    cuts,
    devices: on?.map((positions) => positions.map((at) => ids[at] ?? `device ${at}`)) ?? ids,
    ...(covers === undefined ? {} : { covers }),
    ...(late === undefined ? {} : { late }),
  });
}

/** Devices that have a part in a plan. */
export function devicesUsed({ blocks }: Draft): number {
  return new Set(blocks.flatMap(({ parts }) => parts.flatMap(({ devices }) => devices))).size;
}
