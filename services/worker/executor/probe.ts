/** Types of inner tensors, from a run of the model itself: for operators whose shapes nobody else can tell. */

import type { DType, TensorInfo } from '../../core/graph/types.ts';
import { withOutputs } from '../../core/graph/write.ts';
import { tensorBytes } from '../../core/tensor/dtype.ts';
import type { OrtExecutor } from './ort.ts';

export interface ProbedModel {
  /** An ONNX file. */
  readonly model: Uint8Array;
  /** Its inputs with every extent fixed. */
  readonly inputs: readonly TensorInfo[];
  /** Where its external weights are, if it has any. */
  readonly folder?: string;
}

/** What a tensor was when the model ran on zeros. */
export interface ProbedType {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/**
 * Runs the model on zeros with further outputs and tells what they were; tensors the executor cannot show are
 * absent. One run serves all; where it is refused, each tensor is tried alone. Never rejects for the model's sake.
 */
export async function probeShapes(
  executor: OrtExecutor,
  model: ProbedModel,
  names: readonly string[],
): Promise<ReadonlyMap<string, ProbedType>> {
  const all = await probe(executor, model, names);
  if (all !== undefined || names.length === 1) return all ?? new Map();
  const found = new Map<string, ProbedType>();
  for (const name of names) {
    for (const [shown, type] of (await probe(executor, model, [name])) ?? []) found.set(shown, type);
  }
  return found;
}

async function probe(
  executor: OrtExecutor,
  { model, inputs, folder }: ProbedModel,
  names: readonly string[],
): Promise<Map<string, ProbedType> | undefined> {
  let session: number | undefined;
  try {
    session = await executor.loadBytes(withOutputs(model, names), folder === undefined ? {} : { folder });
    const zeros = inputs.map(({ name, dtype, shape }) => ({
      name,
      dtype,
      shape,
      bytes: new Uint8Array(tensorBytes(dtype, shape)),
    }));
    const { outputs } = await executor.run(session, zeros, names);
    return new Map(outputs.map(({ name, dtype, shape }) => [name, { dtype, shape }]));
  } catch {
    return undefined;
  } finally {
    if (session !== undefined) await executor.unload(session);
  }
}
