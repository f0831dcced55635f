/** Many bytes, a piece at a time: the weights of one layer can be 400 MB, and a broker may share this process. */

/** What is read, hashed or written without a pause: more is more than a small hub has, or holds up its event loop. */
export const SLICE_BYTES = 4 * 2 ** 20;

/** Where the slices of so many bytes begin and end. */
export function* slices(byteLength: number): Generator<readonly [begin: number, end: number]> {
  for (let at = 0; at < byteLength; at += SLICE_BYTES) yield [at, Math.min(byteLength, at + SLICE_BYTES)];
}
