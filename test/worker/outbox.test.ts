/** Strips that are asked for while they still wait in this worker's own socket: late, not lost. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Bus } from '../../services/core/bus/bus.ts';
import { Topics } from '../../services/core/bus/topics.ts';
import type { Task } from '../../services/core/flow/plan-index.ts';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import { Counters } from '../../services/core/runtime/counters.ts';
import { createLog } from '../../services/core/runtime/log.ts';
import { BodyPool } from '../../services/core/wire/body-pool.ts';
import type { LaidMessage } from '../../services/core/wire/encode.ts';
import type { Neighbours } from '../../services/worker/neighbours.ts';
import { Outbox } from '../../services/worker/outbox.ts';
import { announced } from '../support/announced.ts';
import { frameRows, haloPlan, rows, taskMeta } from './plans.ts';

/** A connection whose socket has taken `left` of the bytes. */
class SlowBus implements Pick<Bus, 'publish' | 'counters' | 'maxMessageBytes' | 'connected'> {
  readonly maxMessageBytes = 900_000;
  connected = true;
  readonly topics: string[] = [];
  left = 0;
  #bytes = 0;

  async publish(topic: string, payload: Buffer): Promise<void> {
    this.topics.push(topic);
    this.#bytes += payload.length;
  }

  counters(): ReturnType<Bus['counters']> {
    const leftBytes = Math.min(this.left, this.#bytes);
    return { publishedBytes: this.#bytes, leftBytes } as ReturnType<Bus['counters']>;
  }
}

const STRIP = 'tilepipe/worker/right/in';

/** One task has run, whose strip goes to the worker `right`: by the pipeline's connection, or by one of its own. */
async function delivered(data: SlowBus, direct?: SlowBus) {
  const folder = mkdtempSync(join(tmpdir(), 'tilepipe-outbox-'));
  const { transfers, ...rest } = await haloPlan(new BlobCache({ folder }));
  rmSync(folder, { recursive: true });
  const endpoint = direct === undefined ? {} : { endpoint: 'right' };
  const plan = announced({
    ...rest,
    transfers: transfers.map((each) =>
      each.from === 'a0' && each.to === 'b1' ? { ...each, ...endpoint } : each,
    ),
  });
  const doubted: string[] = [];
  const neighbours = {
    send: async (_: string, { framed }: LaidMessage) => {
      await direct?.publish(STRIP, framed);
      return direct;
    },
    doubt: (worker: string) => doubted.push(worker),
  };
  const outbox = new Outbox({
    id: 'left',
    control: data as unknown as Bus,
    data: data as unknown as Bus,
    topics: new Topics(),
    log: createLog('worker', { level: 'silent' }),
    counters: new Counters(),
    pool: new BodyPool(0),
    keptBytes: 2 ** 20,
    neighbours: neighbours as unknown as Neighbours,
  });
  const task = plan.index.tasks.get('a0') as Task;
  const meta = taskMeta(plan.digest, 'a0', 'f');
  const made = [{ tensor: frameRows('y', 0, 4), region: rows(0, 4) }];
  const stamps = { receivedMs: 0, startedMs: 0, endedMs: 0 };
  const ended = { plan, task, meta, deadlineAt: Number.POSITIVE_INFINITY, gathered: true };
  await outbox.deliver(ended, made, stamps, () => {});
  const want = taskMeta(plan.digest, 'b1', 'f', { kind: 'want', sender: 'right', extra: { tasks: ['a0'] } });
  return { ask: () => outbox.sendAgain(want), doubted };
}

it('sends nothing again before it has left', async () => {
  const data = new SlowBus();
  const { ask, doubted } = await delivered(data);
  expect(data.topics).toEqual([STRIP]);
  ask();
  expect(data.topics).toEqual([STRIP]);
  data.left = Number.POSITIVE_INFINITY;
  ask();
  // It waits to be taken up by the connection now.
  ask();
  expect([data.topics, doubted]).toEqual([[STRIP, STRIP], []]);
});

it('does not give up a direct link by which it has not left yet, nor sends it by the other', async () => {
  const [data, direct] = [new SlowBus(), new SlowBus()];
  data.left = Number.POSITIVE_INFINITY;
  const { ask, doubted } = await delivered(data, direct);
  ask();
  expect([direct.topics, data.topics, doubted]).toEqual([[STRIP], [], []]);
  direct.left = Number.POSITIVE_INFINITY;
  ask();
  expect([direct.topics, data.topics, doubted]).toEqual([[STRIP], [STRIP], ['right']]);
});

it('sends again what waited for a connection that is lost', async () => {
  const [data, direct] = [new SlowBus(), new SlowBus()];
  const { ask } = await delivered(data, direct);
  direct.connected = false;
  ask();
  expect(data.topics).toEqual([STRIP]);
});
