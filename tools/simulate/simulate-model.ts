/** A model planned for a fleet and simulated on it, or on many more of the same devices. */

import type { OpenedModel } from '../../services/controller/prepare.ts';
import type { Fleet } from '../../services/core/planning/cost/fleet.ts';
import type { DraftBlock } from '../../services/core/planning/draft.ts';
import { type Objective, openSpace, search } from '../../services/core/planning/search/search.ts';
import { type SimulateOptions, simulate } from '../../services/core/planning/simulate/simulate.ts';
import type { SimulationReport } from '../../services/core/schema/generated/simulation.ts';
import { scaledBlocks, scaledFleet } from './scaled-fleet.ts';
import { timelineSvg } from './timeline-svg.ts';

export interface SimulateModelOptions {
  readonly objective: Objective;
  /** Frames of the stream; absent: several times those in flight, so that there is a steady state. */
  readonly frames?: number | undefined;
  /** Frames under way at once; absent: what the plan is meant for, times the repetition of its devices. */
  readonly inFlight?: number | undefined;
  /** Frames per second that arrive; absent: the next one is always waiting. */
  readonly rate?: number | undefined;
  /** Devices in all; absent: those described. */
  readonly scale?: number | undefined;
}

export interface SimulatedModel {
  readonly report: SimulationReport;
  /** Draws the first frames of the stream. */
  readonly picture: () => string;
}

/** Frames in a picture: enough to see them overlap; with more, bars would be too thin to see. */
const LEAST_DRAWN = 3;
const MOST_DRAWN = 12;

/** Frames of a stream unless others are asked for, and how often those in flight are to be replaced in it. */
const LEAST_FRAMES = 200;
const TURNS = 8;

/** Throws what `search` throws, and `usage` where the devices cannot be repeated as asked. */
export function simulateModel(
  { name, digest, graph, analysis }: OpenedModel,
  described: Fleet,
  { objective, frames, inFlight, rate, scale }: SimulateModelOptions,
): SimulatedModel {
  const { best } = search(openSpace(graph, analysis), described, {
    objective,
    ...(inFlight === undefined || scale !== undefined ? {} : { inFlight }),
  });
  const scaled = scaledFleet(described, scale ?? described.devices.length);
  const blocks = scaledBlocks(best.blocks, scaled);
  // As many times the frames as there are times the devices that work for them.
  const times = devicesIn(blocks) / devicesIn(best.blocks);
  const credit = inFlight ?? Math.ceil(best.inFlight * times);
  const offered = frames ?? Math.max(LEAST_FRAMES, TURNS * credit);
  const stream: SimulateOptions = {
    frames: offered,
    inFlight: credit,
    binding: 'late',
    ...(rate === undefined ? {} : { periodMs: 1000 / rate }),
  };
  const alone = simulate(best.blocks, described, { frames: 1, inFlight: 1, binding: 'late' });
  const { finished, dropped, elapsedMs, framesPerSecond, latency, utilisation, bottleneck, bytesPerFrame } =
    simulate(blocks, scaled.fleet, stream);
  return {
    report: {
      model: name,
      digest,
      objective,
      devices: { described: described.devices.length, simulated: scaled.fleet.devices.length },
      plan: { strategy: best.strategy, blocks: blocks.map(blockRow) },
      alone: { latencyMs: alone.latency.median, predictedMs: best.predicted.latencyMs },
      stream: {
        offered,
        inFlight: credit,
        rate: rate ?? null,
        finished,
        dropped,
        elapsedMs,
        framesPerSecond,
        latency,
        utilisation,
        bottleneck,
        bytesPerFrame,
      },
    },
    picture: () => {
      const drawn = Math.min(offered, MOST_DRAWN, Math.max(LEAST_DRAWN, 2 * credit));
      const first = { ...stream, frames: drawn, timeline: true };
      return timelineSvg(simulate(blocks, scaled.fleet, first));
    },
  };
}

function devicesIn(blocks: readonly DraftBlock[]): number {
  return new Set(blocks.flatMap(({ parts }) => parts.flatMap(({ devices }) => devices))).size;
}

function blockRow({ mode, parts }: DraftBlock): SimulationReport['plan']['blocks'][number] {
  const devices = new Set(parts.flatMap((part) => part.devices));
  return { mode, parts: parts.length, devices: devices.size };
}
