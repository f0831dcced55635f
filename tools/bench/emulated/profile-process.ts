/** Measures the device it runs on for a model, and sends the profile to its parent. */

import { openAnalysed } from '../../../services/controller/prepare.ts';
import { limitsHere } from '../../../services/worker/profile/limits.ts';
import { measureProfile } from '../../../services/worker/profile/profile.ts';

/** What to measure: with what share of a processor the figures are to be, and for which model. */
export interface ProfileRequest {
  readonly device: string;
  readonly quota: number;
  readonly model: string;
}

process.once('message', async ({ device, quota, model: path }: ProfileRequest) => {
  const model = await openAnalysed(path, {});
  const profile = await measureProfile({ device, threads: 1, model, limits: { ...limitsHere(), quota } });
  process.send?.(profile);
  process.disconnect();
});
