/** Tensors of a graph put together from regions, as a merger does: an exact cover writes every element once. */

import type { DType, Graph } from '../../services/core/graph/types.ts';
import { copyRegion } from '../../services/core/tensor/copy.ts';
import { elementBytes, tensorBytes } from '../../services/core/tensor/dtype.ts';
import { extents, type Region, volume, whole } from '../../services/core/tensor/region.ts';
import type { WeightsLayout } from '../../services/core/tiling/weights.ts';
import type { TensorData } from '../../services/core/wire/message.ts';

interface Tensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
  /** Elements written so far. */
  filled: number;
}

export class Merged {
  readonly #graph: Graph;
  readonly #tensors = new Map<string, Tensor>();

  /** `given` are there whole, like the graph's inputs. */
  constructor(graph: Graph, given: Iterable<TensorData>) {
    this.#graph = graph;
    for (const { name, dtype, shape, bytes } of given)
      this.#tensors.set(name, { dtype, shape, bytes, filled: volume(whole(shape)) });
  }

  /** A copy of a part of a tensor that is there whole. */
  read(name: string, region: Region): TensorData {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined) throw new Error(`${name} is read before it is made`);
    const { dtype, shape } = tensor;
    if (tensor.filled !== volume(whole(shape))) throw new Error(`${name} is read before it is complete`);
    const bytes = new Uint8Array(tensorBytes(dtype, extents(region)));
    copyRegion(tensor.bytes, whole(shape), bytes, region, region, elementBytes(dtype));
    return { name, dtype, shape: extents(region), bytes };
  }

  write(made: TensorData, region: Region): void {
    checkShape(made, region);
    const { dtype, shape } = this.#graph.tensors.get(made.name) ?? made;
    const tensor = this.#tensors.get(made.name) ?? {
      dtype,
      shape,
      bytes: new Uint8Array(tensorBytes(dtype, shape)),
      filled: 0,
    };
    copyRegion(made.bytes, region, tensor.bytes, whole(shape), region, elementBytes(dtype));
    tensor.filled += volume(region);
    this.#tensors.set(made.name, tensor);
  }

  /** Everything given or made; fails where a tensor has a hole or was written twice. */
  results(): Map<string, TensorData> {
    return new Map(
      [...this.#tensors].map(([name, { dtype, shape, bytes, filled }]) => {
        if (filled !== volume(whole(shape))) throw new Error(`${name} is not covered exactly`);
        return [name, { name, dtype, shape, bytes }];
      }),
    );
  }
}

export function checkShape({ name, shape }: TensorData, region: Region): void {
  if (extents(region).join() !== shape.join())
    throw new Error(`${name} has shape [${shape}] where its region has [${extents(region)}]`);
}

/** A block's weights file, as its layout says. */
export function weightsFile(graph: Graph, layout: WeightsLayout): Uint8Array {
  const file = new Uint8Array(layout.byteLength);
  for (const { name, offset } of layout.entries)
    file.set(graph.constants.get(name)?.bytes() ?? new Uint8Array(0), offset);
  return file;
}
