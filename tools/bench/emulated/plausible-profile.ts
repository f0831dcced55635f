/** A profile that agrees with a bare run of the same model on the same quota. */

import { everything } from '../../../services/core/planning/choose-blocks.ts';
import { computeMs } from '../../../services/core/planning/cost/fleet.ts';
import { deviceOf } from '../../../services/core/planning/cost/fleet-of.ts';
import { wholeWork } from '../../../services/core/planning/cost/work-of.ts';
import { TilepipeError } from '../../../services/core/runtime/errors.ts';
import { median } from '../../../services/core/runtime/quantile.ts';
import type { Profile } from '../../../services/core/schema/generated/profile.ts';
import { whenIdle } from '../../emulate/requirements.ts';
import { print } from '../../output.ts';
import type { BenchNetwork } from './network.ts';
import { type BareDevice, loadTuned } from './tuned-bare.ts';

const TRIES = 3;
const BARE_RUNS = 3;
/** Between a profile and a run lie a few percent; beyond it something else ran, or a cache was cold. */
const MOST_RATIO = 1.3;
/** Cores that nobody else may use meanwhile: one computes, one feeds it. */
const IDLE_CORES = 1.7;
const IDLE_WAIT_MS = 30_000;

export interface ProfiledDevice extends BareDevice {
  /** What the device can do, for a model file. */
  profile(model: string): Promise<Profile>;
}

/**
 * Measures a profile and the model bare under the device's quota, again where they disagree, each time when the machine
 * is idle. Leaves the bare model loaded at its best and the limits set. Throws where they never agree: plans made from
 * such a profile would say nothing.
 */
export async function plausibleProfile(
  device: ProfiledDevice,
  network: Pick<BenchNetwork, 'file' | 'model' | 'bareInputs'>,
): Promise<Profile> {
  const { name, graph, analysis } = network.model;
  const ratios: number[] = [];
  for (let tries = 1; tries <= TRIES; tries++) {
    device.cluster.unlimit();
    if (!(await whenIdle(IDLE_CORES, IDLE_WAIT_MS)))
      print(`warning: other programs run on this machine while ${name} is profiled`);
    const profile = await device.profile(network.file);
    await loadTuned(device, { path: network.file, inputs: network.bareInputs });
    const times: number[] = [];
    for (let run = 0; run < BARE_RUNS; run++) times.push(await device.bare());
    const measured = median(times);
    const expected = computeMs(deviceOf(profile), wholeWork(graph, analysis, everything(graph)));
    const ratio = expected / measured;
    ratios.push(ratio);
    print(
      `${name} in one piece: ${Math.round(expected)} ms by the profile, ${Math.round(measured)} ms bare (ratio ${ratio.toFixed(2)})`,
    );
    if (Math.max(ratio, 1 / ratio) <= MOST_RATIO) return profile;
  }
  const seen = ratios.map((ratio) => ratio.toFixed(2)).join(', ');
  throw new TilepipeError(
    'task-failed',
    `the profile of ${name} disagrees with bare runs ${TRIES} times (ratios ${seen}): does anything else run here?`,
  );
}
