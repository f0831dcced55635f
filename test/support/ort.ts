/** Networks outside the project, run whole by ONNX Runtime, for tests that compare with it. */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { DType, TensorInfo } from '../../services/core/graph/types.ts';
import { typedView } from '../../services/core/tensor/dtype.ts';
import type { TensorData } from '../../services/core/wire/message.ts';

// As the executor's thread does: with Float16Array present the library's native side reads float16 tensors as empty.
Reflect.deleteProperty(globalThis, 'Float16Array');

/** Path of a file beside the repository: `shared('models/yolox_nano.onnx')`. */
export function shared(path: string): string {
  return fileURLToPath(new URL(`../../../shared/${path}`, import.meta.url));
}

export const haveModels = existsSync(shared('models'));

export interface WholeModel {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  run(inputs: readonly TensorData[]): Promise<TensorData[]>;
}

/** One thread, no warnings. A file's path or its bytes. Open dimensions are given as 1. */
export async function wholeModel(model: string | Uint8Array): Promise<WholeModel> {
  const options = { intraOpNumThreads: 1, logSeverityLevel: 3 } as const;
  const session = await (typeof model === 'string'
    ? InferenceSession.create(model, options)
    : InferenceSession.create(model, options));
  const describe = (all: InferenceSession['inputMetadata']): TensorInfo[] =>
    all.flatMap((item) =>
      item.isTensor
        ? [
            {
              name: item.name,
              dtype: item.type as DType,
              shape: item.shape.map((n) => (typeof n === 'number' ? n : 1)),
            },
          ]
        : [],
    );
  return {
    inputs: describe(session.inputMetadata),
    outputs: describe(session.outputMetadata),
    async run(inputs) {
      const feeds = Object.fromEntries(
        inputs.map(({ name, dtype, shape, bytes }) => [
          name,
          new Tensor(dtype as 'float32', typedView(dtype, bytes) as Float32Array, [...shape]),
        ]),
      );
      const results = await session.run(feeds);
      return session.outputNames.map((name) => {
        const tensor = results[name] as Tensor;
        const { buffer, byteOffset, byteLength } = tensor.data as Float32Array;
        return {
          name,
          dtype: tensor.type as DType,
          shape: tensor.dims,
          bytes: new Uint8Array(buffer, byteOffset, byteLength),
        };
      });
    },
  };
}
