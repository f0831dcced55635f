/** Numbers of the result document: as many digits as mean something, so that it stays small. */

/** To the nearest 1/parts. */
export function rounded(value: number, parts: number): number {
  return Math.round(value * parts) / parts;
}

/** A score in [0, 1] with four digits; half precision can exceed 1 by a rounding. */
export function score(value: number): number {
  return rounded(Math.max(0, Math.min(1, value)), 10_000);
}
