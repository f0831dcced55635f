/** What Resize and Upsample make of a shape, in every form their operator sets had. */

import { TilepipeError } from '../runtime/errors.ts';
import { numberAttribute, numbersAttribute, stringAttribute } from './attributes.ts';
import type { GraphNode } from './types.ts';

/** Which input holds what: Upsample-9 and Resize-10 take (X, scales), Resize-11 (X, roi, scales, sizes). */
function operands(node: GraphNode, opset: number): { roi?: number; scales?: number; sizes?: number } {
  if (node.op === 'Resize' && opset >= 11) return { roi: 1, scales: 2, sizes: 3 };
  return node.inputs.length > 1 ? { scales: 1 } : {};
}

export interface ResizeParameters {
  /** One per axis of the input; undefined where sizes are given. */
  readonly scales: readonly number[] | undefined;
  /** One per axis of the input; undefined where scales are given. */
  readonly sizes: readonly number[] | undefined;
  /** Starts of all axes, then ends; undefined unless the coordinates are tf_crop_and_resize. */
  readonly roi: readonly number[] | undefined;
}

/**
 * Scales, sizes and region of interest for every axis of the input, whichever `axes` the node names.
 * undefined where they are not constants. Throws `model-shape`.
 */
export function resizeParameters(
  node: GraphNode,
  opset: number,
  input: readonly number[],
  values: (position: number) => readonly number[] | undefined,
): ResizeParameters | undefined {
  const fail = (problem: string): never => {
    throw new TilepipeError('model-shape', `node ${node.name} (${node.op}): ${problem}.`);
  };
  const at = operands(node, opset);
  const rank = input.length;
  const axes = (numbersAttribute(node, 'axes') ?? input.map((_, axis) => axis)).map((axis) =>
    axis < 0 ? axis + rank : axis,
  );
  if (axes.some((axis) => !(axis >= 0 && axis < rank)))
    return fail(`axes [${axes.join(', ')}] are outside rank ${rank}`);
  const spread = (list: readonly number[], rest: readonly number[]): number[] => {
    if (list.length !== axes.length) fail(`${list.length} scales or sizes do not fit ${axes.length} axes`);
    const full = [...rest];
    for (const [index, axis] of axes.entries()) full[axis] = list[index] as number;
    return full;
  };
  const given = (position: number | undefined) =>
    position !== undefined && (node.inputs[position] ?? '') !== '';

  let roi: readonly number[] | undefined;
  if (stringAttribute(node, 'coordinate_transformation_mode') === 'tf_crop_and_resize') {
    const list = given(at.roi) ? values(at.roi as number) : undefined;
    if (list === undefined) return undefined;
    const half = list.length / 2;
    roi = [
      ...spread(
        list.slice(0, half),
        input.map(() => 0),
      ),
      ...spread(
        list.slice(half),
        input.map(() => 1),
      ),
    ];
  }
  if (given(at.sizes)) {
    const sizes = values(at.sizes as number);
    return sizes && { scales: undefined, sizes: spread(sizes, input), roi };
  }
  const scales = scalesOf(node, rank, given(at.scales) ? values(at.scales as number) : undefined);
  if (scales === undefined) return undefined;
  if (scales.length === 0) return fail('it has neither scales nor sizes');
  if (scales.some((scale) => !(scale > 0))) return fail(`scales [${scales.join(', ')}] are not positive`);
  return {
    scales: spread(
      scales,
      input.map(() => 1),
    ),
    sizes: undefined,
    roi,
  };
}

function scalesOf(
  node: GraphNode,
  rank: number,
  input: readonly number[] | undefined,
): readonly number[] | undefined {
  if (input !== undefined) return input;
  const listed = numbersAttribute(node, 'scales');
  if (listed !== undefined) return listed;
  // Upsample-1
  const [height, width] = [numberAttribute(node, 'height_scale'), numberAttribute(node, 'width_scale')];
  if (height === undefined || width === undefined || rank < 2) return undefined;
  return [...new Array<number>(rank - 2).fill(1), height, width];
}

/** Shape of the output; undefined where it depends on data. Throws `model-shape`. */
export function resizedShape(
  node: GraphNode,
  opset: number,
  input: readonly number[],
  values: (position: number) => readonly number[] | undefined,
): readonly number[] | undefined {
  const parameters = resizeParameters(node, opset, input, values);
  if (parameters === undefined) return undefined;
  const { scales, sizes } = parameters;
  if (sizes !== undefined) return keepAspect(node, input, sizes);
  // ONNX Runtime multiplies in single precision (1.1f * 10 must be 11 here too) and, other than ONNX, leaves
  // the region of interest out.
  return input.map((extent, axis) =>
    Math.floor(Math.fround(Math.fround((scales as readonly number[])[axis] as number) * extent)),
  );
}

/** keep_aspect_ratio_policy (opset 18): one scale for all the axes that are resized. */
function keepAspect(node: GraphNode, input: readonly number[], sizes: readonly number[]): readonly number[] {
  const policy = stringAttribute(node, 'keep_aspect_ratio_policy', 'stretch');
  if (policy === 'stretch') return sizes;
  const axes = numbersAttribute(node, 'axes') ?? input.map((_, axis) => axis);
  if (axes.some((axis) => axis < 0)) {
    // ONNX Runtime 1.30 was seen to leave such an input at its size, whatever ONNX says.
    throw new TilepipeError(
      'model-unsupported',
      `node ${node.name} (Resize) has keep_aspect_ratio_policy with negative axes, which ONNX Runtime gets wrong.`,
    );
  }
  const ratios = axes.map((axis) => Math.fround((sizes[axis] as number) / (input[axis] as number)));
  const scale = policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios);
  return input.map((extent, axis) =>
    axes.includes(axis) ? Math.round(Math.fround(scale * extent)) : extent,
  );
}
