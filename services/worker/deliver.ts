/** From a task's outputs to the messages its plan wants: to the merger, to neighbours, to this worker itself. */

import type { Delivery, DeliveryPiece, PlanIndex, Task } from '../core/flow/plan-index.ts';
import type { DType } from '../core/graph/types.ts';
import { copyRegion } from '../core/tensor/copy.ts';
import { elementBytes, tensorBytes } from '../core/tensor/dtype.ts';
import { extents, type Region, sameRegion } from '../core/tensor/region.ts';
import type { BodyPool } from '../core/wire/body-pool.ts';
import { isDeflated, valueCodec } from '../core/wire/codecs.ts';
import { layoutCoded, type WantedTensor } from '../core/wire/coded-message.ts';
import { deflated } from '../core/wire/deflate.ts';
import type { LaidMessage } from '../core/wire/encode.ts';
import type { MessageMeta, Piece, TensorData } from '../core/wire/message.ts';

/** One output of a task with its place in the plan's tensor. */
export function outputPieces(task: Task, outputs: readonly TensorData[]): Piece[] {
  return outputs.map((tensor, i) => ({
    tensor,
    region: (task.outputs[i] as Task['outputs'][number]).region,
  }));
}

/**
 * The `data` message of one delivery; `meta` says everything but where its tensors lie, and how. A piece some value of
 * which is not finite does not go as bytes (`uint8`), whatever the plan says.
 */
export function dataMessage(
  index: PlanIndex,
  delivery: Delivery,
  outputs: readonly Piece[],
  meta: MessageMeta,
  pool?: BodyPool,
): LaidMessage {
  const { pieces } = delivery;
  const wanted = pieces.map((piece): WantedTensor => {
    const { tensor: name, region, codec } = piece;
    const { dtype } = index.plan.tensors[name] as { dtype: DType };
    const shape = extents(region);
    return valueCodec(codec) === 'raw'
      ? { name, dtype, shape }
      : { name, dtype, shape, codec, elements: elementsOf(piece, sourceOf(outputs, name)) };
  });
  const regions = Object.fromEntries(pieces.map(({ tensor, region }) => [tensor, region]));
  const message = layoutCoded({ ...meta, kind: 'data', regions }, wanted, pool);
  for (const { tensor: name, region, codec } of pieces) {
    if (valueCodec(codec) !== 'raw') continue;
    const { tensor, region: from } = sourceOf(outputs, name);
    copyRegion(tensor.bytes, from, message.bytes(name), region, region, elementBytes(tensor.dtype));
  }
  const packed = new Set(pieces.filter(({ codec }) => isDeflated(codec)).map(({ tensor }) => tensor));
  return deflated(message, wanted, packed, pool);
}

/** The pieces a task of this same worker reads: no bytes travel, and none are copied yet. */
export function localPieces(delivery: Delivery, outputs: readonly Piece[]): Piece[] {
  return delivery.pieces.map(({ tensor }) => sourceOf(outputs, tensor));
}

function sourceOf(outputs: readonly Piece[], name: string): Piece {
  return outputs.find(({ tensor }) => tensor.name === name) as Piece;
}

function elementsOf({ region }: DeliveryPiece, { tensor, region: from }: Piece): Uint8Array {
  return sameRegion(from, region) ? tensor.bytes : crop(tensor, from, region);
}

function crop(tensor: TensorData, from: Region, region: Region): Uint8Array {
  const bytes = new Uint8Array(tensorBytes(tensor.dtype, extents(region)));
  copyRegion(tensor.bytes, from, bytes, region, region, elementBytes(tensor.dtype));
  return bytes;
}
