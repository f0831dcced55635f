/** From a frame's tensors to the tiles of the first block: every rectangle is copied once, straight into its message. */

import type { AnnouncedPlan } from '../core/control/plan-watch.ts';
import type { Task } from '../core/flow/plan-index.ts';
import { copyRegion } from '../core/tensor/copy.ts';
import { elementBytes } from '../core/tensor/dtype.ts';
import { extents, type Region, whole } from '../core/tensor/region.ts';
import type { BodyPool } from '../core/wire/body-pool.ts';
import { deflated } from '../core/wire/deflate.ts';
import { type LaidMessage, layoutMessage } from '../core/wire/encode.ts';
import type { MessageMeta, TensorData } from '../core/wire/message.ts';
import type { Frame } from './frame-queue.ts';

/** One tensor of a message: which box of which plan tensor. */
interface Box {
  readonly tensor: string;
  readonly region: Region;
}

/** The `task` message of a task whose inputs all come from the frame. */
export function taskMessage(
  plan: AnnouncedPlan,
  frame: Frame,
  task: Task,
  meta: MessageMeta,
  pool: BodyPool,
): LaidMessage {
  return fill(plan, frame, { ...meta, kind: 'task', task: task.id }, task.inputs, {
    pool,
    packed: plan.index.packedInputs(task.id),
  });
}

/** The `data` message that brings the merger what later tasks, or the result, read of the frame itself. */
export function sourceMessage(
  plan: AnnouncedPlan,
  frame: Frame,
  boxes: readonly Box[],
  meta: MessageMeta,
): LaidMessage {
  const regions = Object.fromEntries(boxes.map(({ tensor, region }) => [tensor, region]));
  return fill(plan, frame, { ...meta, kind: 'data', task: plan.index.source.id, regions }, boxes);
}

function fill(
  plan: AnnouncedPlan,
  frame: Frame,
  meta: MessageMeta,
  boxes: readonly Box[],
  { pool, packed }: { readonly pool?: BodyPool; readonly packed?: ReadonlySet<string> } = {},
): LaidMessage {
  const specs = boxes.map(({ tensor, region }) => ({
    name: tensor,
    dtype: (plan.index.plan.tensors[tensor] as { dtype: TensorData['dtype'] }).dtype,
    shape: extents(region),
  }));
  const message = layoutMessage(meta, specs, pool);
  for (const { tensor, region } of boxes) {
    const from = frame.tensors.find((candidate) => candidate.name === tensor) as TensorData;
    const all = whole(from.shape);
    copyRegion(from.bytes, all, message.bytes(tensor), region, region, elementBytes(from.dtype));
  }
  return packed === undefined ? message : deflated(message, specs, packed, pool);
}
