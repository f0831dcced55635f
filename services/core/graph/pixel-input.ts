/**
 * Pictures as pixels: the network's float input becomes bytes, and normalising them its first nodes. Everything after,
 * tiling, planning and the wire, sees a network whose input takes a quarter of the bytes.
 */

import { TilepipeError } from '../runtime/errors.ts';
import { inputFormat } from '../vision/preprocess.ts';
import type { PreprocessSettings } from '../vision/settings.ts';
import { constantOf } from './constant.ts';
import { onnxTypeOf } from './dtype.ts';
import { indexGraph } from './index-graph.ts';
import type { AttributeValue, Constant, Graph, GraphNode, TensorInfo } from './types.ts';

export interface PixelInput {
  readonly graph: Graph;
  /** How pictures become the new input: placed as before, neither reordered nor normalised. */
  readonly preprocess: PreprocessSettings;
}

/** Elements are broadcast by their last axes from here on. */
const OLDEST_OPSET = 7;

/**
 * The graph with its only input, a picture of float32 or float16, replaced by uint8 [1, height, width, channels] named
 * `<input>/pixels`: RGB, or gray where the network wants it. An input that is uint8 already stays as it is.
 *
 * The nodes compute (pixel - mean * divide) / (std * divide) in float32: within 1e-6 of what `writeTensor` makes,
 * relative to the largest value, and equal in every bit where float32 holds both products exactly. Throws
 * `config-invalid` where the input takes no picture or the settings contradict it, `model-unsupported` before operator set 7.
 */
export function withPixelInput(graph: Graph, preprocess: PreprocessSettings): PixelInput {
  const [input, another] = graph.inputs;
  if (input === undefined || another !== undefined) {
    const names = graph.inputs.map(({ name }) => `"${name}"`).join(', ');
    throw new TilepipeError('config-invalid', `pixels are for models of one input, this one has ${names}`);
  }
  const { height, width, channels, layout } = inputFormat(input, preprocess);
  if (input.dtype === 'uint8') return { graph, preprocess };
  if (graph.opset < OLDEST_OPSET) {
    throw new TilepipeError(
      'model-unsupported',
      `pixels need operator set ${OLDEST_OPSET}, the model uses ${graph.opset}`,
    );
  }
  const pixels: TensorInfo = {
    name: `${input.name}/pixels`,
    dtype: 'uint8',
    shape: [1, height, width, channels],
  };
  const chain = new Chain(input, pixels);
  // Bytes are moved before they become four times as many.
  if (layout === 'NCHW') chain.add('Transpose', 'planes', { shape: input.shape }, { perm: [0, 3, 1, 2] });
  const { color } = preprocess;
  if (color === 'BGR' && channels === 3) chain.reverse(layout === 'NCHW' ? 1 : 3);
  chain.add('Cast', 'float', { dtype: 'float32' }, { to: onnxTypeOf('float32') });
  const { divide, mean, std } = preprocess;
  const along = layout === 'NCHW' ? [channels, 1, 1] : [channels];
  chain.arithmetic(
    'Sub',
    'mean',
    mean.map((value) => value * divide),
    0,
    along,
  );
  chain.arithmetic(
    'Div',
    'std',
    std.map((value) => value * divide),
    1,
    along,
  );
  if (input.dtype === 'float16')
    chain.add('Cast', 'half', { dtype: 'float16' }, { to: onnxTypeOf('float16') });
  return {
    graph: chain.before(graph),
    preprocess: {
      ...preprocess,
      layout: 'NHWC',
      color: color === 'BGR' ? 'RGB' : color,
      divide: 1,
      mean: [0],
      std: [1],
    },
  };
}

/** Nodes one after another, from the pixels to the tensor that was the input. */
class Chain {
  readonly #input: TensorInfo;
  readonly #nodes: Omit<GraphNode, 'index' | 'outputs'>[] = [];
  readonly #types: Omit<TensorInfo, 'name'>[] = [];
  readonly #constants: Constant[] = [];
  readonly #pixels: TensorInfo;

  constructor(input: TensorInfo, pixels: TensorInfo) {
    this.#input = input;
    this.#pixels = pixels;
  }

  /** `more` is what the node changes of its input's type. */
  add(
    op: string,
    step: string,
    more: Partial<Omit<TensorInfo, 'name'>>,
    attributes: Readonly<Record<string, AttributeValue>> = {},
    operands: readonly string[] = [],
  ): void {
    const { dtype, shape } = this.#types.at(-1) ?? this.#pixels;
    const name = `${this.#pixels.name}/${step}`;
    // The name of the first input is filled in when the chain is closed.
    this.#nodes.push({
      name,
      op,
      domain: '',
      inputs: operands,
      attributes: new Map(Object.entries(attributes)),
    });
    this.#types.push({ dtype, shape, ...more });
  }

  /** BGR of RGB: cheap here, for the splitter would have to take the rows of the picture apart. */
  reverse(axis: number): void {
    const name = `${this.#pixels.name}/order/value`;
    this.#constants.push(constantOf(name, 'int64', [3], [2, 1, 0]));
    this.add('Gather', 'order', {}, { axis }, [name]);
  }

  /** With one number for all channels or one for each; left out where it changes nothing. */
  arithmetic(
    op: string,
    step: string,
    values: readonly number[],
    neutral: number,
    along: readonly number[],
  ): void {
    if (values.every((value) => value === neutral)) return;
    const name = `${this.#pixels.name}/${step}/value`;
    this.#constants.push(constantOf(name, 'float32', values.length === 1 ? [] : along, values));
    this.add(op, step, {}, {}, [name]);
  }

  before(graph: Graph): Graph {
    const tensors = new Map(graph.tensors);
    let from = this.#pixels.name;
    const nodes = this.#nodes.map((node, at): GraphNode => {
      const last = at === this.#nodes.length - 1;
      const name = last ? this.#input.name : node.name;
      tensors.set(name, { name, ...(this.#types[at] as Omit<TensorInfo, 'name'>) });
      const made = { ...node, index: at, inputs: [from, ...node.inputs], outputs: [name] };
      from = name;
      return made;
    });
    return indexGraph({
      ...graph,
      inputs: [this.#pixels],
      outputs: graph.outputs.map(({ name }) => name),
      nodes: [...nodes, ...graph.nodes],
      tensors,
      constants: new Map([...graph.constants, ...this.#constants.map((item) => [item.name, item] as const)]),
    });
  }
}
