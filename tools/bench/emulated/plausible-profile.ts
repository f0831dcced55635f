/** A profile that agrees with a bare run of the same model on the same quota. */

import { everything } from '../../../services/core/planning/choose-blocks.ts';
import { computeMs } from '../../../services/core/planning/cost/fleet.ts';
import { deviceOf } from '../../../services/core/planning/cost/fleet-of.ts';
import { wholeWork } from '../../../services/core/planning/cost/work-of.ts';
import type { Profile } from '../../../services/core/schema/generated/profile.ts';
import { print } from '../../output.ts';
import { median } from '../report.ts';
import type { BenchNetwork } from './network.ts';
import type { Rig } from './rig.ts';

const TRIES = 3;
const BARE_RUNS = 3;
/** Between a profile and a run lie a few percent; beyond it something else ran, or a cache was cold. */
const MOST_RATIO = 1.3;

/**
 * Measures the model bare under the rig's quota and a profile, again where they disagree, while nothing else runs.
 * Leaves the bare model loaded and the limits set.
 */
export async function plausibleProfile(rig: Rig, network: BenchNetwork): Promise<Profile> {
  const { graph, analysis } = network.model;
  for (let tries = 1; ; tries++) {
    rig.cluster.unlimit();
    const profile = await rig.profile(network.file);
    await rig.load({ path: network.file, inputs: network.bareInputs });
    rig.cluster.limit();
    const times: number[] = [];
    for (let run = 0; run < BARE_RUNS; run++) times.push(await rig.bare());
    const measured = median(times);
    const expected = computeMs(deviceOf(profile), wholeWork(graph, analysis, everything(graph)));
    const ratio = expected / measured;
    print(
      `${network.model.name} in one piece: ${Math.round(expected)} ms by the profile, ${Math.round(measured)} ms bare (ratio ${ratio.toFixed(2)})`,
    );
    if (Math.max(ratio, 1 / ratio) <= MOST_RATIO || tries === TRIES) return profile;
  }
}
