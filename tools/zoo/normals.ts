/** Seeded numbers of nearly normal distribution, fast enough for a hundred million of them. */

/** FNV-1a, 32 bits: where the numbers of a tensor start. */
export function startOf(name: string, seed: number): number {
  let state = (0x811c9dc5 ^ seed) >>> 0;
  for (let i = 0; i < name.length; i++) state = Math.imul(state ^ name.charCodeAt(i), 0x01000193) >>> 0;
  return state;
}

/** Mean of the sum of four bytes, and its standard deviation: four times (256^2 - 1) / 12, under the root. */
const CENTRE = 2 * 255;
const SPREAD = Math.sqrt((4 * (256 ** 2 - 1)) / 12);

/**
 * Fills `target` with numbers of mean 0 and the deviation given and returns the state to go on with. Each is the sum
 * of the four bytes of one SplitMix32 output (Irwin-Hall: tails end at 3.45 deviations), about 2 ns.
 */
export function fillNormal(target: Float32Array, start: number, deviation: number): number {
  const scale = deviation / SPREAD;
  let state = start;
  for (let i = 0; i < target.length; i++) {
    state = (state + 0x9e3779b9) | 0;
    let bits = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97);
    bits ^= bits >>> 15;
    const sum = (bits & 255) + ((bits >>> 8) & 255) + ((bits >>> 16) & 255) + (bits >>> 24);
    target[i] = (sum - CENTRE) * scale;
  }
  return state;
}

/** Takes a share of its mean from each row of `length` numbers. */
export function centreRows(target: Float32Array, length: number, share: number): void {
  for (let row = 0; row < target.length; row += length) {
    let sum = 0;
    for (let i = row; i < row + length; i++) sum += target[i] as number;
    const shift = (share * sum) / length;
    for (let i = row; i < row + length; i++) target[i] = (target[i] as number) - shift;
  }
}
