/** Who has tasks of whom: what makes a task that has not ended say nothing of its device. */

import { expect, test } from 'vitest';
import { TasksOut } from '../../../../services/core/planning/replan/tasks-out.ts';

test('tasks of other dispatchers, as each told last', () => {
  const out = new TasksOut();
  const [splitter, merger] = [
    { role: 'splitter', id: 's' },
    { role: 'merger', id: 'm' },
  ] as const;
  const busy = (worker: string, active: number) => [{ worker, active, timeouts: 0 }];
  out.add({ ...merger, workers: busy('w1', 1) });
  out.add({ ...splitter, workers: busy('w2', 2) });
  expect(out.elsewhere('w1', splitter)).toBe(true);
  expect(out.elsewhere('w1', merger)).toBe(false);
  expect(out.elsewhere('w2', merger)).toBe(true);
  out.add({ ...splitter, workers: busy('w1', 0) });
  expect(out.elsewhere('w2', merger)).toBe(false);
  expect(out.elsewhere('w1', merger)).toBe(false);
});
