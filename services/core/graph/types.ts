/** The typed graph: what every other part knows of a model. Values only, no I/O. */

/** Element types Tilepipe moves on the wire; `string` and the 4-bit types are refused by name. */
export type DType =
  | 'float32'
  | 'float16'
  | 'float64'
  | 'bfloat16'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'bool';

export interface TensorInfo {
  readonly name: string;
  readonly dtype: DType;
  /** Static extent of every axis; all are known once a graph is loaded. */
  readonly shape: readonly number[];
  /** True where the extents depend on the data: `shape` is then only what a zero input gave. Never tiled. */
  readonly dynamic?: boolean;
}

/** A tensor whose value does not depend on the input: an initializer, a Constant node, or a folded node. */
export interface Constant extends TensorInfo {
  readonly byteLength: number;
  /** Little-endian elements, as ONNX raw_data lays them out. May be made on demand; do not keep it. */
  bytes(): Uint8Array;
  /** Some of these bytes, without making the others; absent: there is no cheaper way to them. */
  part?(offset: number, length: number): Uint8Array;
}

export type AttributeValue =
  | number
  | string
  | readonly number[]
  | readonly string[]
  | Constant
  | EncodedAttribute;

/** An attribute kept as the encoded AttributeProto: a body of control flow, or a kind nobody here looks into. */
export interface EncodedAttribute {
  readonly kind: 'graph' | 'other';
  readonly proto: Uint8Array;
}

export interface GraphNode {
  /** Position in the graph's topological order. */
  readonly index: number;
  /** Never empty: a nameless node is given `<op>_<index>`. */
  readonly name: string;
  readonly op: string;
  /** '' for the standard ONNX operators. */
  readonly domain: string;
  /** Tensor names; '' marks an optional input left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, AttributeValue>;
  /** Names of the attributes whose numbers are FLOAT or FLOATS; a whole number is INT otherwise. */
  readonly floats?: ReadonlySet<string>;
  /** Outer tensors that bodies of control flow read: inputs in all but the list. Absent: none. */
  readonly captures?: readonly string[];
}

export interface Graph {
  readonly name: string;
  readonly irVersion: number;
  /** Version of the default operator set. */
  readonly opset: number;
  /** Every imported operator set, by domain. */
  readonly opsets: ReadonlyMap<string, number>;
  /** Topological order; nodes whose outputs are constants or unused are gone. */
  readonly nodes: readonly GraphNode[];
  /** Inputs proper: initializers that old files also list as inputs are constants here. */
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  readonly constants: ReadonlyMap<string, Constant>;
  /** Every tensor that is not a constant, by name, with its static shape. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** The node that makes a tensor; graph inputs and constants have none. */
  readonly producers: ReadonlyMap<string, GraphNode>;
  /** The nodes that read a tensor, in order. */
  readonly consumers: ReadonlyMap<string, readonly GraphNode[]>;
}
