/** When the frames of several cameras come: one of them busy at a time, or all alike. */

export interface SourceLoad {
  readonly sources: number;
  /** Frames per second of all sources together. */
  readonly framesPerSecond: number;
  /** How many times as busy as each other the busy source is; 1: all alike. */
  readonly busyTimes: number;
  /** Milliseconds after which another is the busy one. */
  readonly moveMs: number;
  readonly durationMs: number;
}

export interface SourceArrival {
  readonly source: number;
  /** Milliseconds after the first could have come. */
  readonly at: number;
}

/** Even gaps within each source and stretch, the sources' first frames spread; in the order they come. */
export function arrivalsOf(load: SourceLoad): SourceArrival[] {
  const { sources, framesPerSecond, busyTimes, moveMs, durationMs } = load;
  const slowGapMs = (1000 * (busyTimes + sources - 1)) / framesPerSecond;
  const arrivals: SourceArrival[] = [];
  for (let source = 0; source < sources; source++) {
    // The share of a gap that has passed since the source's last frame: gaps change where the busy one moves.
    let passed = 1 - source / sources;
    for (let from = 0; from < durationMs; from += moveMs) {
      const until = Math.min(from + moveMs, durationMs);
      const isBusy = Math.round(from / moveMs) % sources === source;
      const gapMs = isBusy ? slowGapMs / busyTimes : slowGapMs;
      let at = from + (1 - passed) * gapMs;
      for (; at < until; at += gapMs) arrivals.push({ source, at });
      passed = 1 - (at - until) / gapMs;
    }
  }
  return arrivals.sort((a, b) => a.at - b.at || a.source - b.source);
}

/**
 * The most that sharing everything can gain over devices of their own for each source, where all that is offered could
 * be done by all devices together and nothing waits: 1 over what the sources' own devices can do of it.
 */
export function sharingBound({ sources, busyTimes }: Pick<SourceLoad, 'sources' | 'busyTimes'>): number {
  const offered = (times: number): number => times / (busyTimes + sources - 1);
  const done = (times: number): number => Math.min(offered(times), 1 / sources);
  return 1 / (done(busyTimes) + (sources - 1) * done(1));
}
