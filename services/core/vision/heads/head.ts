/** What every detection head has: shapes it can read, and a decoder from outputs to boxes. */

import type { Size } from '../letterbox.ts';
import type { Candidates } from '../nms.ts';
import type { AnswerSettings } from '../settings.ts';

export interface Shaped {
  readonly name: string;
  readonly shape: readonly number[];
}

export interface Output extends Shaped {
  readonly values: Float32Array;
}

export interface HeadContext {
  readonly outputs: readonly Output[];
  /** The network's input: boxes are found in its pixels. */
  readonly input: Size;
  readonly answer: AnswerSettings;
  readonly found: Candidates;
}

export interface Head {
  /** Shapes it wants, for the error when they are others. */
  readonly wants: string;
  /** Whether outputs of these shapes can be decoded at all. */
  fits(outputs: readonly Shaped[], input: Size, strides: readonly number[]): boolean;
  /** Whether they are more likely this head's than another's; absent: as `fits`. */
  typical?(outputs: readonly Shaped[], input: Size, strides: readonly number[]): boolean;
  decode(context: HeadContext): void;
}

/** Cells of one scale. */
export function grid(input: Size, stride: number): Size {
  return { width: Math.ceil(input.width / stride), height: Math.ceil(input.height / stride) };
}

/** Cells of all scales. */
export function cellCount(input: Size, strides: readonly number[]): number {
  let cells = 0;
  for (const stride of strides) {
    const { width, height } = grid(input, stride);
    cells += width * height;
  }
  return cells;
}

/** The three extents of the first output, which must be [1, n, m]. */
export function matrix(outputs: readonly Shaped[]): readonly [rows: number, columns: number] | undefined {
  const shape = outputs[0]?.shape ?? [];
  return shape.length === 3 && shape[0] === 1 ? [shape[1] as number, shape[2] as number] : undefined;
}
