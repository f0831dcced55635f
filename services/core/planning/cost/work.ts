/** What a task costs before a device is known: sums of features per kind of operator, so that a device's time is linear in them. */

/**
 * Features of all operators of one kind in a task. A device's regression has one coefficient for each
 * (HotEdge'19 and its predecessors fit one line per operator type).
 */
export interface KindWork {
  /** Key of the regression: an operator type, convolutions split by what decides their speed. */
  readonly kind: string;
  /** Operators of this kind that run. */
  readonly runs: number;
  /** Multiply-accumulates, redundant halo work included. */
  readonly macs: number;
  /** Bytes of activations read and written. */
  readonly bytes: number;
  /** Bytes of weights read. */
  readonly weights: number;
}

/** One entry per kind that occurs. */
export type Work = readonly KindWork[];

/** The work of several tasks together. */
export function sumWork(works: Iterable<Work>): Work {
  const total = new Map<string, { -readonly [K in keyof KindWork]: KindWork[K] }>();
  for (const work of works) {
    for (const { kind, runs, macs, bytes, weights } of work) {
      const sum = total.get(kind);
      if (sum === undefined) total.set(kind, { kind, runs, macs, bytes, weights });
      else {
        sum.runs += runs;
        sum.macs += macs;
        sum.bytes += bytes;
        sum.weights += weights;
      }
    }
  }
  return [...total.values()];
}
