/**
 * Single precision as bytes: 256 equal steps over the range of one piece, 0 kept exact. A value is
 * (byte - zeroPoint) * scale, computed in double precision and rounded to single. No value is off by more than half a
 * step, but for that last rounding.
 */

/** How the bytes of one piece stand for its values: the step, above 0, and the byte that stands for 0. */
export type Scale = readonly [scale: number, zeroPoint: number];

const STEPS = 255;

/** Wider ranges could leave single precision when they are read back. */
const WIDEST = 1e38;

/** Of nothing, and of nothing but zeros. */
export const UNIT_SCALE: Scale = [1, 0];

/** Steps for these values, or undefined where one of them is not finite (or all but): such a piece has no such form. */
export function scaleFor(values: Float32Array): Scale | undefined {
  const { length } = values;
  let low = 0;
  let high = 0;
  // A value that is not a number is below nothing and above nothing: it is told by the sum of the values times 0, as
  // infinite ones are. Four sums, because each addition waits for the one before it.
  let sum0 = 0;
  let sum1 = 0;
  let sum2 = 0;
  let sum3 = 0;
  let i = 0;
  for (; i + 3 < length; i += 4) {
    const a = values[i] as number;
    const b = values[i + 1] as number;
    const c = values[i + 2] as number;
    const d = values[i + 3] as number;
    sum0 += a * 0;
    sum1 += b * 0;
    sum2 += c * 0;
    sum3 += d * 0;
    if (a < low) low = a;
    else if (a > high) high = a;
    if (b < low) low = b;
    else if (b > high) high = b;
    if (c < low) low = c;
    else if (c > high) high = c;
    if (d < low) low = d;
    else if (d > high) high = d;
  }
  for (; i < length; i++) {
    const value = values[i] as number;
    sum0 += value * 0;
    if (value < low) low = value;
    else if (value > high) high = value;
  }
  const width = high - low;
  if (sum0 + sum1 + sum2 + sum3 !== 0 || width > WIDEST) return undefined;
  if (width === 0) return UNIT_SCALE;
  const scale = width / STEPS;
  return [scale, Math.round((0 - low) / scale)];
}

/** Writes the nearest byte for every value; `target` has as many elements. */
export function quantise(values: Float32Array, [scale, zeroPoint]: Scale, target: Uint8Array): void {
  // Assigning to it rounds (ties to even) and clamps: both in one instruction or two.
  const bytes = new Uint8ClampedArray(target.buffer, target.byteOffset, target.byteLength);
  const { length } = values;
  const perStep = 1 / scale;
  for (let i = 0; i < length; i++) bytes[i] = (values[i] as number) * perStep + zeroPoint;
}

/** The values of these bytes. */
export function dequantised(bytes: Uint8Array, [scale, zeroPoint]: Scale): Float32Array<ArrayBuffer> {
  const values = new Float32Array(256);
  for (let byte = 0; byte < 256; byte++) values[byte] = (byte - zeroPoint) * scale;
  const { length } = bytes;
  const made = new Float32Array(length);
  for (let i = 0; i < length; i++) made[i] = values[bytes[i] as number] as number;
  return made;
}
