/** Graph inputs with every extent fixed: by the file, by the caller, or 1 for a batch. */

import { TilepipeError } from '../../runtime/errors.ts';
import { dtypeOf, typeName } from '../dtype.ts';
import type { ValueInfoProto } from '../onnx_pb.ts';
import type { DType, TensorInfo } from '../types.ts';

export type Shapes = ReadonlyMap<string, readonly number[]>;

/** An extent as the file gives it: a number, a symbol, or nothing. */
type Extent = number | string | undefined;

/** Element type of a graph input or output. Throws `model-unsupported` for what is no tensor Tilepipe moves. */
export function valueType(value: ValueInfoProto, role: 'input' | 'output'): DType {
  const type = value.type?.value;
  if (type?.case !== 'tensorType') {
    throw new TilepipeError(
      'model-unsupported',
      `The graph's ${role} ${value.name} is ${type?.case?.replace('Type', '') ?? 'of no type'}, not a tensor.`,
    );
  }
  const dtype = dtypeOf(type.value.elemType);
  if (dtype !== undefined) return dtype;
  throw new TilepipeError(
    'model-unsupported',
    `The graph's ${role} ${value.name} has element type ${typeName(type.value.elemType)}, which Tilepipe does not move.`,
  );
}

function extentsOf(value: ValueInfoProto): Extent[] | undefined {
  const type = value.type?.value;
  if (type?.case !== 'tensorType') return undefined;
  return type.value.shape?.dim.map(({ value: dim }) => {
    if (dim.case === 'dimParam') return dim.value === '' ? undefined : dim.value;
    // Some exporters write 0 or -1 for an open extent.
    return dim.case === 'dimValue' && dim.value > 0n ? Number(dim.value) : undefined;
  });
}

const show = (extents: readonly Extent[]) => `[${extents.map((extent) => extent ?? '?').join(', ')}]`;

/**
 * A shape under the empty name is for the only input.
 * Throws `model-shape` naming the input and an example, `model-unsupported` for inputs that are no tensors.
 */
export function fixInputs(inputs: readonly ValueInfoProto[], given: Shapes): TensorInfo[] {
  const names = inputs.map(({ name }) => name);
  const only = names.length === 1 ? names[0] : undefined;
  const shapes = new Map([...given].map(([name, shape]) => [name === '' ? (only ?? '') : name, shape]));
  for (const name of shapes.keys()) {
    if (names.includes(name)) continue;
    throw new TilepipeError(
      'model-shape',
      `The model has no input ${name}; its inputs are ${names.join(', ')}.`,
    );
  }
  const symbols = new Map<string, number>();
  const open = inputs.map((value) => ({
    value,
    dtype: valueType(value, 'input'),
    extents: withGiven(value, shapes, symbols),
  }));
  return open.map(({ value, dtype, extents }) => {
    const shape = extents.map((extent, axis) => {
      const fixed = typeof extent === 'string' ? symbols.get(extent) : extent;
      // A symbol that another input fixed counts as fixed; a batch nobody fixed is one frame.
      return fixed ?? (axis === 0 ? 1 : undefined);
    });
    if (shape.every((extent) => extent !== undefined)) return { name: value.name, dtype, shape };
    const example = shape.map((extent) => extent ?? 320).join('x');
    throw new TilepipeError(
      'model-shape',
      `Input ${value.name} has the open shape ${show(extents)}: fix it, for example with --shape ${value.name}=${example}.`,
    );
  });
}

function withGiven(value: ValueInfoProto, shapes: Shapes, symbols: Map<string, number>): Extent[] {
  const own = extentsOf(value);
  const given = shapes.get(value.name);
  if (given === undefined) {
    if (own !== undefined) return own;
    throw new TilepipeError(
      'model-shape',
      `Input ${value.name} has no shape: fix it, for example with --shape ${value.name}=1x3x320x320.`,
    );
  }
  if (given.some((extent) => !Number.isSafeInteger(extent) || extent < 1)) {
    throw new TilepipeError(
      'model-shape',
      `The shape ${show(given)} given for input ${value.name} is not one of whole numbers above 0.`,
    );
  }
  const fits =
    own === undefined ||
    (own.length === given.length &&
      own.every((extent, axis) => typeof extent !== 'number' || extent === given[axis]));
  if (!fits) {
    throw new TilepipeError(
      'model-shape',
      `The shape ${show(given)} given for input ${value.name} contradicts the model's ${show(own ?? [])}.`,
    );
  }
  for (const [axis, extent] of (own ?? []).entries()) {
    if (typeof extent === 'string') symbols.set(extent, given[axis] as number);
  }
  return [...given];
}
