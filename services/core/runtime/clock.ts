/** Time as the program uses it: monotonic, and meaningful on this device only. */

/** Milliseconds since an arbitrary start, with fractions; never goes backwards. */
export function monotonicMs(): number {
  return performance.now();
}
