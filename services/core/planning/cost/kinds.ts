/** Kinds of operators: what decides an operator's speed in an executor that lays channels out in vectors. */

import { numberAttribute } from '../../graph/attributes.ts';
import { readElements } from '../../graph/dtype.ts';
import { typeOf } from '../../graph/macs.ts';
import { OPERATORS, operatorKey } from '../../graph/operators/table.ts';
import type { Graph, GraphNode } from '../../graph/types.ts';
import { OTHER } from './fleet.ts';

/** Keys of the regressions, with a sentence for people. */
export const KINDS = {
  'conv-dense': 'convolution with a window, all channels in vectors',
  'conv-pointwise': 'convolution of 1 x 1',
  'conv-depthwise': 'convolution of each channel by itself',
  'conv-few': 'convolution of few input channels, as the first of a network',
  'conv-general': 'convolution that is unrolled into a matrix: odd channels or groups, other ranks',
  deconv: 'transposed convolution',
  gemm: 'fully connected layer and matrix product',
  pool: 'pooling by a window',
  reduce: 'pooling and sums over whole maps, normalisations',
  pointwise: 'arithmetic on single elements',
  exponential: 'functions with an exponential in them, on single elements',
  layout: 'moves rows: concatenation, slices, resizing',
  strided: 'moves single elements: transposition, slices with steps, gathers',
  reorder: 'channels into vectors and back, at the borders of a task',
  spill: 'activations of an operator beyond what a cache holds',
  task: 'input and output tensors of a task: handed over and copied',
  [OTHER]: 'everything else',
} as const;

export type Kind = keyof typeof KINDS;

/** Channels in one vector of the widest executors (AVX-512 and NEON kernels of ONNX Runtime 1.30); AVX2 has 8. */
const VECTOR = 16;
/** Groups of channels the executor can still lay out. */
const ALIGNED = 4;

/** Channels as they are computed: filled up to whole vectors. */
export function padded(channels: number): number {
  return Math.ceil(channels / VECTOR) * VECTOR;
}

const EXPONENTIAL: ReadonlySet<string> = new Set(
  'Sigmoid Tanh Exp Log Erf Gelu FastGelu QuickGelu BiasGelu Swish Mish Softplus Elu Selu Celu Softmax LogSoftmax Pow Sin Cos Tan Sinh Cosh Asin Acos Atan Asinh Acosh Atanh'.split(
    ' ',
  ),
);
/** Nothing is computed or moved: the executor drops them, or hands the same memory on. */
const FREE: ReadonlySet<string> = new Set(
  'Identity Dropout Reshape Flatten Squeeze Unsqueeze Shape Size Constant'.split(' '),
);
const GEMM: ReadonlySet<string> = new Set(
  'Gemm MatMul MatMulInteger QLinearMatMul Einsum LSTM GRU RNN'.split(' '),
);
const POOL: ReadonlySet<string> = new Set(['MaxPool', 'AveragePool', 'LpPool']);
const CONV: ReadonlySet<string> = new Set(['Conv', 'FusedConv', 'ConvInteger', 'QLinearConv']);
const MOVES: ReadonlySet<string> = new Set(['Resize', 'Upsample', 'Pad', 'CenterCropPad']);

const STRIDED: ReadonlySet<string> = new Set(
  'Slice Transpose Gather GatherND GatherElements Scatter ScatterElements ScatterND DepthToSpace SpaceToDepth'.split(
    ' ',
  ),
);

function isStrided(graph: Graph, node: GraphNode): boolean {
  if (node.op !== 'Slice') return true;
  const steps = graph.constants.get(node.inputs[4] ?? '');
  return (
    steps !== undefined && Array.from(readElements(steps.dtype, steps.bytes())).some((step) => step !== 1)
  );
}

/** Kinds whose parameters are read as weights; what others have beside their data is a few numbers. */
export const WEIGHED: ReadonlySet<Kind> = new Set<Kind>([
  'conv-dense',
  'conv-pointwise',
  'conv-depthwise',
  'conv-few',
  'conv-general',
  'deconv',
  'gemm',
]);

/** The kind of a node's operator; undefined where it costs nothing. */
export function kindOf(graph: Graph, node: GraphNode): Kind | undefined {
  const { op } = node;
  if (node.domain === '' && FREE.has(op)) return undefined;
  if (CONV.has(op)) return convKind(graph, node);
  if (op === 'ConvTranspose') return 'deconv';
  if (GEMM.has(op)) return 'gemm';
  if (POOL.has(op)) return 'pool';
  if (EXPONENTIAL.has(op)) return 'exponential';
  if (MOVES.has(op)) return 'layout';
  switch (OPERATORS.get(operatorKey(op, node.domain))?.family) {
    case 'pointwise':
      return 'pointwise';
    case 'layout':
      return STRIDED.has(op) && isStrided(graph, node) ? 'strided' : 'layout';
    case 'channel':
      return 'pointwise';
    case 'global':
      return 'reduce';
    case 'shape':
      return undefined;
    default:
      return OTHER;
  }
}

/** Follows the conditions under which ONNX Runtime takes its kernels for vectors of channels. */
function convKind(graph: Graph, node: GraphNode): Kind {
  const weights = typeOf(graph, node.inputs[1] ?? '')?.shape ?? [];
  const [out = 0, inPerGroup = 0, ...kernel] = weights;
  const plain =
    node.op === 'Conv' && kernel.length === 2 && typeOf(graph, node.inputs[0] ?? '')?.dtype === 'float32';
  const groups = numberAttribute(node, 'group', 1);
  if (!plain) return 'conv-general';
  if (groups > 1) {
    if (out % ALIGNED !== 0) return 'conv-general';
    if (inPerGroup === 1 && out === groups) return 'conv-depthwise';
    return inPerGroup % VECTOR === 0 && (out / groups) % VECTOR === 0 ? 'conv-dense' : 'conv-general';
  }
  if (inPerGroup < VECTOR) return 'conv-few';
  if (inPerGroup % ALIGNED !== 0) return 'conv-general';
  return kernel.every((extent) => extent === 1) ? 'conv-pointwise' : 'conv-dense';
}

/** Multiply-accumulates as they are computed, for one of a convolution's own: vectors are filled up. */
export function convPadding(graph: Graph, node: GraphNode, kind: Kind): number {
  const [out = 1, inPerGroup = 1] = typeOf(graph, node.inputs[1] ?? '')?.shape ?? [];
  const outputs = padded(out) / out;
  switch (kind) {
    case 'conv-dense':
    case 'conv-pointwise':
      return numberAttribute(node, 'group', 1) > 1 ? 1 : (outputs * padded(inPerGroup)) / inPerGroup;
    case 'conv-few':
    case 'conv-depthwise':
      return outputs;
    default:
      return 1;
  }
}
