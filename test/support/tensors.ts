/** Tensors and codes for tests. */

import { expect } from 'vitest';
import type { ErrorCode } from '../../services/core/runtime/errors.ts';
import type { TensorData } from '../../services/core/wire/message.ts';

export function floatTensor(name: string, shape: readonly number[], values: ArrayLike<number>): TensorData {
  return { name, dtype: 'float32', shape, bytes: new Uint8Array(Float32Array.from(values).buffer) };
}

/** Matches a TilepipeError of this code whose message holds `text`. */
export function problem(code: ErrorCode, text = ''): unknown {
  return expect.objectContaining({ name: 'TilepipeError', code, message: expect.stringContaining(text) });
}
