/** What ONNX Runtime makes of a model, beside what the graph says of it. */

import { readElements } from '../../services/core/graph/dtype.ts';
import type { DType, Graph, TensorInfo } from '../../services/core/graph/types.ts';
import { withOutputs } from '../../services/core/graph/write.ts';
import { elementBytes } from '../../services/core/tensor/dtype.ts';
import type { TensorData } from '../../services/core/wire/message.ts';
import { wholeModel } from './ort.ts';
import { randomValues } from './random-values.ts';

/** Numbers of [0, 1) for floats, small whole numbers for the rest; the same for the same input. */
export function inputFor({ name, dtype, shape }: Pick<TensorInfo, 'name' | 'dtype' | 'shape'>): TensorData {
  const values = randomValues(name, shape).map((value) => value / 2 + 0.5);
  if (dtype === 'float32') return { name, dtype, shape, bytes: new Uint8Array(values.buffer) };
  const bytes = new Uint8Array(values.length * elementBytes(dtype));
  // Halves between 0 and 1 have any mantissa and a high byte of 0x38; other types take small whole numbers.
  for (const [i, value] of values.entries()) {
    const at = i * elementBytes(dtype);
    bytes[at] = dtype === 'bool' ? Math.round(value) : Math.floor(value * 100);
    if (dtype === 'float16') bytes[at + 1] = 0x38;
  }
  return { name, dtype, shape, bytes };
}

/** Results of a model over `inputFor` its inputs, by name; `more` tensors are shown besides its outputs. */
export async function runModel(
  model: Uint8Array,
  inputs: readonly TensorInfo[],
  more: readonly string[] = [],
): Promise<Map<string, TensorData>> {
  const session = await wholeModel(more.length > 0 ? withOutputs(model, more) : model);
  const results = await session.run(inputs.map(inputFor));
  return new Map(results.map((tensor) => [tensor.name, tensor]));
}

/** Outputs smaller than this are noise of a function that is 0 there. */
const FLOOR = 1e-2;

/** Largest difference over largest magnitude; NaN where types differ or a value is not a number. */
export function difference(a: TensorData | undefined, b: TensorData | undefined): number {
  if (!a || !b || a.dtype !== b.dtype || a.shape.join() !== b.shape.join()) return Number.NaN;
  const [x, y] = [readElements(a.dtype, a.bytes), readElements(b.dtype, b.bytes)];
  let [worst, largest] = [0, 0];
  for (let i = 0; i < y.length; i++) {
    const gap = Math.abs((x[i] as number) - (y[i] as number));
    worst = Math.max(worst, gap);
    largest = Math.max(largest, Math.abs(y[i] as number));
  }
  return worst / Math.max(largest, FLOOR);
}

export interface Comparison {
  /** Every tensor whose type the graph tells differently than ONNX Runtime makes it. */
  readonly wrong: readonly string[];
  /** All tensors that ONNX Runtime made, by name. */
  readonly made: ReadonlyMap<string, TensorData>;
}

/** Runs the file itself, every tensor shown that the graph knows. */
export async function compareTypes(model: Uint8Array, graph: Graph): Promise<Comparison> {
  const names = [...graph.producers.keys()];
  const made = await runModel(model, graph.inputs, names);
  const wrong = names.flatMap((name) => {
    const told = show(graph.tensors.get(name));
    const seen = show(made.get(name));
    return told === seen ? [] : [`${name}: told ${told}, made ${seen}`];
  });
  return { wrong, made };
}

function show(type: { readonly dtype: DType; readonly shape: readonly number[] } | undefined): string {
  return type ? `${type.dtype}[${type.shape.join(', ')}]` : 'nothing';
}
