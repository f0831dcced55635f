/** A task to be timed. */

import type { TensorInfo } from '../../core/graph/types.ts';
import type { Work } from '../../core/planning/cost/work.ts';

export interface Case {
  /** The kind it tells most of. */
  readonly kind: string;
  /** Equal for the same nodes of a model, whatever their size; absent where no other case has them. */
  readonly group?: string;
  readonly work: Work;
  readonly inputs: readonly Pick<TensorInfo, 'name' | 'dtype' | 'shape'>[];
  readonly outputs: readonly string[];
  /** Bytes of its weights. */
  readonly bytes: number;
  /** Its model, made when it is its turn; weights beside it lie in a file whose name starts with `name`. */
  files(name: string): CaseFiles;
}

export interface CaseFiles {
  readonly model: Uint8Array;
  readonly weights?: { readonly location: string; readonly bytes: Uint8Array };
}

/** The kind with the most multiply-accumulates; where there are none, with the most bytes. */
export function kindOfWork(work: Work): string {
  const own = work.filter(({ kind }) => !['task', 'reorder', 'spill'].includes(kind));
  const most = (feature: 'macs' | 'bytes') =>
    own.reduce<Work[number] | undefined>(
      (best, item) => (item[feature] > (best?.[feature] ?? 0) ? item : best),
      undefined,
    )?.kind;
  return most('macs') ?? most('bytes') ?? 'other';
}
