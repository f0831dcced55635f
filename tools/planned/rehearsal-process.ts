/** The process of a rehearsal: one order, an answer after every plan, and the end. */

import { constants, setPriority } from 'node:os';
import { Planner, type Rehearsed } from '../../services/controller/replan/planner.ts';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import { asTilepipeError } from '../../services/core/runtime/errors.ts';
import { createLog } from '../../services/core/runtime/log.ts';
import { codecCheck, openSource } from './model-source.ts';
import type { RehearsalOrder } from './rehearsal.ts';

process.once('message', (order) => void rehearse(order as RehearsalOrder));
// Its parent is gone.
process.once('disconnect', () => process.exit());

async function rehearse({ source, fleet, blobs, checked, ...rest }: RehearsalOrder): Promise<void> {
  try {
    const model = await openSource(source);
    const store = new BlobCache({ folder: blobs });
    const check = codecCheck(source, model, store);
    const planner = new Planner({
      ...rest,
      model,
      blobs: store,
      ...(check === undefined ? {} : { check }),
    });
    planner.learn(checked);
    const told: Promise<void>[] = [];
    await planner.rehearse(fleet, {
      told: (rehearsed) => {
        told.push(tell(rehearsed));
        // For the first plan somebody waits; for those of other days nobody does, and frames may run by now.
        setPriority(constants.priority.PRIORITY_LOW);
      },
    });
    await Promise.all(told);
  } catch (error) {
    const { code, message, exit } = asTilepipeError(error);
    createLog('rehearsal').warn({ code }, message);
    process.exitCode = exit;
  }
  process.disconnect();
}

function tell(rehearsed: Rehearsed): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(rehearsed, () => resolve());
  });
}
