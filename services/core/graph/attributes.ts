/** Attributes of nodes: from and to ONNX, and typed access. */

import { create, fromBinary, isFieldSet, toBinary } from '@bufbuild/protobuf';
import { TilepipeError } from '../runtime/errors.ts';
import { constantFromProto, type ExternalData } from './constant.ts';
import { onnxTypeOf, toInt64 } from './dtype.ts';
import { type AttributeProto, AttributeProtoSchema, type TensorProto, TensorProtoSchema } from './onnx_pb.ts';
import type { AttributeValue, Constant, GraphNode } from './types.ts';

/** AttributeProto.AttributeType */
const TYPE = { float: 1, int: 2, string: 3, tensor: 4, graph: 5, floats: 6, ints: 7, strings: 8 } as const;

export interface DecodedAttributes {
  readonly attributes: ReadonlyMap<string, AttributeValue>;
  readonly floats: ReadonlySet<string>;
}

/** Files of IR version 1 leave the type out: the field that is set tells it. */
function typeOf(attribute: AttributeProto): number {
  if (attribute.type !== 0) return attribute.type;
  const field = AttributeProtoSchema.field;
  if (isFieldSet(attribute, field.f)) return TYPE.float;
  if (isFieldSet(attribute, field.i)) return TYPE.int;
  if (isFieldSet(attribute, field.s)) return TYPE.string;
  if (attribute.t) return TYPE.tensor;
  if (attribute.floats.length > 0) return TYPE.floats;
  if (attribute.ints.length > 0) return TYPE.ints;
  if (attribute.strings.length > 0) return TYPE.strings;
  return 0;
}

function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Throws as `constantFromProto` does, for tensors among the attributes. */
export function decodeAttributes(
  list: readonly AttributeProto[],
  where: string,
  external: ExternalData | undefined,
): DecodedAttributes {
  const attributes = new Map<string, AttributeValue>();
  const floats = new Set<string>();
  for (const attribute of list) {
    const type = typeOf(attribute);
    if (type === TYPE.float || type === TYPE.floats) floats.add(attribute.name);
    attributes.set(attribute.name, decodeAttribute(attribute, type, where, external));
  }
  return { attributes, floats };
}

function decodeAttribute(
  attribute: AttributeProto,
  type: number,
  where: string,
  external: ExternalData | undefined,
): AttributeValue {
  const encoded = (kind: 'graph' | 'other') => ({ kind, proto: toBinary(AttributeProtoSchema, attribute) });
  switch (type) {
    case TYPE.float:
      return attribute.f;
    case TYPE.int:
      return Number(attribute.i);
    case TYPE.string:
      return decodeText(attribute.s) ?? encoded('other');
    case TYPE.tensor: {
      if (!attribute.t) break;
      return constantFromProto(
        attribute.t,
        attribute.name,
        `attribute ${attribute.name} of ${where}`,
        external,
      );
    }
    case TYPE.floats:
      return attribute.floats;
    case TYPE.ints:
      return attribute.ints.map(Number);
    case TYPE.strings: {
      const texts = attribute.strings.map(decodeText);
      return texts.every((text) => text !== undefined) ? texts : encoded('other');
    }
  }
  return encoded(attribute.g || attribute.graphs.length > 0 ? 'graph' : 'other');
}

/** A constant as an inline TensorProto. */
export function encodeTensor(constant: Constant): TensorProto {
  return create(TensorProtoSchema, {
    name: constant.name,
    dataType: onnxTypeOf(constant.dtype),
    dims: constant.shape.map(BigInt),
    rawData: constant.bytes(),
  });
}

/** `float`: whole numbers are FLOAT too, as the node's `floats` says. */
export function encodeAttribute(name: string, value: AttributeValue, float: boolean): AttributeProto {
  const make = (init: Parameters<typeof create<typeof AttributeProtoSchema>>[1]) =>
    create(AttributeProtoSchema, { ...init, name });
  const text = new TextEncoder();
  if (typeof value === 'number') {
    return float || !Number.isInteger(value)
      ? make({ type: TYPE.float, f: value })
      : make({ type: TYPE.int, i: toInt64(value) });
  }
  if (typeof value === 'string') return make({ type: TYPE.string, s: text.encode(value) });
  if (Array.isArray(value)) {
    if (value.some((item) => typeof item === 'string')) {
      return make({ type: TYPE.strings, strings: value.map((item) => text.encode(item)) });
    }
    return float || value.some((item) => !Number.isInteger(item))
      ? make({ type: TYPE.floats, floats: [...value] })
      : make({ type: TYPE.ints, ints: value.map(toInt64) });
  }
  const other = value as Exclude<AttributeValue, number | string | readonly number[] | readonly string[]>;
  if ('kind' in other) return fromBinary(AttributeProtoSchema, other.proto);
  return make({ type: TYPE.tensor, t: encodeTensor(other) });
}

function wrongKind(node: GraphNode, name: string, wanted: string): never {
  throw new TilepipeError(
    'model-unreadable',
    `attribute ${name} of node ${node.name} (${node.op}) is not ${wanted}.`,
  );
}

/** A number attribute, INT or FLOAT. */
export function numberAttribute(node: GraphNode, name: string): number | undefined;
export function numberAttribute(node: GraphNode, name: string, fallback: number): number;
export function numberAttribute(node: GraphNode, name: string, fallback?: number): number | undefined {
  const value = node.attributes.get(name);
  if (value === undefined) return fallback;
  return typeof value === 'number' ? value : wrongKind(node, name, 'a number');
}

/** A list of numbers, INTS or FLOATS. */
export function numbersAttribute(node: GraphNode, name: string): readonly number[] | undefined {
  const value = node.attributes.get(name);
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || value.some((item) => typeof item !== 'number')) {
    return wrongKind(node, name, 'a list of numbers');
  }
  return value as readonly number[];
}

export function stringAttribute(node: GraphNode, name: string): string | undefined;
export function stringAttribute(node: GraphNode, name: string, fallback: string): string;
export function stringAttribute(node: GraphNode, name: string, fallback?: string): string | undefined {
  const value = node.attributes.get(name);
  if (value === undefined) return fallback;
  return typeof value === 'string' ? value : wrongKind(node, name, 'a string');
}

export function tensorAttribute(node: GraphNode, name: string): Constant | undefined {
  const value = node.attributes.get(name);
  if (value === undefined) return undefined;
  if (typeof value !== 'object' || !('bytes' in value)) return wrongKind(node, name, 'a tensor');
  return value;
}
