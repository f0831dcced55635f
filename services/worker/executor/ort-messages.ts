/** What the executor and its thread say to each other. */

import type { DType } from '../../core/graph/types.ts';

/** Settings of the thread, given when it starts. */
export interface OrtSettings {
  /** Threads inside one operator. */
  readonly threads: number;
  /** Graph optimisation: the same numbers in another order of operations. */
  readonly optimise: boolean;
  /** One element, not 0 once the thread is to end: what waits in it is not begun any more. */
  readonly ending: Int32Array;
}

/** A tensor on its way between threads; the buffer is transferred, never copied. */
export interface PassedTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly buffer: ArrayBuffer;
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** How a session is made from a file. */
export interface LoadPath {
  readonly path: string;
  /** Folder of the optimised form on this machine, used where it is there and made where it is not. */
  readonly optimised?: string | undefined;
  /** Keep the weights as they lie in the file (the model's, or that of its form), without a packed copy. */
  readonly unpacked: boolean;
}

/** A model held in memory, and where its external weights are, if it has any. */
export interface LoadBytes {
  readonly model: Uint8Array;
  readonly folder: string | undefined;
}

export type OrtRequest =
  | { readonly op: 'end'; readonly id: number }
  | {
      readonly op: 'load';
      readonly id: number;
      readonly session: number;
      readonly from: LoadPath | LoadBytes;
    }
  | { readonly op: 'unload'; readonly id: number; readonly session: number }
  | {
      readonly op: 'run';
      readonly id: number;
      readonly session: number;
      readonly inputs: readonly PassedTensor[];
      readonly outputs: readonly string[] | undefined;
    };

export type OrtReply =
  | { readonly id: 0; readonly version: string }
  | { readonly id: 0; readonly error: string }
  | { readonly id: number; readonly outputs?: readonly PassedTensor[]; readonly computeMs?: number }
  | { readonly id: number; readonly error: string };
