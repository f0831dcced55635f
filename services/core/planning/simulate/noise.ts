/** Seeded variation of compute times. */

/**
 * A source of factors, uniform in [1 - share, 1 + share]: mulberry32 (T. Ettinger, public domain), one 32-bit state,
 * the same on every machine.
 */
export function noise(share: number, seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return 1 + share * (2 * (((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000) - 1);
  };
}
