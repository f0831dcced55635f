/** Cameras beside the hub's broker: each sends a frame that is in its memory, as many at once as it is told. */

import { setTimeout as delay } from 'node:timers/promises';
import { Connections } from '../../../services/core/bus/connections.ts';
import { monotonicMs } from '../../../services/core/runtime/clock.ts';
import type { Result } from '../../../services/core/schema/generated/result.ts';
import { Client } from '../../client.ts';
import type {
  CameraAnswer,
  CameraClock,
  CameraFrame,
  CameraLoop,
  CameraOpening,
  CameraRequest,
} from './camera-messages.ts';

interface Camera {
  readonly client: Client;
  readonly inputs: CameraOpening['inputs'];
}

let channels: Connections | undefined;
const cameras = new Map<string, Camera>();

async function answer(request: CameraRequest): Promise<CameraAnswer> {
  switch (request.op) {
    case 'open':
      await open(request);
      return { ended: [] };
    case 'loop':
      return { ended: await loop(request) };
    case 'clocked':
      return { ended: await clocked(request) };
    case 'close':
      await cameras.get(request.pipeline)?.client.stop();
      cameras.delete(request.pipeline);
      return { ended: [] };
  }
}

async function open({ broker, pipeline, inputs }: CameraOpening): Promise<void> {
  if (channels === undefined) {
    channels = new Connections({ url: broker, service: 'camera' });
    await channels.start();
  }
  const client = new Client(channels, pipeline, 'camera');
  await client.start();
  cameras.set(pipeline, { client, inputs });
}

async function loop({ pipeline, frames, inFlight, limitMs }: CameraLoop): Promise<CameraFrame[]> {
  const camera = cameras.get(pipeline);
  if (camera === undefined) throw new Error(`${pipeline} has no camera`);
  const ended: CameraFrame[] = [];
  const began = monotonicMs();
  let left = frames;
  const lane = async (): Promise<void> => {
    while (left-- > 0) {
      const { result, roundTripMs } = await camera.client.send(camera.inputs, limitMs);
      if (!result.ok) throw new Error(`${result.error?.code}: ${result.error?.message}`);
      ended.push({ endedAt: monotonicMs() - began, roundTripMs, ...timesOf(result) });
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return ended;
}

function timesOf({ timing }: Result): Pick<CameraFrame, 'totalMs' | 'slowestMs'> {
  const slowest = timing?.blocks.map(({ slowestTileMs = 0 }) => slowestTileMs) ?? [];
  return { totalMs: timing?.totalMs ?? 0, slowestMs: slowest.reduce((sum, ms) => sum + ms, 0) };
}

/** Frames that were dropped, or failed, are not among the ended. */
async function clocked({ arrivals, limitMs }: CameraClock): Promise<CameraFrame[]> {
  const ended: CameraFrame[] = [];
  const under: Promise<void>[] = [];
  const began = monotonicMs();
  const send = async ({ client, inputs }: Camera, arrival: number): Promise<void> => {
    // Rejected where no answer came in time: not among the ended either.
    const outcome = await client.send(inputs, limitMs).catch(() => undefined);
    const endedAt = monotonicMs() - began;
    if (outcome?.result.ok && endedAt <= limitMs)
      ended.push({ endedAt, roundTripMs: outcome.roundTripMs, ...timesOf(outcome.result), arrival });
  };
  for (const [arrival, { pipeline, at }] of arrivals.entries()) {
    const camera = cameras.get(pipeline);
    if (camera === undefined) throw new Error(`${pipeline} has no camera`);
    const early = began + at - monotonicMs();
    if (early > 0) await delay(early);
    under.push(send(camera, arrival));
  }
  await Promise.all(under);
  return ended;
}

process.on('message', async (request: CameraRequest) => {
  const said = await answer(request).catch(
    (error: unknown): CameraAnswer => ({
      ended: [],
      error: error instanceof Error ? error.message : String(error),
    }),
  );
  process.send?.(said);
});
process.once('disconnect', () => process.exit(0));
process.once('SIGTERM', () => process.exit(0));
