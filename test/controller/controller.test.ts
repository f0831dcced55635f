/** What the controller says of plans that are in force. */

import { expect, test, vi } from 'vitest';
import { Controller } from '../../services/controller/controller.ts';
import { createLog } from '../../services/core/runtime/log.ts';
import { gridPlan } from '../core/flow/plans.ts';
import { announcement } from '../support/announced.ts';
import { Local } from '../support/local.ts';

test('a fallback that a worker cannot load is said once of each worker', async () => {
  const local = new Local();
  await local.start();
  const log = createLog('controller', { level: 'silent' });
  const warn = vi.spyOn(log, 'warn');
  const { control, topics } = local.channels;
  const controller = new Controller({ id: 'c', control, topics, log, store: 'http://127.0.0.1:1' });
  await controller.start();
  const document = announcement(gridPlan({ grids: [[2, 1]] }), {}, gridPlan({ grids: [[1, 1]] }));
  const { plan, digest, settings, frames, fallback } = document;
  const second = { ...(fallback as NonNullable<typeof fallback>) };
  await controller.rollOut({ plan: { plan, digest, fallback: second }, settings, frames });
  const say = (id: string, state: 'ready' | 'failed') =>
    local.status('worker', id, {
      plans: { [second.digest]: { state, ...(state === 'failed' ? { error: 'no room' } : {}) } },
    });
  await say('a', 'ready');
  for (const id of ['a', 'a', 'b']) await say(id, 'failed');
  expect(warn.mock.calls).toEqual(
    ['a', 'b'].map((worker) => [expect.objectContaining({ worker }), expect.stringContaining('no room')]),
  );
  await controller.stop();
  await local.stop();
});
