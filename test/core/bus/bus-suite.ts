/** What every bus does, whatever carries it. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Bus } from '../../../services/core/bus/bus.ts';
import { Inbox } from '../../support/inbox.ts';

export interface BusWorld {
  /** A bus on the world's broker, not started. */
  bus(): Bus;
  stop(): Promise<void>;
}

export function busSuite(name: string, create: () => Promise<BusWorld>): void {
  describe(name, () => {
    let world: BusWorld;
    const open: Bus[] = [];
    let topic = 0;

    beforeAll(async () => {
      world = await create();
    });
    afterEach(async () => {
      await Promise.all(open.splice(0).map((bus) => bus.stop()));
    });
    afterAll(() => world.stop());

    /** A topic no other test has used. */
    const fresh = () => `suite/${++topic}`;
    const started = async () => {
      const bus = world.bus();
      open.push(bus);
      await bus.start();
      return bus;
    };
    const pair = () => Promise.all([started(), started()]);

    test.each([0, 1] as const)('delivers a message with QoS %i', async (qos) => {
      const [a, b] = await pair();
      const at = fresh();
      const inbox = await Inbox.on(b, at, { qos });
      await a.publish(at, Buffer.from('hello'), { qos });
      const [message] = await inbox.have(1);
      expect(message).toMatchObject({ topic: at, retained: false });
      expect(inbox.texts).toEqual(['hello']);
      expect(a.counters()).toMatchObject({
        publishedMessages: 1,
        publishedBytes: 5,
        leftBytes: 5,
        dropped: 0,
      });
      expect(b.counters()).toMatchObject({ receivedMessages: 1, receivedBytes: 5 });
    });

    test('delivers to the publisher itself and to every handler', async () => {
      const bus = await started();
      const at = fresh();
      const first = await Inbox.on(bus, at);
      const second = await Inbox.on(bus, at);
      await bus.publish(at, Buffer.from('x'));
      await Promise.all([first.have(1), second.have(1)]);
      expect(first.texts).toEqual(['x']);
      expect(second.texts).toEqual(['x']);
    });

    test('keeps the last retained message, and an empty one removes it', async () => {
      const [a, b] = await pair();
      const at = fresh();
      await a.publish(at, Buffer.from('old'), { qos: 1, retain: true });
      await a.publish(at, Buffer.from('new'), { qos: 1, retain: true });
      const late = await Inbox.on(b, at, { qos: 1 });
      expect((await late.have(1)).map((message) => message.retained)).toEqual([true]);
      expect(late.texts).toEqual(['new']);
      await a.publish(at, Buffer.alloc(0), { qos: 1, retain: true });
      await late.have(2);
      const none = await Inbox.on(await started(), at, { qos: 1 });
      await a.publish(at, Buffer.from('live'), { qos: 1 });
      await none.have(1);
      expect(none.texts).toEqual(['live']);
    });

    test('tells a retained message that arrives live from one that was kept', async () => {
      const [a, b] = await pair();
      const at = fresh();
      const inbox = await Inbox.on(b, at, { qos: 1 });
      await a.publish(at, Buffer.from('now'), { qos: 1, retain: true });
      expect((await inbox.have(1))[0]?.retained).toBe(false);
      await a.publish(at, Buffer.alloc(0), { qos: 1, retain: true });
    });

    test('delivers what a filter matches and nothing else', async () => {
      const [a, b] = await pair();
      const at = fresh();
      const plus = await Inbox.on(b, `${at}/+/in`);
      const rest = await Inbox.on(b, `${at}/#`);
      for (const topic of [`${at}/a/out`, `${at}/a/b/in`, `${at}/a/in`, `${at}/b/in`, `${at}/end`]) {
        await a.publish(topic, Buffer.from(topic.slice(at.length + 1)));
      }
      // A broker may send one copy for each filter that matches, so that the number says nothing.
      while (!rest.texts.includes('end')) await rest.have(rest.texts.length + 1);
      expect([...new Set(plus.texts)]).toEqual(['a/in', 'b/in']);
      expect(new Set(rest.texts)).toEqual(new Set(['a/out', 'a/b/in', 'a/in', 'b/in', 'end']));
    });

    test('stops delivering after unsubscribing, for that handler only', async () => {
      const [a, b] = await pair();
      const at = fresh();
      const gone = new Inbox();
      const kept = await Inbox.on(b, at);
      const undo = await b.subscribe(at, gone.take);
      await a.publish(at, Buffer.from('1'));
      await Promise.all([kept.have(1), gone.have(1)]);
      await undo();
      await a.publish(at, Buffer.from('2'));
      await kept.have(2);
      expect(gone.texts).toEqual(['1']);
      expect(kept.texts).toEqual(['1', '2']);
    });

    test('refuses a message over its limit before publishing it', async () => {
      const [a, b] = await pair();
      const at = fresh();
      const inbox = await Inbox.on(b, at);
      const tooLarge = a.publish(at, Buffer.alloc(a.maxMessageBytes + 1), { qos: 1 });
      await expect(tooLarge).rejects.toMatchObject({ code: 'message-too-large' });
      await a.publish(at, Buffer.alloc(a.maxMessageBytes));
      expect((await inbox.have(1))[0]?.payload.length).toBe(a.maxMessageBytes);
      expect(a.counters().publishedMessages).toBe(1);
    });

    test('rejects publishing before it is started and after it is stopped, and counts it', async () => {
      const bus = world.bus();
      const refusal = { code: 'broker-unreachable' };
      await expect(bus.publish(fresh(), Buffer.from('x'))).rejects.toMatchObject(refusal);
      await bus.start();
      expect(bus.connected).toBe(true);
      await bus.stop();
      expect(bus.connected).toBe(false);
      await expect(bus.publish(fresh(), Buffer.from('x'))).rejects.toMatchObject(refusal);
      expect(bus.counters()).toMatchObject({ dropped: 2, publishedMessages: 0 });
    });

    test('starts again after it was stopped', async () => {
      const bus = await started();
      await bus.stop();
      await bus.start();
      const at = fresh();
      const inbox = await Inbox.on(bus, at);
      await bus.publish(at, Buffer.from('again'));
      await inbox.have(1);
      expect(inbox.texts).toEqual(['again']);
    });

    test('refuses a shared subscription or serves it, but never grants it in silence', async () => {
      const [a, b] = await pair();
      const at = fresh();
      const inbox = new Inbox();
      const refused = await b.subscribe(`$share/group/${at}`, inbox.take).then(
        () => undefined,
        (error) => error.code,
      );
      if (refused === undefined) {
        await a.publish(at, Buffer.from('served'));
        await inbox.have(1);
      } else expect(refused).toBe('broker-refused');
    });

    test('survives a handler that throws', async () => {
      const [a, b] = await pair();
      const at = fresh();
      await b.subscribe(at, () => {
        throw new Error('a defect');
      });
      const inbox = await Inbox.on(b, at);
      await a.publish(at, Buffer.from('1'));
      await a.publish(at, Buffer.from('2'));
      await inbox.have(2);
      expect(inbox.texts).toEqual(['1', '2']);
    });

    test('a handler may publish, over and over, without exhausting the stack', async () => {
      const bus = await started();
      const at = fresh();
      const rounds = 20_000;
      await new Promise<void>((resolve, reject) => {
        let count = 0;
        const token = Buffer.from('x');
        bus
          .subscribe(at, () => {
            if (++count === rounds) resolve();
            else bus.publish(at, token).catch(reject);
          })
          .then(() => bus.publish(at, token))
          .catch(reject);
      });
      expect(bus.counters().receivedMessages).toBe(rounds);
    });

    test('delivers 100 messages of 800 KB in order, whole, and safe to keep', async () => {
      const [a, b] = await pair();
      const at = fresh();
      const inbox = await Inbox.on(b, at);
      const bytes = 800_000;
      for (let i = 0; i < 100; i++) {
        const payload = Buffer.alloc(bytes, i);
        payload.writeUInt32LE(i, 0);
        await a.publish(at, payload);
      }
      const messages = await inbox.have(100);
      expect(messages.map(({ payload }) => payload.readUInt32LE(0))).toEqual([...Array(100).keys()]);
      const damaged = messages.filter(
        ({ payload }, i) => payload.length !== bytes || payload.subarray(4).some((byte) => byte !== i),
      );
      expect(damaged).toEqual([]);
    });
  });
}
