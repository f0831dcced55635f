/** One thing a worker can be seen to do. */

import type { Findings } from './answers.ts';
import type { Examiner } from './examiner.ts';

export interface Rule {
  readonly id: string;
  readonly title: string;
  /** Returns what was seen; throws what is wrong. */
  readonly check: (examiner: Examiner, findings: Findings) => Promise<string>;
}
