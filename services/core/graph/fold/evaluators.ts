/** A small evaluator for constant subgraphs: exact operators only, so that a folded value equals the executor's. */

import { numberAttribute, numbersAttribute, tensorAttribute } from '../attributes.ts';
import { isFloat, readElements } from '../dtype.ts';
import type { TensorType } from '../operators/row.ts';
import { shapeSpan } from '../operators/shape.ts';
import { sliceRanges } from '../slice-ranges.ts';
import type { GraphNode } from '../types.ts';
import { broadcastStrides, positions, stridesOf } from './indices.ts';

/** A constant with its elements as numbers. */
export interface Value extends TensorType {
  readonly data: ArrayLike<number>;
}

export interface Call {
  readonly node: GraphNode;
  readonly opset: number;
  readonly inputs: readonly (Value | undefined)[];
  readonly output: TensorType;
  /** Which output of the node is asked for. */
  readonly position: number;
}

/** Elements of one output, row-major; undefined where this case is not evaluated. */
export type Evaluator = (call: Call) => ArrayLike<number> | undefined;

function input(call: Call, position: number): Value {
  const value = call.inputs[position];
  if (value === undefined) throw new RangeError(`input ${position} is missing`);
  return value;
}

function pick(data: ArrayLike<number>, at: ArrayLike<number>): Float64Array {
  const result = new Float64Array(at.length);
  for (let i = 0; i < at.length; i++) result[i] = data[at[i] as number] as number;
  return result;
}

/** One function of any number of inputs that broadcast, applied from left to right. */
function elementwise(compute: (a: number, b: number) => number): Evaluator {
  return (call) => {
    // Before opset 7 shapes are aligned by an attribute.
    const shapes = call.inputs.map((_, position) => input(call, position).shape.join());
    if (call.opset < 7 && new Set(shapes).size > 1) return undefined;
    let result: Float64Array | undefined;
    for (const value of call.inputs as readonly Value[]) {
      const next = pick(
        value.data,
        positions(call.output.shape, broadcastStrides(value.shape, call.output.shape)),
      );
      if (result === undefined) result = next;
      else for (let i = 0; i < next.length; i++) result[i] = compute(result[i] as number, next[i] as number);
    }
    return result;
  };
}

function unary(compute: (a: number) => number): Evaluator {
  return (call) => Float64Array.from(input(call, 0).data, compute);
}

function divide(call: Call): ArrayLike<number> | undefined {
  const whole = !isFloat(call.output.dtype);
  if (whole && Array.prototype.includes.call(input(call, 1).data, 0)) return undefined;
  return elementwise(whole ? (a, b) => Math.trunc(a / b) : (a, b) => a / b)(call);
}

/** fmod 0, integers only: the sign is the divisor's. */
function modulo(call: Call): ArrayLike<number> | undefined {
  if (Array.prototype.includes.call(input(call, 1).data, 0)) return undefined;
  if (numberAttribute(call.node, 'fmod', 0) !== 0) return elementwise((a, b) => a % b)(call);
  return elementwise((a, b) => a - b * Math.floor(a / b))(call);
}

function power(call: Call): ArrayLike<number> | undefined {
  if (isFloat(call.output.dtype) || isFloat(input(call, 1).dtype)) return undefined;
  return elementwise((a, b) => Math.trunc(a ** b))(call);
}

/** Ties to even; what is negative stays so, down to -0. */
function roundEven(value: number): number {
  const magnitude = Math.abs(value);
  const floor = Math.floor(magnitude);
  const rest = magnitude - floor;
  const up = rest > 0.5 || (rest === 0.5 && floor % 2 === 1);
  return (up ? floor + 1 : floor) * (value < 0 ? -1 : 1);
}

/** Only orders that cannot round: sums and products of whole numbers, extremes of anything. */
function reduce(compute: (a: number, b: number) => number, start: number, floats: boolean): Evaluator {
  return (call) => {
    const x = input(call, 0);
    if (isFloat(x.dtype) && !floats) return undefined;
    const axes =
      numbersAttribute(call.node, 'axes') ?? (call.inputs[1] ? Array.from(call.inputs[1].data) : []);
    if (axes.length === 0 && numberAttribute(call.node, 'noop_with_empty_axes', 0) !== 0) return x.data;
    const rank = x.shape.length;
    const gone = new Set(
      axes.length === 0 ? x.shape.keys() : axes.map((axis) => (axis < 0 ? axis + rank : axis)),
    );
    const kept = x.shape.map((extent, axis) => (gone.has(axis) ? 1 : extent));
    const at = positions(x.shape, broadcastStrides(kept, x.shape));
    const result = new Float64Array(kept.reduce((a, b) => a * b, 1)).fill(start);
    for (let i = 0; i < at.length; i++) {
      const target = at[i] as number;
      result[target] = compute(result[target] as number, x.data[i] as number);
    }
    return result;
  };
}

function gather(call: Call): ArrayLike<number> {
  const x = input(call, 0);
  const indices = input(call, 1);
  const given = numberAttribute(call.node, 'axis', 0);
  const axis = given < 0 ? given + x.shape.length : given;
  const extent = x.shape[axis] as number;
  const inner = x.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const outer = x.shape.slice(0, axis).reduce((a, b) => a * b, 1);
  const count = indices.data.length;
  const result = new Float64Array(outer * count * inner);
  for (let o = 0; o < outer; o++) {
    for (let k = 0; k < count; k++) {
      const index = indices.data[k] as number;
      const from = (o * extent + (index < 0 ? index + extent : index)) * inner;
      if (index < -extent || index >= extent) throw new RangeError(`index ${index} is outside ${extent}`);
      for (let i = 0; i < inner; i++) result[(o * count + k) * inner + i] = x.data[from + i] as number;
    }
  }
  return result;
}

function concat(call: Call): ArrayLike<number> {
  const shape = call.output.shape;
  const given = numberAttribute(call.node, 'axis', 1);
  const axis = given < 0 ? given + shape.length : given;
  const result = new Float64Array(shape.reduce((a, b) => a * b, 1));
  const strides = stridesOf(shape);
  let offset = 0;
  for (const value of call.inputs) {
    if (value === undefined) continue;
    const at = positions(value.shape, strides, offset * (strides[axis] as number));
    for (let i = 0; i < at.length; i++) result[at[i] as number] = value.data[i] as number;
    offset += value.shape[axis] as number;
  }
  return result;
}

function split(call: Call): ArrayLike<number> | undefined {
  const x = input(call, 0);
  const rank = x.shape.length;
  const given = numberAttribute(call.node, 'axis', 0);
  const axis = given < 0 ? given + rank : given;
  const listed = numbersAttribute(call.node, 'split') ?? (call.inputs[1] && Array.from(call.inputs[1].data));
  const share = Math.ceil((x.shape[axis] as number) / call.node.outputs.length);
  const start = listed ? listed.slice(0, call.position).reduce((a, b) => a + b, 0) : share * call.position;
  const strides = stridesOf(x.shape);
  return pick(x.data, positions(call.output.shape, strides, start * (strides[axis] as number)));
}

function slice(call: Call): ArrayLike<number> | undefined {
  const x = input(call, 0);
  const ranges = sliceRanges(call.node, call.opset, x.shape, (position) => {
    const value = call.inputs[position];
    return value && Array.from(value.data);
  });
  if (ranges === undefined) return undefined;
  const strides = stridesOf(x.shape);
  const start = ranges.reduce((sum, range, axis) => sum + range.start * (strides[axis] as number), 0);
  return pick(
    x.data,
    positions(
      call.output.shape,
      ranges.map((range, axis) => range.step * (strides[axis] as number)),
      start,
    ),
  );
}

function transpose(call: Call): ArrayLike<number> {
  const x = input(call, 0);
  const strides = stridesOf(x.shape);
  const order = numbersAttribute(call.node, 'perm') ?? strides.map((_, axis) => strides.length - 1 - axis);
  return pick(
    x.data,
    positions(
      call.output.shape,
      order.map((axis) => strides[axis] as number),
    ),
  );
}

function expand(call: Call): ArrayLike<number> {
  const x = input(call, 0);
  return pick(x.data, positions(call.output.shape, broadcastStrides(x.shape, call.output.shape)));
}

/** Every axis becomes two: the repeats, which do not move, and the extent. */
function tile(call: Call): ArrayLike<number> {
  const x = input(call, 0);
  const repeats = input(call, 1).data;
  const strides = stridesOf(x.shape);
  const shape = x.shape.flatMap((extent, axis) => [repeats[axis] as number, extent]);
  return pick(
    x.data,
    positions(
      shape,
      strides.flatMap((stride) => [0, stride]),
    ),
  );
}

function where(call: Call): ArrayLike<number> {
  const [condition, yes, no] = [0, 1, 2].map((position) => {
    const value = input(call, position);
    return pick(value.data, positions(call.output.shape, broadcastStrides(value.shape, call.output.shape)));
  }) as [Float64Array, Float64Array, Float64Array];
  return yes.map((value, i) => (condition[i] ? value : (no[i] as number)));
}

function range(call: Call): ArrayLike<number> {
  const [start, delta] = [input(call, 0).data[0] as number, input(call, 2).data[0] as number];
  return Float64Array.from({ length: call.output.shape[0] as number }, (_, i) => start + i * delta);
}

function filled(call: Call): ArrayLike<number> {
  const value = tensorAttribute(call.node, 'value');
  const element = value === undefined ? 0 : (readElements(value.dtype, value.bytes())[0] ?? 0);
  return new Float64Array(call.output.shape.reduce((a, b) => a * b, 1)).fill(element);
}

function nonZero(call: Call): ArrayLike<number> {
  const x = input(call, 0);
  const strides = stridesOf(x.shape);
  const found: number[] = [];
  for (let i = 0; i < x.data.length; i++) if (x.data[i]) found.push(i);
  return x.shape.flatMap((extent, axis) =>
    found.map((i) => Math.floor(i / (strides[axis] as number)) % extent),
  );
}

function clip(call: Call): ArrayLike<number> | undefined {
  const low = call.inputs[1]?.data[0] ?? numberAttribute(call.node, 'min', Number.NEGATIVE_INFINITY);
  const high = call.inputs[2]?.data[0] ?? numberAttribute(call.node, 'max', Number.POSITIVE_INFINITY);
  return Float64Array.from(input(call, 0).data, (value) => Math.min(Math.max(value, low), high));
}

const bit = (truth: boolean) => (truth ? 1 : 0);

/** Operators that compute: their whole numbers must stay exact in a double. */
export const ARITHMETIC: ReadonlyMap<string, Evaluator> = new Map<string, Evaluator>([
  ['Add', elementwise((a, b) => a + b)],
  ['Sub', elementwise((a, b) => a - b)],
  ['Mul', elementwise((a, b) => a * b)],
  ['Div', divide],
  ['Mod', modulo],
  ['Pow', power],
  ['Neg', unary((a) => -a)],
  ['Abs', unary(Math.abs)],
  ['Sqrt', unary(Math.sqrt)],
  ['Reciprocal', unary((a) => 1 / a)],
  ['Floor', unary(Math.floor)],
  ['Ceil', unary(Math.ceil)],
  ['Round', unary(roundEven)],
  ['Sign', unary(Math.sign)],
  ['Relu', unary((a) => Math.max(a, 0))],
  ['Cast', unary((a) => a)],
  ['ReduceProd', reduce((a, b) => a * b, 1, false)],
  ['ReduceSum', reduce((a, b) => a + b, 0, false)],
  ['Range', range],
]);

/** Operators that move, choose or compare: any element may pass through them. */
export const MOVING: ReadonlyMap<string, Evaluator> = new Map<string, Evaluator>([
  ['Min', elementwise(Math.min)],
  ['Max', elementwise(Math.max)],
  ['Clip', clip],
  ['Equal', elementwise((a, b) => bit(a === b))],
  ['Greater', elementwise((a, b) => bit(a > b))],
  ['GreaterOrEqual', elementwise((a, b) => bit(a >= b))],
  ['Less', elementwise((a, b) => bit(a < b))],
  ['LessOrEqual', elementwise((a, b) => bit(a <= b))],
  ['And', elementwise((a, b) => bit(a !== 0 && b !== 0))],
  ['Or', elementwise((a, b) => bit(a !== 0 || b !== 0))],
  ['Xor', elementwise((a, b) => bit((a !== 0) !== (b !== 0)))],
  ['Not', unary((a) => bit(a === 0))],
  ['ReduceMax', reduce(Math.max, Number.NEGATIVE_INFINITY, true)],
  ['ReduceMin', reduce(Math.min, Number.POSITIVE_INFINITY, true)],
  ['Where', where],
  ['Gather', gather],
  ['Concat', concat],
  ['Split', split],
  ['Slice', slice],
  ['Transpose', transpose],
  ['Expand', expand],
  ['Tile', tile],
  ['ConstantOfShape', filled],
  ['NonZero', nonZero],
]);

/** Operators whose output has the very bytes of their first input. */
export const SAME_BYTES: ReadonlySet<string> = new Set([
  'Reshape',
  'Flatten',
  'Squeeze',
  'Unsqueeze',
  'Identity',
]);

/** Elements of Shape and Size, which need no value. */
export function shapeElements(node: GraphNode, shape: readonly number[]): readonly number[] {
  if (node.op === 'Size') return [shape.reduce((a, b) => a * b, 1)];
  const [start, end] = shapeSpan({ node }, shape.length);
  return shape.slice(start, end);
}
