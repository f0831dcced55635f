/** What the operator table says of an operator, and what its functions are given. */

import { TilepipeError } from '../../runtime/errors.ts';
import type { DType, GraphNode, TensorInfo } from '../types.ts';

/**
 * How an operator relates to rows and columns: `spatial` reads a window of them, `pointwise` one element,
 * `channel` all channels of one position, `layout` moves elements, `global` needs a whole tensor, `shape`
 * computes with shapes.
 */
export type Family = 'spatial' | 'pointwise' | 'channel' | 'layout' | 'global' | 'shape';

/** Type of a tensor without its name. */
export type TensorType = Pick<TensorInfo, 'dtype' | 'shape'>;

export interface InferContext {
  readonly node: GraphNode;
  /** Version of the operator set of the node's domain. */
  readonly opset: number;
  /** By position; undefined where an optional input is left out. */
  readonly inputs: readonly (TensorType | undefined)[];
  /** Elements of input `position` where it is a constant of moderate size; undefined where it is not known. */
  values(position: number): readonly number[] | undefined;
}

export interface MacContext {
  readonly node: GraphNode;
  readonly inputs: readonly (TensorType | undefined)[];
  readonly outputs: readonly TensorType[];
}

/** One row of the operator table. */
export interface OperatorRow {
  readonly op: string;
  /** '' for the standard operators. */
  readonly domain: string;
  readonly family: Family;
  /** One sentence for the page of supported operators. */
  readonly summary: string;
  /**
   * Types of the outputs by position; undefined where they depend on data. Throws `model-shape` where the
   * inputs contradict the operator.
   */
  infer(context: InferContext): readonly TensorType[] | undefined;
  /** Multiply-accumulates of the whole output. */
  macs(context: MacContext): number;
}

const noMacs = () => 0;

export function operator(
  op: string,
  family: Family,
  summary: string,
  infer: OperatorRow['infer'],
  more: { readonly domain?: string; readonly macs?: OperatorRow['macs'] } = {},
): OperatorRow {
  return { op, domain: more.domain ?? '', family, summary, infer, macs: more.macs ?? noMacs };
}

/** The node contradicts its inputs. */
export function contradiction(node: GraphNode, problem: string): TilepipeError {
  return new TilepipeError('model-shape', `node ${node.name} (${node.op}): ${problem}.`);
}

/** Input `position`, which the operator cannot do without. Throws `model-unreadable`. */
export function required(context: Pick<InferContext, 'node' | 'inputs'>, position: number): TensorType {
  const input = context.inputs[position];
  if (input !== undefined) return input;
  throw new TilepipeError(
    'model-unreadable',
    `node ${context.node.name} (${context.node.op}) lacks input ${position}.`,
  );
}

/** An axis counted from the front. Throws `model-shape` where it lies outside. */
export function normalAxis(node: GraphNode, axis: number, rank: number): number {
  const normal = axis < 0 ? axis + rank : axis;
  if (Number.isInteger(axis) && normal >= 0 && normal < Math.max(rank, 1)) return normal;
  throw contradiction(node, `axis ${axis} is outside a tensor of rank ${rank}`);
}

/** The common shape of tensors that broadcast (ONNX, "Multidirectional Broadcasting"). Throws `model-shape`. */
export function broadcast(node: GraphNode, shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  const result = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    for (const [index, extent] of shape.entries()) {
      const axis = rank - shape.length + index;
      if (extent === 1) continue;
      if (result[axis] !== 1 && result[axis] !== extent) {
        throw contradiction(
          node,
          `shapes ${shapes.map((item) => `[${item.join(', ')}]`).join(' and ')} do not broadcast`,
        );
      }
      result[axis] = extent;
    }
  }
  return result;
}

/** Output of the first input's type. */
export function sameAsFirst(context: InferContext): readonly TensorType[] {
  return [required(context, 0)];
}

export function tensorType(dtype: DType, shape: readonly number[]): TensorType {
  return { dtype, shape };
}
