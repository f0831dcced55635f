/** Writes ONNX files: sub-models, whole graphs, and probe models that show inner tensors. */

import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { encodeAttribute, encodeTensor } from './attributes.ts';
import { onnxTypeOf } from './dtype.ts';
import {
  ModelProtoSchema,
  type NodeProtoSchema,
  type TensorProtoSchema,
  type ValueInfoProtoSchema,
} from './onnx_pb.ts';
import type { AttributeValue, Constant, DType } from './types.ts';

/** A node to write; every GraphNode is one. */
export interface NodeSpec {
  readonly name?: string;
  readonly op: string;
  /** Absent or '': the standard operators. */
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: ReadonlyMap<string, AttributeValue>;
  /** Attributes whose numbers are FLOAT even where they are whole. */
  readonly floats?: ReadonlySet<string>;
}

/** A graph input or output. */
export interface ValueSpec {
  readonly name: string;
  /** Absent (outputs only): the executor infers type and shape. */
  readonly dtype?: DType;
  /** A string is a symbolic extent. Absent (outputs only): the executor infers it. */
  readonly shape?: readonly (number | string)[];
}

/** Weights in a file beside the model. */
export interface ExternalInitializer {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** File name, relative to the model's folder. */
  readonly location: string;
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly length: number;
}

export interface ModelSpec {
  readonly name?: string;
  /** Topological order. */
  readonly nodes: readonly NodeSpec[];
  readonly inputs: readonly ValueSpec[];
  readonly outputs: readonly ValueSpec[];
  readonly initializers?: Iterable<Constant>;
  readonly externalInitializers?: Iterable<ExternalInitializer>;
  readonly opsets: ReadonlyMap<string, number>;
  readonly irVersion: number;
}

/** TensorProto.DataLocation.EXTERNAL */
const EXTERNAL = 1;
/** The first IR version in which initializers need not be listed as inputs. */
const INITIALIZERS_APART = 4;

/** An ONNX file. Inline initializers are copied into it; external ones cost a few bytes each. */
export function encodeModel(spec: ModelSpec): Uint8Array {
  const initializers: MessageInitShape<typeof TensorProtoSchema>[] = [];
  for (const constant of spec.initializers ?? []) initializers.push(encodeTensor(constant));
  for (const item of spec.externalInitializers ?? []) initializers.push(encodeExternal(item));
  const model = create(ModelProtoSchema, {
    irVersion: BigInt(Math.max(spec.irVersion, INITIALIZERS_APART)),
    producerName: 'tilepipe',
    opsetImport: [...spec.opsets].map(([domain, version]) => ({ domain, version: BigInt(version) })),
    graph: {
      name: spec.name ?? 'graph',
      node: spec.nodes.map(encodeNode),
      input: spec.inputs.map(encodeValue),
      output: spec.outputs.map(encodeValue),
      initializer: initializers,
    },
  });
  return toBinary(ModelProtoSchema, model);
}

/**
 * The model with further tensors among its outputs, for a probe; those that are outputs already stay as they
 * are. Costs one copy of the bytes: protobuf parsers merge a second `graph` field into the first and append
 * its repeated fields.
 */
export function withOutputs(model: Uint8Array, names: readonly string[]): Uint8Array {
  const present = new Set(fromBinary(ModelProtoSchema, model).graph?.output.map(({ name }) => name));
  const added = names.filter((name) => !present.has(name));
  const more = create(ModelProtoSchema, { graph: { output: added.map((name) => ({ name })) } });
  const tail = toBinary(ModelProtoSchema, more);
  const bytes = new Uint8Array(model.byteLength + tail.byteLength);
  bytes.set(model);
  bytes.set(tail, model.byteLength);
  return bytes;
}

function encodeNode(node: NodeSpec): MessageInitShape<typeof NodeProtoSchema> {
  return {
    name: node.name ?? '',
    opType: node.op,
    domain: node.domain ?? '',
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: [...(node.attributes ?? [])].map(([name, value]) =>
      encodeAttribute(name, value, node.floats?.has(name) ?? false),
    ),
  };
}

function encodeValue(value: ValueSpec): MessageInitShape<typeof ValueInfoProtoSchema> {
  if (value.dtype === undefined) return { name: value.name };
  const dim = value.shape?.map((extent) =>
    typeof extent === 'string'
      ? { value: { case: 'dimParam' as const, value: extent } }
      : { value: { case: 'dimValue' as const, value: BigInt(extent) } },
  );
  const tensor = { elemType: onnxTypeOf(value.dtype), ...(dim ? { shape: { dim } } : {}) };
  return { name: value.name, type: { value: { case: 'tensorType', value: tensor } } };
}

function encodeExternal(item: ExternalInitializer): MessageInitShape<typeof TensorProtoSchema> {
  return {
    name: item.name,
    dataType: onnxTypeOf(item.dtype),
    dims: item.shape.map(BigInt),
    dataLocation: EXTERNAL,
    externalData: [
      { key: 'location', value: item.location },
      { key: 'offset', value: String(item.offset) },
      { key: 'length', value: String(item.length) },
    ],
  };
}
