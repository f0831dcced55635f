/** The link to the broker: messages to oneself, there and back. */

import type { Bus } from '../../core/bus/bus.ts';
import { nonNegativeLeastSquares } from '../../core/planning/cost/regression.ts';
import { TilepipeError } from '../../core/runtime/errors.ts';
import { median } from '../../core/runtime/quantile.ts';
import { within } from '../../core/runtime/within.ts';
import type { Profile } from '../../core/schema/generated/profile.ts';

export interface LinkDeps {
  /** Connected. */
  readonly data: Bus;
  /** A topic nobody else listens to. */
  readonly topic: string;
}

export type Link = NonNullable<Profile['link']>;

const SIZES = [1_000, 4_000, 16_000, 64_000, 256_000, 1_000_000];
const ROUNDS = 5;
/** Larger messages are left out once one took this long: slow links tell enough by small ones. */
const LONG_MS = 400;
const LOST_MS = 20_000;

/**
 * Latency and bandwidth of one way, from round trips of several sizes: half of `latency + bytes / bandwidth` each,
 * since a broker passes a message on when it has all of it. Up and down cannot be told apart by a device alone and are
 * given the same figure: the harmonic mean of both. Rejects with `broker-unreachable` where nothing comes back.
 */
export async function measureLink(deps: LinkDeps): Promise<Link> {
  const trips: { readonly bytes: number; readonly ms: number }[] = [];
  let arrived: () => void = () => {};
  const undo = await deps.data.subscribe(deps.topic, () => arrived());
  try {
    for (const bytes of SIZES) {
      const times: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const back = new Promise<void>((resolve) => {
          arrived = resolve;
        });
        const started = performance.now();
        await deps.data.publish(deps.topic, Buffer.alloc(Math.min(bytes, deps.data.maxMessageBytes), round));
        await arrival(back);
        times.push(performance.now() - started);
      }
      trips.push({ bytes, ms: median(times) });
      if (median(times) > LONG_MS) break;
    }
  } finally {
    await undo();
  }
  return fitLink(trips);
}

async function arrival(back: Promise<void>): Promise<void> {
  if (!(await within(LOST_MS, back)))
    throw new TilepipeError('broker-unreachable', `a message to oneself did not come back in ${LOST_MS} ms`);
}

/** From round trips; a bandwidth too high to be seen counts as that of memory. */
export function fitLink(trips: readonly { readonly bytes: number; readonly ms: number }[]): Link {
  const rows = trips.map(({ bytes, ms }) => Float64Array.of(2 / ms, (2 * bytes) / ms));
  const found = nonNegativeLeastSquares(rows, new Float64Array(rows.length).fill(1), 2);
  const [latencyMs, msPerByte] = [...found] as [number, number];
  const bytesPerMs = 1 / Math.max(msPerByte, FASTEST);
  return { latencyMs, upBytesPerMs: bytesPerMs, downBytesPerMs: bytesPerMs };
}

/** Milliseconds per byte at 10 GB/s. */
const FASTEST = 1e-7;
