import { expect, test } from 'vitest';
import { createLog } from '../../../services/core/runtime/log.ts';
import { LinkWatch } from '../../../tools/planned/link-watch.ts';
import { slowProfile } from '../../support/profiles.ts';

const link = { latencyMs: 1, upBytesPerMs: 1000, downBytesPerMs: 1000 };

test('workers online with links that are not known otherwise are asked, where that tells something', async () => {
  const asked: (readonly string[])[] = [];
  let [wanted, ends] = [true, 0];
  const linked = ['a', 'b', 'away', 'of-a-file', 'here'];
  const part = {
    controller: { workers: () => ['a', 'b', 'here', 'of-a-file', 'unlinked'].map((id) => ({ id })) },
    profiles: {
      all: () => [slowProfile('unlinked'), ...linked.map((id) => ({ ...slowProfile(id), link }))],
    },
    links: {
      flowing: false,
      wanted: () => wanted,
      ask: async (ids: readonly string[]) => {
        asked.push(ids);
        return 'no answer from b';
      },
    },
  };
  const watch = new LinkWatch({
    part: part as unknown as ConstructorParameters<typeof LinkWatch>[0]['part'],
    log: createLog('test', { level: 'silent' }),
    known: new Set(['of-a-file', 'here']),
    asked: () => ends++,
  });
  await watch.now();
  const ids = ['a', 'b'];
  expect(asked).toEqual([ids, ids]);
  expect(ends).toBe(2);
  wanted = false;
  await watch.now();
  expect(asked).toHaveLength(2);
});
