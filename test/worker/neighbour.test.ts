/** How often the own broker of another worker is tried again where it does not answer. */

import { EventEmitter, once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { EmbeddedBroker } from '../../services/broker/embedded-broker.ts';
import { LocalBus } from '../../services/broker/local-bus.ts';
import type { BusCounters } from '../../services/core/bus/bus.ts';
import { Counters } from '../../services/core/runtime/counters.ts';
import { TilepipeError } from '../../services/core/runtime/errors.ts';
import { createLog } from '../../services/core/runtime/log.ts';
import { WIRE_VERSION } from '../../services/core/wire/limits.ts';
import { Neighbour } from '../../services/worker/neighbour.ts';

const HOUR_MS = 3_600_000;
const TOPIC = 'tilepipe/status/worker/far';

const broker = new EmbeddedBroker({ port: 0 });
const control = new LocalBus({ broker });
const attempts = new EventEmitter();
let answers: boolean;
let waiting: number;
let tried: number;
let nowMs: number;
let neighbour: Neighbour;

class Far extends LocalBus {
  override async start(): Promise<void> {
    if (!answers) throw new TilepipeError('broker-unreachable', 'nobody listens there');
    await super.start();
  }

  override counters(): BusCounters {
    const counters = super.counters();
    return { ...counters, leftBytes: counters.publishedBytes - waiting };
  }
}

beforeEach(async () => {
  await broker.start();
  await control.start();
  [answers, waiting, tried, nowMs] = [false, 0, 0, 0];
  neighbour = new Neighbour({
    id: 'far',
    statusTopic: TOPIC,
    control,
    connect: () => {
      tried++;
      attempts.emit('tried');
      return new Far({ broker });
    },
    room: () => true,
    counters: new Counters(),
    log: createLog('test', { level: 'silent' }),
    now: () => nowMs,
  });
  neighbour.start();
});

afterEach(async () => {
  await neighbour.stop();
  await control.stop();
  await broker.stop();
});

/** Resolves when it has been tried, as it is at once. */
async function announced(key: string): Promise<void> {
  const endpoint = { url: 'mqtt://far:1', key };
  const status = { role: 'worker', id: 'far', state: 'online', wire: [WIRE_VERSION], version: '0', endpoint };
  const seen = once(attempts, 'tried');
  await control.publish(TOPIC, Buffer.from(JSON.stringify(status)), { qos: 1 });
  await seen;
  await setImmediate();
}

/** Something is to go there every second; returns how often a connection was tried. */
async function anHour(): Promise<number> {
  const before = tried;
  for (const end = nowMs + HOUR_MS; nowMs < end; nowMs += 1000) {
    neighbour.bus();
    await setImmediate();
  }
  return tried - before;
}

it('tries an address where nobody ever answered more and more seldom, and a new one at once', async () => {
  await announced('first');
  expect(await anHour()).toBeLessThan(40);
  await announced('second');
});

it('tries one that has answered before every few seconds', async () => {
  answers = true;
  await announced('first');
  answers = false;
  await neighbour.doubt();
  expect(await anHour()).toBeGreaterThan(300);
});

it('gives way to another while one that takes nothing has much to take', async () => {
  answers = true;
  await announced('first');
  expect(neighbour.bus()).toBeInstanceOf(Far);
  waiting = 3 * 2 ** 20;
  expect(neighbour.bus()).toBeUndefined();
  waiting = 0;
  expect(neighbour.bus()).toBeInstanceOf(Far);
  expect(tried).toBe(1);
});
