/** A listener on the hub: the outputs of frames it sends, and the plans that are announced. */

import { Connections } from '../../../services/core/bus/connections.ts';
import { parseAnnouncement } from '../../../services/core/control/documents.ts';
import { PlanWatch } from '../../../services/core/control/plan-watch.ts';
import { Client } from '../../client.ts';
import type { WatchAnswer, WatchMessage } from './watch-messages.ts';

let channels: Connections | undefined;
const clients = new Map<string, Client>();
const plans = new Map<string, NonNullable<WatchAnswer['plans']>>();

async function connected(url: string): Promise<Connections> {
  if (channels !== undefined) return channels;
  channels = new Connections({ url, service: 'watch' });
  await channels.start();
  const { control, topics } = channels;
  const watch = new PlanWatch({
    control,
    topics,
    parse: parseAnnouncement,
    announced: ({ pipeline, digest, announcement: { plan, fallback } }) => {
      const known = plans.get(pipeline) ?? [];
      if (known.at(-1)?.digest !== digest)
        plans.set(pipeline, [...known, { digest, plan, ...(fallback === undefined ? {} : { fallback }) }]);
    },
    withdrawn: () => {},
    rejected: () => {},
  });
  await watch.start();
  return channels;
}

async function answer(request: WatchMessage): Promise<WatchAnswer> {
  const { broker, pipeline } = request;
  const here = await connected(broker);
  if (request.op === 'plans') return { plans: plans.get(pipeline) ?? [] };
  let client = clients.get(pipeline);
  if (client === undefined) {
    client = new Client(here, pipeline, 'watch');
    clients.set(pipeline, client);
    await client.start();
  }
  const { result, tensors } = await client.send(request.inputs, request.limitMs);
  if (!result.ok) throw new Error(`${result.error?.code}: ${result.error?.message}`);
  return { tensors: tensors.map((tensor) => ({ ...tensor, bytes: Uint8Array.from(tensor.bytes) })) };
}

process.on('message', async (request: WatchMessage) => {
  const said = await answer(request).catch(
    (error: unknown): WatchAnswer => ({ error: error instanceof Error ? error.message : String(error) }),
  );
  process.send?.(said);
});
process.once('disconnect', () => process.exit(0));
process.once('SIGTERM', () => process.exit(0));
