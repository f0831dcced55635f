/** How plans are named for people. */

import type { Strategy } from '../draft.ts';

/** A strategy, or the papers' parallel plan by somebody who takes all devices for equal. */
export type AlternativeName = Strategy | 'equal-tiles';

export const PLAN_NAMES: Readonly<Record<AlternativeName, string>> = {
  'one-device': 'one device',
  replicas: 'replicas',
  pipeline: 'pipeline',
  parallel: 'parallel',
  halo: 'halo exchange',
  mixed: 'mixed',
  'equal-tiles': 'parallel, equal tiles',
};
