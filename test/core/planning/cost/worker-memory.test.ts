/** The arithmetic of a worker's memory, and that the search keeps to it. */

import { expect, test } from 'vitest';
import {
  WORKER_OVERHEAD,
  workerBytes,
  workingBytes,
} from '../../../../services/core/planning/cost/worker-memory.ts';
import { search } from '../../../../services/core/planning/search/search.ts';
import { classifier, fleetOf, spaceOf } from '../search/small.ts';

const holding = { weights: 100e6, activations: 40e6, subModels: 13 };

test('weights once, activations with any gaps between them, and something for each sub-model', () => {
  const { runningBytes, activations, subModelBytes } = WORKER_OVERHEAD;
  const expected = 90e6 + runningBytes + 100e6 + activations * 40e6 + 13 * subModelBytes;
  expect(workerBytes({ idleBytes: 90e6 }, holding)).toBe(expected);
  expect(workingBytes({ idleBytes: 90e6 })).toBe(90e6 + runningBytes);
  const overhead = { runningBytes: 1, activations: 2, subModelBytes: 3 };
  expect(workerBytes({ idleBytes: 10, overhead }, { weights: 5, activations: 7, subModels: 2 })).toBe(36);
});

test('a worker that is sent pictures has the image library as well', () => {
  const worker = { idleBytes: 10 };
  expect(workerBytes(worker, { ...holding, pictures: false })).toBe(workerBytes(worker, holding));
  expect(workerBytes(worker, { ...holding, pictures: true })).toBe(workerBytes(worker, holding) + 25e6);
});

test('a plan says what its workers take, and fits no device that has a byte less', async () => {
  const space = await spaceOf(classifier());
  const { hub, media, devices } = fleetOf({ slowness: [1] });
  const fleet = (memoryBytes: number) => ({
    hub,
    media,
    devices: devices.map(({ overhead: _, ...device }) => ({ ...device, memoryBytes })),
  });
  const options = { objective: 'latency', strategies: ['one-device'] } as const;
  const { best } = search(space, fleet(Number.POSITIVE_INFINITY), options);
  const [part] = best.blocks[0]?.parts ?? [];
  const bytes = workerBytes(
    { idleBytes: 1e6 },
    { weights: part?.weightBytes ?? 0, activations: part?.activationBytes ?? 0, subModels: 1 },
  );
  expect(best.predicted.memoryBytes).toEqual({ d0: bytes });
  expect(search(space, fleet(bytes), options).best.predicted.memoryBytes).toEqual({ d0: bytes });
  expect(() => search(space, fleet(bytes - 1), options)).toThrow(
    expect.objectContaining({ code: 'plan-impossible' }),
  );
});
