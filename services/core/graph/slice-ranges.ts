/** What Slice takes of each axis, in both of its forms. */

import { TilepipeError } from '../runtime/errors.ts';
import { numbersAttribute } from './attributes.ts';
import type { GraphNode } from './types.ts';

/** Elements `start`, `start + step`, ... of an axis, `count` of them. */
export interface SliceRange {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/**
 * One range for each axis of the input, clamped as ONNX says. Starts, ends, axes and steps are attributes
 * before opset 10 and inputs 1 to 4 from then on; undefined where an input is not a constant. Throws `model-shape`.
 */
export function sliceRanges(
  node: GraphNode,
  opset: number,
  shape: readonly number[],
  values: (position: number) => readonly number[] | undefined,
): readonly SliceRange[] | undefined {
  const fail = (problem: string): never => {
    throw new TilepipeError('model-shape', `node ${node.name} (${node.op}): ${problem}.`);
  };
  const given = (position: number) => (node.inputs[position] ?? '') !== '';
  const list = (name: string, position: number) =>
    opset < 10 ? numbersAttribute(node, name) : given(position) ? values(position) : undefined;
  const [starts, ends] = [list('starts', 1), list('ends', 2)];
  const [axes, steps] = [list('axes', 3), list('steps', 4)];
  if (starts === undefined || ends === undefined)
    return opset < 10 ? fail('it has no starts or ends') : undefined;
  if (opset >= 10 && ((given(3) && axes === undefined) || (given(4) && steps === undefined)))
    return undefined;
  const count = starts.length;
  if (
    ends.length !== count ||
    (axes ?? starts).length !== count ||
    (steps ?? starts).length !== count ||
    count > shape.length
  ) {
    return fail('its starts, ends, axes and steps differ in number');
  }
  const ranges: SliceRange[] = shape.map((extent) => ({ start: 0, step: 1, count: extent }));
  for (let index = 0; index < count; index++) {
    const asked = axes?.[index] ?? index;
    const axis = asked < 0 ? asked + shape.length : asked;
    const extent = shape[axis];
    if (extent === undefined) return fail(`axis ${asked} is outside rank ${shape.length}`);
    const step = steps?.[index] ?? 1;
    if (step === 0) return fail('a step is 0');
    ranges[axis] = clampRange(starts[index] as number, ends[index] as number, step, extent);
  }
  return ranges;
}

function clampRange(from: number, to: number, step: number, extent: number): SliceRange {
  const clamp = (value: number, low: number, high: number) =>
    Math.min(Math.max(value < 0 ? value + extent : value, low), high);
  // Backwards, "before the first element" is a place of its own.
  const start = step > 0 ? clamp(from, 0, extent) : clamp(from, 0, extent - 1);
  const end = step > 0 ? clamp(to, 0, extent) : clamp(to, -1, extent - 1);
  return { start, step, count: Math.max(0, Math.ceil((end - start) / step)) };
}
