/** The end of a frame as its published result shows it. */

import { expect, test } from 'vitest';
import { ResultWatch } from '../../services/splitter/result-watch.ts';
import { Local } from '../support/local.ts';

test('good results of pipelines that are waited for are seen; errors and what is no result are not', async () => {
  const local = new Local();
  await local.start();
  const seen: string[] = [];
  const watch = new ResultWatch({
    control: local.bus,
    topics: local.channels.topics,
    awaits: (pipeline) => pipeline === 'garden',
    seen: (pipeline, frame) => seen.push(`${pipeline} ${frame}`),
  });
  await watch.start();
  const say = (pipeline: string, text: string) =>
    local.bus.publish(`tilepipe/result/${pipeline}/door`, Buffer.from(text), { qos: 1 });
  for (const text of ['{', 'null', '{"ok":true}', '{"ok":true,"frame":7}', '{"ok":false,"frame":"failed"}'])
    await say('garden', text);
  await say('street', '{"ok":true,"frame":"other"}');
  await say('garden', '{"ok":true,"frame":"good"}');
  await expect.poll(() => seen).toEqual(['garden good']);
  await watch.stop();
  await say('garden', '{"ok":true,"frame":"late"}');
  expect(seen).toEqual(['garden good']);
  await local.stop();
});
