/** Camera messages by their topic: those nobody could answer are named once, and nothing else is subscribed. */

import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLog } from '../../services/core/runtime/log.ts';
import { type Camera, FrameWatch } from '../../services/splitter/frame-watch.ts';
import { ResultWatch } from '../../services/splitter/result-watch.ts';
import { Local } from '../support/local.ts';

let local: Local;
let lines: { topic: string; msg: string }[];
let taken: Camera[];

beforeEach(async () => {
  local = new Local();
  lines = [];
  taken = [];
  await local.start();
});
afterEach(async () => {
  await local.stop();
});

async function watch(pipelines?: string[]): Promise<FrameWatch> {
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const frames = new FrameWatch({
    intake: local.channels.data,
    topics: local.channels.topics,
    log: createLog('splitter', { level: 'warn', destination }),
    ...(pipelines === undefined ? {} : { pipelines }),
    mine: (_, source) => source !== 'elsewhere',
    received: (camera) => taken.push(camera),
  });
  await frames.start();
  return frames;
}

const say = (camera: string) =>
  local.channels.data.publish(`tilepipe/frame/${camera}`, Buffer.from('x'), { qos: 1 });

test('a name that no topic may have is counted each time and logged once', async () => {
  const frames = await watch();
  for (const camera of ['garden/front door', 'garden/front door', 'gärten/door', 'garden/door'])
    await say(camera);
  await expect.poll(() => taken).toEqual([{ pipeline: 'garden', source: 'door' }]);
  expect(lines.map(({ topic }) => topic)).toEqual([
    'tilepipe/frame/garden/front door',
    'tilepipe/frame/gärten/door',
  ]);
  expect(frames.counters()).toEqual({ 'rejected.topic': 3, elsewhere: 0 });
  await frames.stop();
});

test('however many such names come, the log stays short', async () => {
  const frames = await watch();
  for (let i = 0; i < 100; i++) await say(`garden/${'ä'.repeat(300)}${i}`);
  await expect.poll(() => frames.counters()['rejected.topic']).toBe(100);
  expect(lines.length).toBe(64);
  for (const { topic } of lines) expect(topic.length).toBe(200);
  await frames.stop();
});

test('frames of a camera that another splitter takes are counted and left to it', async () => {
  const frames = await watch();
  await say('garden/elsewhere');
  await say('garden/door');
  await expect.poll(() => taken.length).toBe(1);
  expect(frames.counters().elsewhere).toBe(1);
  await frames.stop();
});

test('limited to pipelines, frames and results of no other are subscribed', async () => {
  const filters: string[] = [];
  const bus = local.channels.data;
  const subscribe = bus.subscribe.bind(bus);
  bus.subscribe = (filter, handler, options) => {
    filters.push(filter);
    return subscribe(filter, handler, options);
  };
  const frames = await watch(['garden', 'street', 'garden']);
  const results = new ResultWatch({
    control: bus,
    topics: local.channels.topics,
    pipelines: ['garden'],
    awaits: () => true,
    seen: () => {},
  });
  await results.start();
  expect(filters).toEqual(['tilepipe/frame/garden/+', 'tilepipe/frame/street/+', 'tilepipe/result/garden/+']);
  for (const pipeline of ['house', 'street', 'garden']) await say(`${pipeline}/door`);
  await expect.poll(() => taken.map(({ pipeline }) => pipeline)).toEqual(['street', 'garden']);
  await results.stop();
  await frames.stop();
  await say('garden/door');
  expect(taken.length).toBe(2);
});
