/** Model-local functions, put in place of the nodes that call them. */

import { clone, create } from '@bufbuild/protobuf';
import { TilepipeError } from '../../runtime/errors.ts';
import { AttributeProtoSchema, type FunctionProto, type NodeProto, NodeProtoSchema } from '../onnx_pb.ts';
import { type DecodedModel, normalDomain } from './decode.ts';

/** A function may call others, each twice: the limit stops a small file from becoming a huge graph. */
const MOST_NODES = 200_000;
const DEEPEST = 64;

interface Expansion {
  readonly functions: ReadonlyMap<string, FunctionProto>;
  readonly result: NodeProto[];
  calls: number;
}

const keyOf = (domain: string, name: string, overload: string) =>
  JSON.stringify([normalDomain(domain), name, overload]);

/** The graph's nodes with all calls expanded. Throws `model-unsupported`. */
export function inlineFunctions(decoded: DecodedModel): readonly NodeProto[] {
  const { model, graph } = decoded;
  if (model.functions.length === 0) return graph.node;
  const functions = new Map<string, FunctionProto>();
  for (const item of model.functions) functions.set(keyOf(item.domain, item.name, item.overload), item);
  const expansion: Expansion = { functions, result: [], calls: 0 };
  for (const node of graph.node) expand(node, decoded, expansion, 0);
  return expansion.result;
}

function refuse(item: FunctionProto, problem: string): never {
  throw new TilepipeError(
    'model-unsupported',
    `Function ${item.domain}:${item.name} ${problem}; inline the model's functions (onnx.inliner).`,
  );
}

function expand(node: NodeProto, decoded: DecodedModel, expansion: Expansion, depth: number): void {
  const body = expansion.functions.get(keyOf(node.domain, node.opType, node.overload));
  if (body === undefined) {
    expansion.result.push(node);
    return;
  }
  if (depth > DEEPEST || expansion.result.length > MOST_NODES) {
    refuse(body, 'calls itself or becomes too large');
  }
  const standard = body.opsetImport.find(({ domain }) => normalDomain(domain) === '');
  if (standard !== undefined && Number(standard.version) !== decoded.opset) {
    refuse(body, `uses operator set ${standard.version} inside a model of ${decoded.opset}`);
  }
  const prefix = `${node.name || node.opType}/${expansion.calls++}/`;
  const names = new Map<string, string>();
  for (const [position, name] of body.input.entries()) names.set(name, node.input[position] ?? '');
  for (const [position, name] of body.output.entries()) {
    names.set(name, node.output[position] || `${prefix}${name}`);
  }
  const rename = (name: string) => (name === '' ? '' : (names.get(name) ?? `${prefix}${name}`));
  for (const inner of body.node) {
    const copy = create(NodeProtoSchema, {
      name: `${prefix}${inner.name || inner.opType}`,
      opType: inner.opType,
      domain: inner.domain,
      overload: inner.overload,
      input: inner.input.map(rename),
      output: inner.output.map(rename),
      attribute: attributesOf(inner, node, body),
    });
    expand(copy, decoded, expansion, depth + 1);
  }
}

/** Attributes of an inner node, those that refer to the function's own filled in from the call or its defaults. */
function attributesOf(inner: NodeProto, call: NodeProto, body: FunctionProto): NodeProto['attribute'] {
  return inner.attribute.flatMap((attribute) => {
    if (attribute.g !== undefined || attribute.graphs.length > 0) refuse(body, 'has control flow inside');
    if (attribute.refAttrName === '') return [attribute];
    const given = [...call.attribute, ...body.attributeProto].find(
      ({ name }) => name === attribute.refAttrName,
    );
    if (given === undefined) return [];
    const filled = clone(AttributeProtoSchema, given);
    filled.name = attribute.name;
    return [filled];
  });
}
