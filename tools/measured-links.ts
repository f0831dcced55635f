/** Has the workers at a broker measure their links, alone and all at once. */

import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { LinkRounds } from '../services/controller/link-rounds.ts';
import { Profiles } from '../services/controller/profiles.ts';
import { TelemetryWatch } from '../services/controller/replan/telemetry-watch.ts';
import { type BrokerAddress, Connections } from '../services/core/bus/connections.ts';
import { Roster } from '../services/core/control/roster.ts';
import { HUB_BYTE_MS } from '../services/core/planning/cost/fleet.ts';
import { sharedLink, wholeRound } from '../services/core/planning/cost/link-sharing.ts';
import { TilepipeError } from '../services/core/runtime/errors.ts';
import { createLog } from '../services/core/runtime/log.ts';
import { parseStatus } from '../services/core/runtime/status.ts';
import type { LinksReport } from '../services/core/schema/generated/links-report.ts';

/** Who is there is retained, and comes at once; dispatchers tell of frames every half second. */
const LOOK_MS = 1_200;

/** Rejects with `no-worker` where there are no two with a profile, `links-unmeasured` where not all of them could. */
export async function measuredLinks(address: BrokerAddress): Promise<LinksReport> {
  const service = `profile-${randomBytes(4).toString('hex')}`;
  const log = createLog('profile', { level: 'warn' });
  const channels = new Connections({ ...address, service, log });
  await channels.start();
  const { control, topics } = channels;
  const profiles = new Profiles({ control, topics });
  const telemetry = new TelemetryWatch({ control, topics });
  const workers = new Roster({ control, topics, role: 'worker', parse: parseStatus, changed: () => {} });
  const rounds = new LinkRounds({ id: service, control, topics, profiles, telemetry, log });
  try {
    await profiles.start();
    await telemetry.start();
    await workers.start();
    await rounds.start();
    await setTimeout(LOOK_MS);
    const online = new Set(workers.online().map(({ id }) => id));
    const linked = profiles.all().filter(({ device, link }) => online.has(device) && link !== undefined);
    if (linked.length < 2)
      throw new TilepipeError(
        'no-worker',
        `of ${online.size} workers online ${linked.length} have a profile with a link: two are needed`,
      );
    const why = await rounds.ask(linked.map(({ device }) => device));
    if (why !== undefined) throw new TilepipeError('links-unmeasured', `links were not measured: ${why}`);
    return report(profiles);
  } finally {
    await rounds.stop();
    await workers.stop();
    await telemetry.stop();
    await profiles.stop();
    await channels.stop();
  }
}

function report(profiles: Profiles): LinksReport {
  const all = profiles.all();
  const members = wholeRound(all);
  const found = sharedLink(all, { byteMs: HUB_BYTE_MS });
  return {
    round: members[0]?.link.together.round ?? '',
    devices: members.map(({ device, link: { latencyMs, together } }) => {
      const { aloneOutBytesPerMs, aloneBothBytesPerMs, outBytesPerMs, bothBytesPerMs } = together;
      return {
        id: device,
        latencyMs,
        aloneOutBytesPerMs,
        aloneBothBytesPerMs,
        outBytesPerMs,
        bothBytesPerMs,
      };
    }),
    ...(found === undefined
      ? {}
      : {
          shared: {
            devices: [...found.devices],
            bytesPerMs: found.medium.bytesPerMs,
            duplex: found.medium.duplex,
            place: found.place,
          },
        }),
  };
}
