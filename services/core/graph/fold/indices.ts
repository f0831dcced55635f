/** Positions of elements in row-major order. */

/** Elements between neighbours along each axis of a row-major tensor. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) {
    strides[axis] = (strides[axis + 1] as number) * (shape[axis + 1] as number);
  }
  return strides;
}

/** Strides that read a tensor of `from` as if it were of `to`: 0 along every axis that repeats. */
export function broadcastStrides(from: readonly number[], to: readonly number[]): number[] {
  const own = stridesOf(from);
  const lead = to.length - from.length;
  return to.map((_, axis) => (axis < lead || from[axis - lead] === 1 ? 0 : (own[axis - lead] as number)));
}

/** For each element of a row-major tensor of `shape`, its position under other strides. */
export function positions(shape: readonly number[], strides: readonly number[], start = 0): Uint32Array {
  let count = 1;
  for (const extent of shape) count *= extent;
  const result = new Uint32Array(count);
  const index = new Array<number>(shape.length).fill(0);
  let at = start;
  for (let i = 0; i < count; i++) {
    result[i] = at;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis] as number;
      index[axis] = (index[axis] as number) + 1;
      if ((index[axis] as number) < (shape[axis] as number)) break;
      at -= (shape[axis] as number) * (strides[axis] as number);
      index[axis] = 0;
    }
  }
  return result;
}
