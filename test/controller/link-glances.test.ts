/** Links that no task tells of: how many bytes workers are asked to look at them with, and what is made of the answers. */

import { expect, test } from 'vitest';
import { LinkGlances } from '../../services/controller/replan/link-glances.ts';
import type { Incoming } from '../../services/core/bus/bus.ts';
import { Topics } from '../../services/core/bus/topics.ts';
import { createLog } from '../../services/core/runtime/log.ts';
import { LinkGlance } from '../../services/worker/profile/link-glance.ts';
import { Inbox } from '../support/inbox.ts';
import { Local } from '../support/local.ts';

const log = createLog('test', { level: 'silent' });

/** A link: how many bytes it carries in a millisecond, and what all messages of a look take beside that. */
class Link {
  readonly sizes: number[] = [];
  bytesPerMs = 25_000;
  answers = true;
  #handler: (message: Incoming) => void = () => {};

  readonly control = {
    subscribe: async (_: string, handler: (message: Incoming) => void) => {
      this.#handler = handler;
      return async () => {};
    },
    publish: async (topic: string, payload: Buffer) => {
      const { bytes } = JSON.parse(payload.toString());
      this.sizes.push(bytes);
      const ms = OVERHEAD_MS + (2 * bytes) / this.bytesPerMs;
      const answer = Buffer.from(JSON.stringify({ format: 1, bytes, ms }));
      if (this.answers) this.#handler({ topic, payload: answer } as Incoming);
    },
  };
}
const OVERHEAD_MS = 5;

/** Looks every half second for a while, at a link that carries `mbit`; what was asked for and what was told, in bytes and Mbit/s. */
async function lookers() {
  const link = new Link();
  let now = 0;
  const told: number[] = [];
  const glances = new LinkGlances({ control: link.control, topics: new Topics(), log, now: () => now });
  await glances.start();
  glances.onGlance((_, bytesPerMs) => told.push(Math.round(bytesPerMs / 12.5) / 10));
  return {
    link,
    glances,
    wait: (ms: number) => {
      now += ms;
    },
    look(seconds: number, mbit: number) {
      link.bytesPerMs = 125 * mbit;
      link.sizes.length = 0;
      told.length = 0;
      for (const end = now + 1000 * seconds; now < end; now += 500) glances.want('d', 25_000);
      return { sizes: [...link.sizes], told: [...told] };
    },
  };
}

test('a fast link is looked at now and then, with as much as a look may take', async () => {
  const { look } = await lookers();
  // Its first answer says less than it is taken for, as it carries more than can be told.
  expect(look(10, 200)).toEqual({
    sizes: Array(3).fill(131_072),
    told: Array(3).fill(Number.POSITIVE_INFINITY),
  });
});

test('a link that has become slow is told at the next look, and has little to carry from then on', async () => {
  const { look } = await lookers();
  look(10, 200);
  const { sizes, told } = look(14, 0.5);
  expect(sizes[0]).toBe(131_072);
  expect(Math.max(...sizes.slice(1))).toBeLessThan(8_000);
  expect(told.length).toBeGreaterThanOrEqual(3);
  for (const mbit of told) expect(mbit).toBeGreaterThan(0.4);
  for (const mbit of told) expect(mbit).toBeLessThan(0.8);
});

test('one that has become fast again is looked at with more and more until it can be told', async () => {
  const { look } = await lookers();
  look(10, 0.5);
  const { sizes, told } = look(6, 200);
  expect(sizes.length).toBeGreaterThanOrEqual(3);
  expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
  expect(told).toEqual(told.map(() => Number.POSITIVE_INFINITY));
  expect(told.length).toBeGreaterThanOrEqual(1);
});

test('an answer that is late is waited for, and says how much the link carries at most', async () => {
  const { link, look } = await lookers();
  look(10, 200);
  link.answers = false;
  const { sizes, told } = look(19, 0.1);
  expect(sizes.length).toBe(1);
  expect(told.length).toBeGreaterThan(10);
  expect(told[0]).toBe(1);
  expect(told).toEqual([...told].sort((a, b) => b - a));
});

test('a link is in doubt until it has answered lately, where it ever does', async () => {
  const { link, look, glances, wait } = await lookers();
  expect(glances.inDoubt('d', 25_000)).toBe(false);
  look(0.5, 200);
  expect(glances.inDoubt('d', 25_000)).toBe(false);
  wait(100);
  link.answers = false;
  const asked = link.sizes.length;
  expect([glances.inDoubt('d', 25_000), glances.inDoubt('d', 25_000)]).toEqual([true, true]);
  expect(link.sizes.length).toBe(asked + 1);
});

test('one link after the other is looked at, all at once only together; where one changes the others are asked too', async () => {
  let now = 0;
  let handler: (message: Incoming) => void = () => {};
  const asked: { topic: string; bytes: number }[] = [];
  const control = {
    subscribe: async (_: string, handle: (message: Incoming) => void) => {
      handler = handle;
      return async () => {};
    },
    publish: async (topic: string, payload: Buffer) => {
      asked.push({ topic, bytes: JSON.parse(payload.toString()).bytes });
    },
  };
  const glances = new LinkGlances({ control, topics: new Topics(), log, now: () => now });
  await glances.start();
  const seen: [string, number][] = [];
  const together: number[] = [];
  glances.onGlance((device, bytesPerMs) => seen.push([device, Math.round(bytesPerMs)]));
  glances.onTogether((bytesPerMs) => together.push(Math.round(bytesPerMs)));
  const want = (): void => {
    for (const id of ['a', 'b']) glances.want(id, 625);
  };
  const devices = () => asked.map(({ topic }) => topic.at(-1));
  /** The oldest look is answered at so many bytes per millisecond. */
  const answer = (bytesPerMs: number): void => {
    const { topic, bytes } = asked.shift() as (typeof asked)[number];
    const ms = 20 + (2 * bytes) / bytesPerMs;
    now += ms;
    handler({ topic, payload: Buffer.from(JSON.stringify({ format: 1, bytes, ms })) } as Incoming);
  };
  want();
  expect(devices()).toEqual(['a']);
  answer(625);
  expect(devices()).toEqual(['b']);
  answer(625);
  expect(seen).toEqual([
    ['a', 625],
    ['b', 625],
  ]);
  expect(glances.unsettled(['a', 'b'])).toBe(false);
  now += 2_000;
  want();
  answer(62);
  expect(glances.unsettled(['a', 'b'])).toBe(true);
  for (let look = 0; look < 4 && glances.unsettled(['a', 'b']); look++) {
    while (asked.length > 0) answer(62);
    want();
  }
  expect(glances.unsettled(['a', 'b'])).toBe(false);
  expect(new Map(seen)).toEqual(
    new Map([
      ['a', 62],
      ['b', 62],
    ]),
  );
  while (asked.length > 0) answer(62);
  seen.length = 0;
  const links = new Map([
    ['a', 62],
    ['b', 62],
  ]);
  expect(glances.together(links)).toBe(true);
  expect(devices()).toEqual(['a', 'b']);
  answer(62);
  expect([together, glances.together(links)]).toEqual([[], true]);
  answer(62);
  expect(together.length).toBe(1);
  expect(together[0]).toBeGreaterThan(110);
  expect(together[0]).toBeLessThan(140);
  expect([seen, glances.together(links)]).toEqual([[], false]);
  // Answers that do not come are not waited for.
  now += 10_000;
  expect(glances.together(links)).toBe(true);
  answer(62);
  now += 2_000;
  expect(glances.together(links)).toBe(false);
  expect(together.length).toBe(2);
  // What comes too late says nothing of a link, and one that is still out is left out of the next.
  answer(62);
  expect(seen).toEqual([]);
  now += 10_000;
  glances.want('silent', 62);
  now += 2_000;
  expect(glances.together(links)).toBe(true);
});

test('a worker answers how long so many bytes took', async () => {
  const local = new Local();
  await local.start();
  const { control, topics } = local.channels;
  const glances = new LinkGlances({ control, topics, log, now: () => 0 });
  const glance = new LinkGlance({ id: 'd', channels: local.channels, log });
  await glances.start();
  await glance.start();
  const told = new Promise<[string, number]>((resolve) => {
    glances.onGlance((device, bytesPerMs) => resolve([device, bytesPerMs]));
  });
  const messages = await Inbox.on(control, 'tilepipe/glance/d');
  glances.want('d', 25_000);
  const [device, bytesPerMs] = await told;
  expect(device).toBe('d');
  expect(bytesPerMs).toBeGreaterThan(0);
  const [request] = messages.texts.map((text) => JSON.parse(text));
  expect(request).toEqual({ format: 1, bytes: 131_072 });
  await glance.stop();
  await glances.stop();
  await local.stop();
});

test('a worker whose bytes were lost looks again when it is asked again', async () => {
  const local = new Local();
  await local.start();
  const { control, data, topics } = local.channels;
  let messages = 0;
  let gone = () => {};
  const lost = new Promise<void>((resolve) => {
    gone = resolve;
  });
  const lossy = {
    maxMessageBytes: data.maxMessageBytes,
    subscribe: data.subscribe.bind(data),
    publish: async (...message: Parameters<typeof data.publish>) => {
      if (++messages > 2) await data.publish(...message);
      else if (messages === 2) gone();
    },
  };
  const channels = { topics, control, data: lossy as unknown as typeof data };
  const glance = new LinkGlance({ id: 'd', channels, log });
  await glance.start();
  const answered = new Promise<number>((resolve) => {
    void control.subscribe('tilepipe/glance/d', ({ payload }) => {
      const { bytes, ms } = JSON.parse(payload.toString());
      if (ms !== undefined) resolve(bytes);
    });
  });
  const ask = (bytes: number) =>
    control.publish('tilepipe/glance/d', Buffer.from(JSON.stringify({ format: 1, bytes })));
  await ask(2_000);
  await lost;
  await ask(3_000);
  expect(await answered).toBe(3_000);
  await glance.stop();
  await local.stop();
});
