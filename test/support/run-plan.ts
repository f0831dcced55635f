/** Carries a plan out in this process: its sub-models from the store's folder, its transfers through `Gather`. */

import { Gather } from '../../services/core/flow/gather.ts';
import { PlanIndex, type Task } from '../../services/core/flow/plan-index.ts';
import type { DType } from '../../services/core/graph/types.ts';
import type { BlobCache } from '../../services/core/runtime/blobs.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import { tensorBytes } from '../../services/core/tensor/dtype.ts';
import { extents, whole } from '../../services/core/tensor/region.ts';
import type { Piece, TensorData } from '../../services/core/wire/message.ts';
import { wholeModel } from './ort.ts';

/** Outputs of the plan for one frame; fails where a task or the result never becomes complete. */
export async function runPlan(
  plan: Plan,
  blobs: BlobCache,
  inputs: readonly TensorData[],
): Promise<TensorData[]> {
  const index = new PlanIndex(plan);
  const allocate = (_: unknown, { inputs: wanted }: Task) => {
    const tensors = wanted.map(({ tensor, region }) => {
      const { dtype } = plan.tensors[tensor] as { dtype: DType };
      const shape = extents(region);
      return { name: tensor, dtype, shape, bytes: new Uint8Array(tensorBytes(dtype, shape)) };
    });
    return {
      tensors,
      write: (name: string) => (tensors.find((tensor) => tensor.name === name) as TensorData).bytes,
    };
  };
  const tasks = plan.tasks.filter(({ kind }) => kind !== 'source').map(({ id }) => id);
  const gather = new Gather({ index, tasks, allocate });
  const frame = { id: 'frame', sequence: 0 };
  const source = inputs.map((tensor): Piece => ({ tensor, region: whole(tensor.shape) }));
  const ready = [...gather.open(frame), ...gather.accept(frame, index.source.id, source)];
  for (let next = ready.shift(); next !== undefined; next = ready.shift()) {
    const { task, inputs: filled } = next;
    if (task.kind === 'sink')
      return plan.outputs.map((name) => filled.tensors.find((tensor) => tensor.name === name) as TensorData);
    const session = await wholeModel(blobs.path(task.model as string));
    const made = await session.run(filled.tensors);
    const pieces = task.outputs.map(({ tensor, region }) => ({
      tensor: made.find(({ name }) => name === tensor) as TensorData,
      region,
    }));
    ready.push(...gather.accept(frame, task.id, pieces));
  }
  throw new Error(`the plan came to a halt: ${JSON.stringify(gather.missing('frame'))}`);
}
