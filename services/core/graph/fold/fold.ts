/** Folding: a node whose inputs are all constant becomes constants. */

import { elementBytes } from '../../tensor/dtype.ts';
import { constantOf, lazyConstant } from '../constant.ts';
import { elementCount, isFloat, readElements, writeElements } from '../dtype.ts';
import type { TensorType } from '../operators/row.ts';
import type { Constant, GraphNode } from '../types.ts';
import { ARITHMETIC, type Call, MOVING, SAME_BYTES, type Value } from './evaluators.ts';

/** Up to here values are computed at once and kept; above, each time somebody asks for the bytes. */
export const SMALL = 65_536;

/** 2^53 and beyond, a double skips whole numbers. */
const EXACT = Number.MAX_SAFE_INTEGER;
/** "To the end" in Slice: the largest and the smallest int64 read as these and are written back as themselves. */
const ENDS = new Set([2 ** 63, -(2 ** 63)]);

/** Operators that cannot fail whatever the elements are, so that large ones may be put off. */
const LAZY: ReadonlySet<string> = new Set(
  'Add Sub Mul Neg Abs Sqrt Floor Ceil Cast Clip Where Concat Split Slice Transpose Expand Tile ConstantOfShape'.split(
    ' ',
  ),
);

function isLong(dtype: string): boolean {
  return dtype === 'int64' || dtype === 'uint64';
}

function exact(data: ArrayLike<number>, ends: boolean): boolean {
  for (let i = 0; i < data.length; i++) {
    const value = data[i] as number;
    if (!(Math.abs(value) <= EXACT || (ends && ENDS.has(value)))) return false;
  }
  return true;
}

function readValue(constant: Constant): Value {
  return {
    dtype: constant.dtype,
    shape: constant.shape,
    data: readElements(constant.dtype, constant.bytes()),
  };
}

/**
 * The constants that a node's outputs are, or undefined where the node must stay: an operator or a case the
 * evaluator does not know, or numbers it cannot hold exactly. `outputs` are their types.
 */
export function foldNode(
  node: GraphNode,
  opset: number,
  inputs: readonly (Constant | undefined)[],
  outputs: readonly TensorType[],
): readonly Constant[] | undefined {
  if (node.domain !== '') return undefined;
  const names = node.outputs;
  const first = inputs[0];
  const single = outputs[0];
  if (first !== undefined && single !== undefined && names.length === 1) {
    const kept = node.op === 'Cast' && first.dtype === single.dtype;
    if (SAME_BYTES.has(node.op) || kept) {
      const { part } = first;
      const same = lazyConstant(names[0] as string, single.dtype, single.shape, () => first.bytes());
      return [part === undefined ? same : { ...same, part }];
    }
  }
  const evaluator = ARITHMETIC.get(node.op) ?? MOVING.get(node.op);
  if (evaluator === undefined) return undefined;
  const moving = MOVING.has(node.op);

  const compute = (position: number, values: readonly (Value | undefined)[]) => {
    const output = outputs[position] as TensorType;
    const call: Call = { node, opset, inputs: values, output, position };
    return evaluator(call);
  };

  const sizes = [...inputs, ...names.map((_, position) => outputs[position])];
  if (sizes.every((type) => type === undefined || elementCount(type.shape) <= SMALL)) {
    const values = inputs.map((constant) => constant && readValue(constant));
    if (values.some((value) => value && isLong(value.dtype) && !exact(value.data, moving))) return undefined;
    const folded: Constant[] = [];
    for (const [position, name] of names.entries()) {
      const { dtype, shape } = outputs[position] as TensorType;
      const data = compute(position, values);
      if (data === undefined || data.length !== elementCount(shape)) return undefined;
      if (!isFloat(dtype) && !exact(data, moving)) return undefined;
      folded.push(constantOf(name, dtype, shape, data));
    }
    return folded;
  }
  // What is too large to try beforehand must not be able to fail later.
  if (sizes.some((type) => type !== undefined && isLong(type.dtype) && elementCount(type.shape) > SMALL)) {
    return undefined;
  }
  if (!LAZY.has(node.op) || opset < 7) return undefined;
  return names.map((name, position) => {
    const { dtype, shape } = outputs[position] as TensorType;
    return lazyConstant(name, dtype, shape, () => {
      if (node.op === 'ConstantOfShape') return filledBytes(node, opset, { dtype, shape });
      const data = compute(
        position,
        inputs.map((constant) => constant && readValue(constant)),
      );
      if (data === undefined) throw new RangeError(`${node.name} (${node.op}) cannot be evaluated`);
      return writeElements(dtype, data);
    });
  });
}

/** One element, repeated, without a number for each. */
function filledBytes(node: GraphNode, opset: number, output: TensorType): Uint8Array {
  const one = { dtype: output.dtype, shape: [1] };
  const call: Call = { node, opset, inputs: [], output: one, position: 0 };
  const element = writeElements(output.dtype, MOVING.get('ConstantOfShape')?.(call) ?? [0]);
  const size = elementBytes(output.dtype);
  const bytes = new Uint8Array(elementCount(output.shape) * size);
  if (element.every((byte) => byte === 0) || bytes.byteLength === 0) return bytes;
  bytes.set(element);
  for (let done = size; done < bytes.byteLength; done *= 2)
    bytes.copyWithin(done, 0, Math.min(done, bytes.byteLength - done));
  return bytes;
}
