/** The walk that gives every tensor its static type: folding what is constant, inferring the rest, probing the unknown. */

import { TilepipeError } from '../runtime/errors.ts';
import { elementBytes } from '../tensor/dtype.ts';
import { constantOf } from './constant.ts';
import { elementCount, isFloat, readElements } from './dtype.ts';
import { seededConstant, spreadFor } from './fill.ts';
import { shapeElements } from './fold/evaluators.ts';
import { foldNode, SMALL } from './fold/fold.ts';
import type { InferContext, TensorType } from './operators/row.ts';
import { OPERATORS, operatorKey } from './operators/table.ts';
import type { Constant, GraphNode, TensorInfo } from './types.ts';

/** What is asked of the executor: to run the model once on zeros and tell the types of inner tensors. */
export interface ProbeRequest {
  /** The ONNX file being read; `withOutputs` makes it show the tensors. */
  readonly model: Uint8Array;
  /** Its inputs with every extent fixed. */
  readonly inputs: readonly TensorInfo[];
  readonly tensors: readonly string[];
  /** Where external weights lie; known to whoever opened the file. */
  readonly folder?: string;
}

/** Tensors the executor could not show are absent from the answer. */
export type Probe = (request: ProbeRequest) => Promise<ReadonlyMap<string, TensorType>>;

export interface ResolveInput {
  readonly model: Uint8Array;
  /** Topological order. */
  readonly nodes: readonly GraphNode[];
  readonly inputs: readonly TensorInfo[];
  readonly outputs: ReadonlySet<string>;
  readonly opsets: ReadonlyMap<string, number>;
  readonly fillSeed: number | undefined;
  readonly probe: Probe | undefined;
}

interface State extends ResolveInput {
  readonly constants: Map<string, Constant>;
  readonly tensors: Map<string, TensorInfo>;
  readonly readers: ReadonlyMap<string, readonly GraphNode[]>;
  readonly probed: Map<string, TensorType>;
}

export interface Resolved {
  /** Those that were not folded. */
  readonly nodes: readonly GraphNode[];
  readonly tensors: ReadonlyMap<string, TensorInfo>;
}

/** Adds folded constants to `constants`. Throws `model-shape`, `model-unsupported`, `model-unreadable`. */
export async function resolveTypes(input: ResolveInput, constants: Map<string, Constant>): Promise<Resolved> {
  const state: State = {
    ...input,
    constants,
    tensors: new Map(input.inputs.map((info) => [info.name, info])),
    readers: readersOf(input.nodes),
    probed: new Map(),
  };
  const kept: GraphNode[] = [];
  for (const [position, node] of input.nodes.entries()) {
    const context = contextOf(node, state);
    const open = isDynamic(node, state);
    const types = open ? undefined : inferred(node, context);
    const folded = types && fold(node, types, context, state);
    if (folded !== undefined) {
      for (const constant of folded) constants.set(constant.name, constant);
      continue;
    }
    kept.push(node);
    if (types !== undefined) record(node, types, false, state);
    else await recordProbed(node, position, open, state);
  }
  return { nodes: kept, tensors: state.tensors };
}

function readersOf(nodes: readonly GraphNode[]): Map<string, GraphNode[]> {
  const readers = new Map<string, GraphNode[]>();
  for (const node of nodes) {
    for (const name of new Set([...node.inputs, ...(node.captures ?? [])])) {
      const list = readers.get(name);
      if (list) list.push(node);
      else readers.set(name, [node]);
    }
  }
  return readers;
}

function opsetOf(node: GraphNode, state: State): number {
  return state.opsets.get(node.domain) ?? 1;
}

function contextOf(node: GraphNode, state: State): InferContext {
  const inputs = node.inputs.map((name) =>
    name === '' ? undefined : (state.constants.get(name) ?? state.tensors.get(name)),
  );
  return {
    node,
    opset: opsetOf(node, state),
    inputs,
    values(position) {
      const constant = state.constants.get(node.inputs[position] ?? '');
      if (constant === undefined || elementCount(constant.shape) > SMALL) return undefined;
      return Array.from(readElements(constant.dtype, constant.bytes()));
    },
  };
}

function isDynamic(node: GraphNode, state: State): boolean {
  return [...node.inputs, ...(node.captures ?? [])].some((name) => state.tensors.get(name)?.dynamic === true);
}

/** Whatever goes wrong inside a row comes from the file: a list of the wrong kind, an absurd number. */
function guarded<T>(node: GraphNode, step: () => T): T {
  try {
    return step();
  } catch (cause) {
    if (cause instanceof TilepipeError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TilepipeError('model-unreadable', `node ${node.name} (${node.op}) makes no sense: ${reason}.`, {
      cause,
    });
  }
}

function inferred(node: GraphNode, context: InferContext): readonly TensorType[] | undefined {
  const row = OPERATORS.get(operatorKey(node.op, node.domain));
  const types = row && guarded(node, () => row.infer(context));
  if (types === undefined) return undefined;
  for (const [position, name] of node.outputs.entries()) {
    if (name !== '') checkType(node, name, types[position]);
  }
  return types;
}

function checkType(node: GraphNode, name: string, type: TensorType | undefined): void {
  if (type === undefined) {
    throw new TilepipeError(
      'model-unreadable',
      `node ${node.name} (${node.op}) has no output such as ${name}.`,
    );
  }
  const sound = type.shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0);
  if (sound && Number.isSafeInteger(elementCount(type.shape) * elementBytes(type.dtype))) return;
  throw new TilepipeError(
    'model-shape',
    `node ${node.name} (${node.op}) would make ${name} of the impossible shape [${type.shape.join(', ')}].`,
  );
}

function fold(
  node: GraphNode,
  types: readonly TensorType[],
  context: InferContext,
  state: State,
): readonly Constant[] | undefined {
  if (node.outputs.some((name) => name === '' || state.outputs.has(name)) || node.captures) return undefined;
  const only = types[0] as TensorType;
  const name = node.outputs[0] as string;
  if (node.domain === '' && (node.op === 'Shape' || node.op === 'Size')) {
    const elements = shapeElements(node, (context.inputs[0] as TensorType).shape);
    return [constantOf(name, 'int64', only.shape, elements)];
  }
  const inputs = node.inputs.map((input) => state.constants.get(input));
  if (
    node.inputs.length === 0 ||
    inputs.some((input, position) => input === undefined && node.inputs[position] !== '')
  ) {
    return undefined;
  }
  if (node.op === 'ConstantOfShape' && state.fillSeed !== undefined && isFloat(only.dtype)) {
    const spread = parameterSpread(name, only.shape, state);
    if (spread) return [seededConstant(name, only.dtype, only.shape, state.fillSeed, spread)];
  }
  return guarded(node, () => foldNode(node, context.opset, inputs, types));
}

const PASSING = new Set([
  'Reshape',
  'Unsqueeze',
  'Squeeze',
  'Flatten',
  'Cast',
  'Expand',
  'Transpose',
  'Identity',
]);

/** Looks behind operators that only rearrange for the one that uses the parameter. */
function parameterSpread(name: string, shape: readonly number[], state: State): ReturnType<typeof spreadFor> {
  for (let current = name, hops = 0; hops < state.nodes.length; hops++) {
    const reader = state.readers.get(current)?.[0];
    if (reader === undefined) return undefined;
    const position = reader.inputs.indexOf(current);
    if (!PASSING.has(reader.op) || position !== 0) {
      const after = state.readers.get(reader.outputs[0] ?? '') ?? [];
      const summed = after.some(({ op }) => op === 'Add' || op === 'Sum');
      return spreadFor(reader, position, shape, summed);
    }
    current = reader.outputs[0] ?? '';
  }
  return undefined;
}

function record(node: GraphNode, types: readonly TensorType[], dynamic: boolean, state: State): void {
  for (const [position, name] of node.outputs.entries()) {
    if (name === '') continue;
    const { dtype, shape } = types[position] as TensorType;
    state.tensors.set(name, dynamic ? { name, dtype, shape, dynamic } : { name, dtype, shape });
  }
}

/**
 * An operator outside the table is taken at the executor's word; where the table says that shapes depend on
 * data, or an input's do, the outputs are marked as dynamic.
 */
async function recordProbed(node: GraphNode, position: number, open: boolean, state: State): Promise<void> {
  const known = OPERATORS.has(operatorKey(node.op, node.domain));
  const wanted = node.outputs.filter((name) => name !== '');
  if (wanted.some((name) => !state.probed.has(name))) {
    const tensors = unknownFrom(position, open || known, state);
    const found = await state.probe?.({ model: state.model, inputs: state.inputs, tensors });
    for (const [name, type] of found ?? []) state.probed.set(name, type);
  }
  const missing = wanted.find((name) => !state.probed.has(name));
  if (missing !== undefined) {
    throw new TilepipeError(
      'model-unsupported',
      `The shape of ${missing}, made by node ${node.name} (${operatorKey(node.op, node.domain)}), cannot be told` +
        (state.probe ? ' even by running the model.' : ' without running the model.'),
    );
  }
  const types = node.outputs.map((name) => state.probed.get(name) as TensorType);
  for (const [at, name] of node.outputs.entries()) if (name !== '') checkType(node, name, types[at]);
  record(node, types, open || known, state);
}

/** Outputs that will need the executor too, as far as can be told now: one run should serve them all. */
function unknownFrom(position: number, dynamic: boolean, state: State): string[] {
  const names = new Set<string>();
  const tainted = new Set<string>();
  for (const [offset, node] of state.nodes.slice(position).entries()) {
    const spread = [...node.inputs, ...(node.captures ?? [])].some((name) => tainted.has(name));
    const outside = !OPERATORS.has(operatorKey(node.op, node.domain));
    if (offset > 0 && !spread && !outside) continue;
    for (const name of node.outputs) {
      if (name === '') continue;
      names.add(name);
      if (spread || (offset === 0 && dynamic)) tainted.add(name);
    }
  }
  return [...names].filter((name) => !state.probed.has(name));
}
