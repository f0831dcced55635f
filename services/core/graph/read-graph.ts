/** From the bytes of an ONNX file to the typed graph. */

import { decodeAttributes } from './attributes.ts';
import { constantFromProto, type ExternalData } from './constant.ts';
import { indexGraph } from './index-graph.ts';
import { constantNode } from './load/constant-node.ts';
import { decodeModel, normalDomain } from './load/decode.ts';
import { removeIdentities } from './load/identities.ts';
import { inlineFunctions } from './load/inline-functions.ts';
import { fixInputs, valueType } from './load/inputs.ts';
import { type LinkedNode, linkNodes } from './load/link.ts';
import { type Probe, resolveTypes } from './resolve.ts';
import type { Constant, Graph, GraphNode } from './types.ts';

export interface ReadOptions {
  /** Shapes of inputs by name, for those the file leaves open. An open batch is 1 unless given here. */
  readonly shapes?: ReadonlyMap<string, readonly number[]>;
  /** Weights beside the file. */
  readonly external?: ExternalData;
  /** Replaces constant weights (ConstantOfShape) by random ones that depend on this and the tensor's name. */
  readonly fillSeed?: number;
  /** Asks the executor for what the operator table cannot infer. */
  readonly probe?: Probe;
}

/**
 * Reads opset 6 and later. Weights stay views of `bytes`: keep it unchanged while the graph lives.
 * Throws `model-unreadable`, `model-unsupported`, `model-shape` or `weights-missing`.
 */
export async function readGraph(bytes: Uint8Array, options: ReadOptions = {}): Promise<Graph> {
  const decoded = decodeModel(bytes);
  const { graph, opsets, opset } = decoded;
  const linked = linkNodes(graph, inlineFunctions(decoded));
  const outputs = graph.output.map(({ name }) => name);
  for (const value of graph.output) if (value.type?.value.case !== undefined) valueType(value, 'output');

  const declared = graph.input.filter(({ name }) => !linked.initializers.has(name));
  const inputs = fixInputs(declared, options.shapes ?? new Map());
  const made = new Set([...linked.initializers.keys(), ...inputs.map(({ name }) => name)]);
  const captured = linked.nodes.flatMap((node) => node.captures);
  const { nodes, rename } = removeIdentities(linked.nodes, new Set([...outputs, ...captured]), made);

  // A name cannot be a constant and an output at once: such an initializer is read under another name.
  const exposed = new Set(outputs.filter((name) => linked.initializers.has(name)));
  const inside = (name: string) => (exposed.has(name) ? `${name}/value` : name);

  const constants = new Map<string, Constant>();
  const drafts = [...exposed].map((name) => passOn(inside(name), name));
  for (const node of nodes) {
    const draft = draftNode(node, (name) => inside(rename(name)), rename, options.external);
    if (draft.op === 'Constant' && draft.domain === '' && !outputs.includes(draft.outputs[0] ?? '')) {
      const constant = constantNode(draft);
      constants.set(constant.name, constant);
    } else drafts.push(draft);
  }
  const read = new Set(drafts.flatMap((node) => [...node.inputs, ...(node.captures ?? [])]));
  for (const [name, tensor] of linked.initializers) {
    if (!read.has(inside(name))) continue;
    constants.set(
      inside(name),
      constantFromProto(tensor, inside(name), `initializer ${name}`, options.external),
    );
  }
  const resolved = await resolveTypes(
    {
      model: bytes,
      nodes: drafts,
      inputs,
      outputs: new Set(outputs),
      opsets,
      fillSeed: options.fillSeed,
      probe: options.probe,
    },
    constants,
  );
  return indexGraph({
    name: graph.name,
    irVersion: Number(decoded.model.irVersion),
    opset,
    opsets,
    inputs,
    outputs,
    constants,
    ...resolved,
  });
}

function passOn(from: string, to: string): GraphNode {
  return {
    index: 0,
    name: `${to}/output`,
    op: 'Identity',
    domain: '',
    inputs: [from],
    outputs: [to],
    attributes: new Map(),
  };
}

function draftNode(
  node: LinkedNode,
  input: (name: string) => string,
  output: (name: string) => string,
  external: ExternalData | undefined,
): GraphNode {
  const { proto, name, captures } = node;
  return {
    index: 0,
    name,
    op: proto.opType,
    domain: normalDomain(proto.domain),
    inputs: proto.input.map(input),
    outputs: proto.output.map(output),
    ...decodeAttributes(proto.attribute, `node ${name} (${proto.opType})`, external),
    ...(captures.length > 0 ? { captures } : {}),
  };
}
