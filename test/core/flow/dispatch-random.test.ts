import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Action, bench, item, worker } from './dispatch-bench.ts';

describe('under random loss, repetition and churn', () => {
  /** One thing that happens; numbers choose among what is there. */
  const events = fc.array(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ type: fc.constant('submit' as const), frame: fc.nat(6), model: fc.nat(2) }),
      },
      {
        weight: 8,
        arbitrary: fc.record({ type: fc.constant('answer' as const), which: fc.nat(), twice: fc.boolean() }),
      },
      { weight: 2, arbitrary: fc.record({ type: fc.constant('error' as const), which: fc.nat() }) },
      { weight: 2, arbitrary: fc.record({ type: fc.constant('lose' as const), which: fc.nat() }) },
      {
        weight: 3,
        arbitrary: fc.record({
          type: fc.constant('join' as const),
          id: fc.nat(4),
          slots: fc.nat(3),
          holds: fc.nat(7),
        }),
      },
      { weight: 1, arbitrary: fc.record({ type: fc.constant('leave' as const), id: fc.nat(4) }) },
      { weight: 3, arbitrary: fc.record({ type: fc.constant('wait' as const), ms: fc.nat(3000) }) },
      { weight: 1, arbitrary: fc.record({ type: fc.constant('cancel' as const), frame: fc.nat(6) }) },
    ),
    { maxLength: 150 },
  );

  test('every item ends exactly once, and no worker is sent more than its slots', () => {
    fc.assert(
      fc.property(events, fc.boolean(), (happenings, poor) => {
        const { dispatcher, advance } = bench({
          firstDeadlineMs: 800,
          itemDeadlineMs: 9000,
          maxItems: 20,
          ...(poor ? { retryBurst: 1, retryShare: 0.05 } : {}),
        });
        const ends = new Map<string, number>();
        const slots = new Map<string, number>();
        let outside: { key: string; worker: string }[] = [];
        let submitted = 0;
        const end = (key: string): void => void ends.set(key, (ends.get(key) ?? 0) + 1);
        const take = (actions: readonly Action[]): void => {
          for (const action of actions) {
            if (action.type === 'fail') end(action.item.key);
            else {
              expect(slots.has(action.worker)).toBe(true);
              expect(ends.has(action.item.key)).toBe(false);
              outside.push({ key: action.item.key, worker: action.worker });
            }
          }
          for (const { id, active } of dispatcher.workers())
            expect(active).toBeLessThanOrEqual(slots.get(id) ?? 0);
        };
        const answer = (message: { key: string; worker: string } | undefined): void => {
          if (message === undefined) return;
          const { finished, actions } = dispatcher.done(message.key, message.worker);
          if (finished !== undefined) end(finished.key);
          take(actions);
        };
        for (const event of happenings) {
          const chosen = 'which' in event ? outside[event.which % Math.max(1, outside.length)] : undefined;
          if (event.type === 'submit') {
            take(
              dispatcher.submit(
                item(`f${event.frame}/${submitted++}`, { model: `m${event.model}`, sort: `${event.model}` }),
              ),
            );
          } else if (event.type === 'answer') {
            answer(chosen);
            if (!event.twice) outside = outside.filter((message) => message !== chosen);
          } else if (event.type === 'error' && chosen !== undefined) {
            take(dispatcher.failed(chosen.key, chosen.worker, 'no'));
          } else if (event.type === 'lose') {
            outside = outside.filter((message) => message !== chosen);
          } else if (event.type === 'join') {
            // A worker keeps what it has when it offers fewer slots, so slots only grow while it stays.
            const id = `w${event.id}`;
            const offered = Math.max(event.slots, slots.get(id) ?? 0);
            slots.set(id, offered);
            take(
              dispatcher.workerUpdate(
                worker(id, {
                  slots: offered,
                  holds: (_, model) => ((event.holds >> Number(model.slice(1))) & 1) === 1,
                }),
              ),
            );
          } else if (event.type === 'leave') {
            slots.delete(`w${event.id}`);
            take(dispatcher.workerGone(`w${event.id}`));
          } else if (event.type === 'wait') take(advance(event.ms));
          else if (event.type === 'cancel')
            for (const { key } of dispatcher.cancel(`f${event.frame}`)) end(key);
          expect(dispatcher.size + ends.size).toBe(submitted);
          expect(dispatcher.size).toBeLessThanOrEqual(20);
        }
        take(advance(9000));
        expect(dispatcher.size).toBe(0);
        expect(dispatcher.waiting).toBe(0);
        expect(ends.size).toBe(submitted);
        expect([...ends.values()].every((count) => count === 1)).toBe(true);
        const { done, failed, cancelled } = dispatcher.counters();
        expect(done + failed + cancelled).toBe(submitted);
        take(advance(100_000));
        expect(dispatcher.workers().every(({ active }) => active === 0)).toBe(true);
      }),
      { numRuns: 600 },
    );
  });
});
