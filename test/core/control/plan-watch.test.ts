/** Announcements as they come: the newest first, a few before it remembered, the rest refused by name. */

import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseAnnouncement } from '../../../services/core/control/documents.ts';
import { PlanWatch } from '../../../services/core/control/plan-watch.ts';
import type { Announcement } from '../../../services/core/schema/generated/announcement.ts';
import type { Plan } from '../../../services/core/schema/generated/plan.ts';
import { announcement } from '../../support/announced.ts';
import { Local } from '../../support/local.ts';
import { gridPlan } from '../flow/plans.ts';

let local: Local;
let watch: PlanWatch;
let events: string[];

beforeEach(async () => {
  local = new Local();
  await local.start();
  events = [];
  watch = new PlanWatch({
    control: local.bus,
    topics: local.channels.topics,
    parse: parseAnnouncement,
    announced: ({ digest, announcement: { frames } }) => events.push(`${digest} ${frames.maxInFlight}`),
    withdrawn: (pipeline) => events.push(`${pipeline} withdrawn`),
    rejected: (topic, reason) => events.push(`${topic}: ${reason}`),
  });
  await watch.start();
});
afterEach(async () => {
  await watch.stop();
  await local.stop();
});

const plans: Plan[] = [1, 2, 3, 4].map((rows) => gridPlan({ grids: [[rows, 1]] }));
const documents: Announcement[] = plans.map((plan) => announcement(plan));
const say = (document: Announcement | string) =>
  local.bus.publish(
    'tilepipe/plan/test',
    Buffer.from(typeof document === 'string' ? document : JSON.stringify(document)),
    { qos: 1, retain: true },
  );

test('the newest plan is first, and three are remembered', async () => {
  for (const document of documents) await say(document);
  const digests = documents.map(({ digest }) => digest);
  expect(watch.of('test').map(({ digest }) => digest)).toEqual(digests.slice(1).reverse());
  expect(watch.find('test', digests[1] as string)?.index.plan.tasks).toEqual(plans[1]?.tasks);
  expect(watch.find('test', digests[0] as string)).toBeUndefined();
  expect(watch.pipelines()).toEqual(['test']);
});

test('the same announcement again is no news; with other limits it is, on the same look-ups', async () => {
  const [first] = documents as [Announcement];
  await say(first);
  const before = watch.of('test')[0]?.index;
  await say(first);
  await say(announcement(first.plan, { maxInFlight: 7 }));
  expect(events).toEqual([`${first.digest} 4`, `${first.digest} 7`]);
  expect(watch.of('test').length).toBe(1);
  expect(watch.of('test')[0]?.index).toBe(before);
});

test('an older plan that is announced again is the newest', async () => {
  const [first, second] = documents as [Announcement, Announcement];
  for (const document of [first, second, first]) await say(document);
  expect(watch.of('test').map(({ digest }) => digest)).toEqual([first.digest, second.digest]);
});

test('a withdrawn pipeline has no plans', async () => {
  await say(documents[0] as Announcement);
  await say('');
  expect(watch.pipelines()).toEqual([]);
  expect(events.at(-1)).toBe('test withdrawn');
});

test('what is no announcement, or not of its digest, changes nothing and is told', async () => {
  const [first, second] = documents as [Announcement, Announcement];
  await say(first);
  for (const bad of ['{', '{}', JSON.stringify({ ...second, digest: first.digest })]) await say(bad);
  expect(watch.of('test').map(({ digest }) => digest)).toEqual([first.digest]);
  expect(events.slice(1)).toEqual([
    expect.stringContaining('tilepipe/plan/test: not JSON'),
    expect.stringContaining('tilepipe/plan/test: '),
    expect.stringContaining(`the announcement says ${first.digest}`),
  ]);
});

test('fallbacks stand behind the plans, and are plans of their own once they are announced', async () => {
  const [one, two, three] = plans as [Plan, Plan, Plan];
  const [first, second, third] = documents.map(({ digest }) => digest) as [string, string, string];
  await say(announcement(one, {}, two));
  expect(watch.of('test').map(({ digest }) => digest)).toEqual([first, second]);
  expect(watch.of('test')[0]?.fallback).toBe(watch.find('test', second));
  const { index } = watch.find('test', second) ?? {};
  await say(announcement(three, {}, one));
  expect(watch.of('test').map(({ digest }) => digest)).toEqual([third, first, second]);
  await say(announcement(two, {}, one));
  expect(watch.of('test').map(({ digest }) => digest)).toEqual([second, third, first]);
  expect(watch.of('test')[0]?.index).toBe(index);
});

test('a fallback that is no plan, or none that its frames could go on with, is refused', async () => {
  const [one, two] = plans as [Plan, Plan];
  const good = announcement(one, {}, two);
  const odd: Plan[] = [
    one,
    { ...two, pipeline: 'other' },
    gridPlan({ grids: [[2, 1]], height: 14 }),
    { ...two, transfers: [] },
  ];
  for (const plan of odd) await say(announcement(one, {}, plan));
  await say({ ...good, fallback: { digest: good.digest, plan: two } });
  expect(watch.of('test')).toEqual([]);
  expect(events).toHaveLength(odd.length + 1);
});
