/** Shape of an Einsum. */

import { TilepipeError } from '../runtime/errors.ts';
import type { GraphNode } from './types.ts';

/** Explicit and implicit form, with "..." for leading axes that broadcast. Throws `model-shape`. */
export function einsumShape(
  node: GraphNode,
  equation: string,
  shapes: readonly (readonly number[])[],
): number[] {
  const fail = (): never => {
    throw new TilepipeError(
      'model-shape',
      `node ${node.name} (Einsum): ${JSON.stringify(equation)} does not fit its inputs.`,
    );
  };
  const [left = '', right] = equation.replaceAll(' ', '').split('->');
  const terms = left.split(',');
  if (terms.length !== shapes.length) return fail();
  const extents = new Map<string, number>();
  let ellipsis: number[] = [];
  for (const [index, term] of terms.entries()) {
    const shape = shapes[index] as readonly number[];
    const [front = '', back] = term.split('...');
    const free = back === undefined ? 0 : shape.length - front.length - back.length;
    if (free < 0 || front.length + free + (back?.length ?? 0) !== shape.length) return fail();
    const labels = [...front, ...new Array<undefined>(free).fill(undefined), ...(back ?? '')];
    const lead: number[] = [];
    for (const [axis, label] of labels.entries()) {
      const extent = shape[axis] as number;
      if (label === undefined) lead.push(extent);
      else if ((extents.get(label) ?? 1) === 1) extents.set(label, extent);
      else if (extent !== 1 && extents.get(label) !== extent) return fail();
    }
    ellipsis = merge(ellipsis, lead) ?? fail();
  }
  const letters = left.replace(/[.,]/g, '');
  const implicit = () =>
    [...new Set(letters)]
      .filter((label) => letters.split(label).length === 2)
      .sort()
      .join('');
  const output = right ?? `${left.includes('...') ? '...' : ''}${implicit()}`;
  const [front = '', back] = output.split('...');
  const pick = (labels: string) => [...labels].map((label) => extents.get(label) ?? fail());
  return back === undefined ? pick(front) : [...pick(front), ...ellipsis, ...pick(back)];
}

function merge(a: readonly number[], b: readonly number[]): number[] | undefined {
  const rank = Math.max(a.length, b.length);
  const result: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const [x, y] = [a[axis - rank + a.length] ?? 1, b[axis - rank + b.length] ?? 1];
    if (x !== y && x !== 1 && y !== 1) return undefined;
    result.push(Math.max(x, y));
  }
  return result;
}
