/** A task's tensors against the plan: nothing reaches the executor, or leaves, that the plan does not say. */

import type { PlanIndex, Task } from '../core/flow/plan-index.ts';
import type { DType } from '../core/graph/types.ts';
import { tensorBytes } from '../core/tensor/dtype.ts';
import { extents, type Region, sameRegion } from '../core/tensor/region.ts';
import type { TensorData } from '../core/wire/message.ts';

type Piece = Task['inputs'][number];

/** What a plan says of one tensor of a task. */
export function specOf(
  index: PlanIndex,
  { tensor, region }: Piece,
): { name: string; dtype: DType; shape: number[] } {
  const { dtype } = index.plan.tensors[tensor] as { dtype: DType };
  return { name: tensor, dtype, shape: extents(region) };
}

/**
 * The tensors in the plan's order where they are exactly what the plan says, else what is wrong with them, in words.
 * `regions`, where given, are where the sender says they lie.
 */
export function matchTensors(
  index: PlanIndex,
  wanted: readonly Piece[],
  given: readonly TensorData[],
  regions: Readonly<Record<string, Region>> = {},
): readonly TensorData[] | string {
  const byName = new Map(given.map((tensor) => [tensor.name, tensor]));
  if (byName.size !== given.length) return 'a tensor comes twice';
  const matched: TensorData[] = [];
  for (const piece of wanted) {
    const { name, dtype, shape } = specOf(index, piece);
    const tensor = byName.get(name);
    if (tensor === undefined) return `tensor "${name}" is missing`;
    if (tensor.dtype !== dtype) return `tensor "${name}" is ${tensor.dtype}, not ${dtype}`;
    const same =
      tensor.shape.length === shape.length && shape.every((extent, axis) => extent === tensor.shape[axis]);
    if (!same) return `tensor "${name}" is ${tensor.shape.join('x')}, not ${shape.join('x')}`;
    if (tensor.bytes.byteLength !== tensorBytes(dtype, shape))
      return `tensor "${name}" has ${tensor.bytes.byteLength} bytes`;
    const region = regions[name];
    if (region !== undefined && !sameRegion(region, piece.region))
      return `tensor "${name}" is of another region`;
    matched.push(tensor);
  }
  if (given.length > wanted.length) return `${given.length} tensors, not ${wanted.length}`;
  return matched;
}
