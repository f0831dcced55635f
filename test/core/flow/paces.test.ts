/** Unequal workers: a slow one does not take what a faster one would have done sooner, and nothing waits for ever. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Paces } from '../../../services/core/flow/paces.ts';
import { type Action, bench, item, words, worker } from './dispatch-bench.ts';

const RUNS = Number(process.env.TILEPIPE_PROPERTY_RUNS ?? 300);

describe('paces', () => {
  test('two tasks say how long the next takes, the first runs of a sub-model do not', () => {
    const paces = new Paces();
    paces.record('a', 's', 500, 0);
    expect(paces.expectedMs('a', 's', 0)).toBeUndefined();
    paces.record('a', 's', 100, 1);
    paces.record('a', 's', 110, 2);
    expect(paces.expectedMs('a', 's', 2)).toBe(100);
    for (const ms of [400, 400, 400]) paces.record('a', 's', ms, 3);
    expect(paces.expectedMs('a', 's', 3)).toBe(400);
    expect(paces.expectedMs('a', 'other', 3)).toBeUndefined();
  });

  test('what no task can take says nothing', () => {
    const paces = new Paces();
    for (const ms of [-1850, 0, Number.NaN, Number.POSITIVE_INFINITY]) paces.record('a', 's', ms, 0);
    expect(paces.expectedMs('a', 's', 0)).toBeUndefined();
  });

  test('a worker not known is as fast as the fastest, and one not used becomes so again', () => {
    const paces = new Paces();
    for (const at of [0, 1]) {
      paces.record('fast', 's', 100, at);
      paces.record('slow', 's', 400, at);
    }
    expect(paces.expectedMs('new', 's', 1)).toBe(100);
    expect(paces.expectedMs('slow', 's', 30_000)).toBe(400);
    expect(paces.expectedMs('slow', 's', 60_001)).toBe(250);
    expect(paces.expectedMs('slow', 's', 600_000)).toBeCloseTo(100, 1);
    paces.forget('fast');
    expect(paces.expectedMs('new', 's', 1)).toBe(400);
  });
});

interface Running {
  readonly key: string;
  readonly receivedMs: number;
  readonly startedMs: number;
  readonly endedMs: number;
}

/** Workers of two slots that run one task after the other; a task of sort `n` takes n times the worker's milliseconds. */
function cluster(milliseconds: Readonly<Record<string, number>>) {
  const { dispatcher, advance, now } = bench({ firstDeadlineMs: 1e9, itemDeadlineMs: 1e9 });
  const running = new Map<string, Running[]>();
  const ended: { readonly key: string; readonly worker: string; readonly at: number }[] = [];
  const take = (actions: readonly Action[]): void => {
    for (const action of actions) {
      if (action.type === 'fail') throw new Error(`${action.item.key} failed: ${action.message}`);
      const queue = running.get(action.worker) ?? [];
      const startedMs = queue.at(-1)?.endedMs ?? now();
      const endedMs = startedMs + (milliseconds[action.worker] ?? 0) * Number(action.item.sort);
      queue.push({ key: action.item.key, receivedMs: now(), startedMs, endedMs });
      running.set(action.worker, queue);
    }
  };
  for (const id of Object.keys(milliseconds)) dispatcher.workerUpdate(worker(id, { slots: 2 }));
  const nextEnd = (): number =>
    Math.min(...[...running.values()].map(([first]) => first?.endedMs ?? Number.POSITIVE_INFINITY));
  const answer = (id: string): void => {
    const stamps = running.get(id)?.shift() as Running;
    ended.push({ key: stamps.key, worker: id, at: now() });
    take(dispatcher.done(stamps.key, id, stamps).actions);
  };
  /** Lets time go by to a moment, the dispatcher asked every 50 ms as it is in a service. */
  const until = (at: number): void => {
    while (now() < at) {
      take(advance(Math.min(at, nextEnd(), now() + 50) - now()));
      for (const [id, [first]] of running) if (first !== undefined && first.endedMs <= now()) answer(id);
    }
  };
  const drain = (): void => {
    while (dispatcher.size > 0) until(now() + 50);
  };
  const submit = (key: string, sort = '1'): void => take(dispatcher.submit(item(key, { sort })));
  /** Enough tasks of a sort on each for their paces to be known. */
  const learn = (sort = '1'): void => {
    for (let i = 0; i < 8; i++) {
      for (const id of Object.keys(milliseconds))
        take(dispatcher.submit(item(`f${i}/${id} ${sort}`, { sort, devices: [id] })));
      drain();
    }
    ended.length = 0;
  };
  return { submit, learn, drain, until, now, ended, running };
}

describe('a worker four times slower', () => {
  test('does not take the last tile of a frame that another would finish sooner', () => {
    const { submit, learn, drain, ended, running, now } = cluster({ a: 100, b: 100, c: 400 });
    learn();
    const from = now();
    for (const tile of [0, 1, 2]) submit(`f9/${tile}`);
    expect([...running].map(([id, { length }]) => [id, length])).toEqual([
      ['a', 2],
      ['b', 1],
      ['c', 0],
    ]);
    drain();
    expect(Math.max(...ended.map(({ at }) => at)) - from).toBe(200);
  });

  test('takes its part of a long queue, and the frame ends as early as it can', () => {
    const { submit, learn, drain, ended, now } = cluster({ a: 100, b: 100, c: 400 });
    learn();
    const from = now();
    for (let tile = 0; tile < 18; tile++) submit(`f9/${tile}`);
    drain();
    const of = (id: string): number => ended.filter(({ worker: by }) => by === id).length;
    expect([of('a'), of('b'), of('c')]).toEqual([8, 8, 2]);
    expect(Math.max(...ended.map(({ at }) => at)) - from).toBe(800);
  });

  test('is asked once the one that was waited for takes too long', () => {
    const { dispatcher, advance } = bench();
    const paces = { a: 100, c: 400 };
    for (const id of Object.keys(paces)) dispatcher.workerUpdate(worker(id));
    for (const round of [0, 1, 2]) {
      for (const [id, ms] of Object.entries(paces)) {
        dispatcher.submit(item(`f${round}/${id}`, { devices: [id] }));
        advance(ms);
        dispatcher.done(`f${round}/${id}`, id);
      }
    }
    expect(words(dispatcher.submit(item('f9/x')))).toEqual(['a<f9/x#1']);
    expect(words(dispatcher.submit(item('f9/y')))).toEqual([]);
    expect(words(advance(300))).toEqual([]);
    expect(words(advance(50))).toEqual(['c<f9/y#1']);
  });

  test('is not waited with where nothing is known of the task', () => {
    const { submit, learn, running } = cluster({ a: 100, c: 400 });
    learn();
    submit('f9/x', '2');
    submit('f9/y', '2');
    expect([...running].map(([id, { length }]) => [id, length])).toEqual([
      ['a', 1],
      ['c', 1],
    ]);
  });
});

test('whatever is held back for a worker ends no later than it would have on the one that was idle', () => {
  const speeds = fc.array(fc.integer({ min: 10, max: 200 }), { minLength: 2, maxLength: 5 });
  const arrivals = fc.array(fc.record({ after: fc.nat(25), sort: fc.constantFrom('1', '2', '3') }), {
    maxLength: 40,
  });
  fc.assert(
    fc.property(speeds, arrivals, (milliseconds, items) => {
      const ids = milliseconds.map((_, i) => `w${i}`);
      const it = cluster(Object.fromEntries(ids.map((id, i) => [id, milliseconds[i] as number])));
      for (const sort of ['1', '2', '3']) it.learn(sort);
      const bounds = new Map<string, number>();
      for (const [i, { after, sort }] of items.entries()) {
        it.until(it.now() + after);
        const idle = ids.map(
          (id, at) => [it.running.get(id)?.length ?? 0, milliseconds[at] as number] as const,
        );
        const alone = Math.min(...idle.flatMap(([tasks, ms]) => (tasks === 0 ? [ms * Number(sort)] : [])));
        const key = `f${100 + i}/x`;
        it.submit(key, sort);
        const sent = [...it.running.values()].some((queue) => queue.some((each) => each.key === key));
        if (!sent && Number.isFinite(alone)) bounds.set(key, it.now() + alone);
      }
      it.drain();
      expect(it.ended.length).toBe(items.length);
      for (const { key, at } of it.ended) expect(at).toBeLessThanOrEqual((bounds.get(key) ?? at) + 1e-6);
    }),
    { numRuns: RUNS },
  );
});
