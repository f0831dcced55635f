/** Where the time of one frame goes: computing, waiting for links alone, or for the hub alone. */

import type { TimelineEvent } from '../simulate/types.ts';

export interface LatencyParts {
  /** Milliseconds in which some device computes. */
  readonly computeMs: number;
  /** Milliseconds in which something travels and nothing is computed. */
  readonly transferMs: number;
  /** Milliseconds in which the hub alone is busy. */
  readonly hubMs: number;
}

type Kind = TimelineEvent['kind'];

const ORDER: readonly Kind[] = ['compute', 'transfer', 'message'];

/** Of the timeline of one frame: every instant counts for the first of compute, transfer, message that goes on then. */
export function latencyParts(timeline: readonly TimelineEvent[]): LatencyParts {
  const edges = timeline
    .flatMap(({ kind, from, to }) => [
      { at: from, kind, change: 1 },
      { at: to, kind, change: -1 },
    ])
    .sort((a, b) => a.at - b.at);
  const open = { compute: 0, transfer: 0, message: 0 };
  const sum = { compute: 0, transfer: 0, message: 0 };
  let last = 0;
  for (const { at, kind, change } of edges) {
    const going = ORDER.find((one) => open[one] > 0);
    if (going !== undefined) sum[going] += at - last;
    open[kind] += change;
    last = at;
  }
  return { computeMs: sum.compute, transferMs: sum.transfer, hubMs: sum.message };
}
