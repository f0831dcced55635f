/** When a swinging link has which speed, and what an oracle would have needed for the frames on it. */

export interface Level {
  /** Milliseconds since the swing began. */
  readonly from: number;
  readonly mbit: number;
}

/** A level stays for so long, in milliseconds. */
const LEAST_MS = 20_000;
const MOST_MS = 75_000;

/** Levels in random order, never one twice in a row, each of them once before any comes again. */
export function levelsFor(totalMs: number, mbits: readonly number[], random: () => number): Level[] {
  const levels: Level[] = [];
  let left: number[] = [];
  // A swing too short for every level has shorter ones.
  const scale = Math.min(1, totalMs / (mbits.length * MOST_MS));
  for (let from = 0; from < totalMs; ) {
    if (left.length === 0) left = [...mbits];
    const last = levels.at(-1)?.mbit;
    const choices = left.filter((mbit) => mbit !== last);
    const pool = choices.length === 0 ? mbits.filter((mbit) => mbit !== last) : choices;
    const mbit = pool[Math.floor(random() * pool.length)] as number;
    left = left.filter((other) => other !== mbit);
    levels.push({ from, mbit });
    from += scale * (LEAST_MS + (MOST_MS - LEAST_MS) * random());
  }
  return levels;
}

/** Milliseconds for all frames, had each run on the best plan of the levels it saw, by the share of its time in each. */
export function oracleMs(
  frames: readonly { readonly roundTripMs: number; readonly endedAt: number }[],
  levels: readonly Level[],
  bestMs: (mbit: number) => number,
): number {
  let total = 0;
  for (const { roundTripMs, endedAt } of frames) {
    const start = endedAt - roundTripMs;
    for (const [at, { from, mbit }] of levels.entries()) {
      const until = levels[at + 1]?.from ?? Number.POSITIVE_INFINITY;
      // What began before the swing is of its first level.
      const begin = at === 0 ? Number.NEGATIVE_INFINITY : from;
      const share = (Math.min(until, endedAt) - Math.max(begin, start)) / roundTripMs;
      if (share > 0) total += share * bestMs(mbit);
    }
  }
  return total;
}
