/** Regions: boxes of a tensor, one half-open range per axis. */

/** `[begin, end)` in elements along one axis. */
export type Range = readonly [begin: number, end: number];

/** One range per axis of the tensor, outermost first; the same form serves tiles, strips and channel shards. */
export type Region = readonly Range[];

/** The region that is the whole of a tensor of `shape`. */
export function whole(shape: readonly number[]): Region {
  return shape.map((extent) => [0, extent] as const);
}

/** Extent of a region along each axis. */
export function extents(region: Region): number[] {
  return region.map(([begin, end]) => end - begin);
}

/** Number of elements in a region. */
export function volume(region: Region): number {
  return region.reduce((product, [begin, end]) => product * (end - begin), 1);
}

/** The common part of two regions of one tensor, or undefined where they share no element. */
export function intersect(a: Region, b: Region): Region | undefined {
  const common: Range[] = [];
  for (let axis = 0; axis < a.length; axis++) {
    const [a0, a1] = a[axis] as Range;
    const [b0, b1] = b[axis] as Range;
    const begin = Math.max(a0, b0);
    const end = Math.min(a1, b1);
    if (begin >= end) return undefined;
    common.push([begin, end]);
  }
  return common;
}

/** Number of elements that two regions of one tensor have in common. */
export function commonVolume(a: Region, b: Region): number {
  let product = 1;
  for (let axis = 0; axis < a.length; axis++) {
    const [a0, a1] = a[axis] as Range;
    const [b0, b1] = b[axis] as Range;
    const extent = Math.min(a1, b1) - Math.max(a0, b0);
    if (extent <= 0) return 0;
    product *= extent;
  }
  return product;
}

/** Whether `inner` lies inside `outer`. */
export function contains(outer: Region, inner: Region): boolean {
  return (
    outer.length === inner.length &&
    inner.every(([begin, end], axis) => {
      const [from, to] = outer[axis] as Range;
      return from <= begin && end <= to;
    })
  );
}

export function sameRegion(a: Region, b: Region): boolean {
  return contains(a, b) && contains(b, a);
}
