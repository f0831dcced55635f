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
import { Outbox } from '../../services/worker/outbox.ts';
import { announced } from '../support/announced.ts';
import { frameRows, haloPlan, rows, taskMeta } from './plans.ts';

/** A connection whose socket has taken `left` of the bytes. */
class SlowBus implements Pick<Bus, 'publish' | 'counters' | 'maxMessageBytes'> {
  readonly maxMessageBytes = 900_000;
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

it('sends nothing again before it has left', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tilepipe-outbox-'));
  const plan = announced(await haloPlan(new BlobCache({ folder })));
  rmSync(folder, { recursive: true });
  const data = new SlowBus();
  const outbox = new Outbox({
    id: 'left',
    control: data as unknown as Bus,
    data: data as unknown as Bus,
    topics: new Topics(),
    log: createLog('worker', { level: 'silent' }),
    counters: new Counters(),
    pool: new BodyPool(0),
    keptBytes: 2 ** 20,
  });
  const task = plan.index.tasks.get('a0') as Task;
  const meta = taskMeta(plan.digest, 'a0', 'f');
  const made = [{ tensor: frameRows('y', 0, 4), region: rows(0, 4) }];
  const stamps = { receivedMs: 0, startedMs: 0, endedMs: 0 };
  const ended = { plan, task, meta, deadlineAt: Number.POSITIVE_INFINITY, gathered: true };
  await outbox.deliver(ended, made, stamps, () => {});
  const strip = 'tilepipe/worker/right/in';
  expect(data.topics).toEqual([strip]);
  const want = taskMeta(plan.digest, 'b1', 'f', { kind: 'want', sender: 'right', extra: { tasks: ['a0'] } });
  outbox.sendAgain(want);
  expect(data.topics).toEqual([strip]);
  data.left = Number.POSITIVE_INFINITY;
  outbox.sendAgain(want);
  // It waits to be taken up by the connection now.
  outbox.sendAgain(want);
  expect(data.topics).toEqual([strip, strip]);
});
