import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseAnnouncement } from '../../../services/core/control/documents.ts';
import { PlanWatch } from '../../../services/core/control/plan-watch.ts';
import { subscribeAll } from '../../../services/core/control/subscribe-all.ts';
import { Inbox } from '../../support/inbox.ts';
import { Local } from '../../support/local.ts';

let local: Local;

beforeEach(async () => {
  local = new Local();
  await local.start();
});
afterEach(async () => {
  await local.stop();
});

test('one handler gets what any filter brings, until it is undone', async () => {
  const inbox = new Inbox();
  const undo = await subscribeAll(local.bus, ['a/+', 'b', 'b'], inbox.take, { qos: 1 });
  for (const topic of ['a/x', 'b', 'c']) await local.bus.publish(topic, Buffer.from(topic), { qos: 1 });
  await inbox.have(2);
  expect(inbox.texts).toEqual(['a/x', 'b']);
  await undo();
  await local.bus.publish('b', Buffer.from('late'), { qos: 1 });
  expect(inbox.texts).toEqual(['a/x', 'b']);
});

test('where one is refused, none is left', async () => {
  const bus = local.bus;
  const inbox = new Inbox();
  const subscribe = bus.subscribe.bind(bus);
  bus.subscribe = async (filter, handler, options) => {
    if (filter === 'refused') throw new Error('refused');
    return subscribe(filter, handler, options);
  };
  await expect(subscribeAll(bus, ['a', 'refused', 'b'], inbox.take, { qos: 1 })).rejects.toThrow('refused');
  for (const topic of ['a', 'b']) await bus.publish(topic, Buffer.from(topic), { qos: 1 });
  expect(inbox.texts).toEqual([]);
});

test('plans of pipelines that are not listed are not even looked at', async () => {
  const rejected: string[] = [];
  const watch = new PlanWatch({
    control: local.bus,
    topics: local.channels.topics,
    pipelines: ['garden', 'street'],
    parse: parseAnnouncement,
    announced: () => {},
    withdrawn: () => {},
    rejected: (topic) => rejected.push(topic),
  });
  await watch.start();
  for (const pipeline of ['house', 'garden', 'street'])
    await local.bus.publish(`tilepipe/plan/${pipeline}`, Buffer.from('no plan'), { qos: 1 });
  await expect.poll(() => rejected).toEqual(['tilepipe/plan/garden', 'tilepipe/plan/street']);
  await watch.stop();
});
