/** The same over a Mosquitto, where every role has connections of its own: workers, a merger, and the broker itself vanish. */

import { once } from 'node:events';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { Mosquitto, mosquittoInstalled } from '../support/mosquitto.ts';
import { Recovery } from '../support/recovery.ts';

/** How long a frame is waited for that may have been lost while the broker was away. */
const LOST_MS = 2_000;

describe.skipIf(!mosquittoInstalled)('over Mosquitto', () => {
  let mosquitto: Mosquitto;
  let recovery: Recovery;

  beforeAll(async () => {
    mosquitto = await Mosquitto.start();
    recovery = await Recovery.start({ url: mosquitto.url });
  });
  afterAll(async () => {
    await recovery?.stop();
    await mosquitto?.stop();
  });

  test('a merger process that is killed and comes back under its name', async () => {
    let child = recovery.mergerProcess('a-merger');
    await recovery.mergerOnline('a-merger');
    await recovery.stream(30, (back) => {
      if (back === 5) child.kill('SIGKILL');
      if (back === 10) child = recovery.mergerProcess('a-merger');
    });
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  });

  test('a broker that comes back without what it had retained is told again', async () => {
    await mosquitto.pause();
    await mosquitto.resume();
    await recovery.untilAnswered(LOST_MS);
    await recovery.stream(5);
  });

  test('all workers die, others come', async () => {
    const { cluster } = recovery.it;
    await recovery.stream(20, (back) => {
      if (back !== 5) return;
      for (const worker of cluster.workers) worker.kill('SIGKILL');
      cluster.addWorkers([{ id: 'late-0' }, { id: 'late-1' }]);
    });
  });
});
