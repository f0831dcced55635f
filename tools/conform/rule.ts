/** One thing a worker can be seen to do. */

import type { Findings } from './answers.ts';
import type { Examiner } from './examiner.ts';

/** Why a rule cannot be judged here; thrown by its check. It is neither kept nor broken. */
export class Untold extends Error {}

export interface Rule {
  readonly id: string;
  readonly title: string;
  /** Returns what was seen; throws what is wrong, or `Untold`. */
  readonly check: (examiner: Examiner, findings: Findings) => Promise<string>;
}
