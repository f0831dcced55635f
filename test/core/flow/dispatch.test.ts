import { describe, expect, test } from 'vitest';
import { placementOf } from '../../../services/core/flow/dispatch.ts';
import { PlanIndex, type Task } from '../../../services/core/flow/plan-index.ts';
import { bench, item, words, worker } from './dispatch-bench.ts';
import { digest, gridPlan } from './plans.ts';

describe('the dispatcher', () => {
  test('sends as many as there are slots, and the next when one is done', () => {
    const { dispatcher } = bench();
    expect(words(dispatcher.workerUpdate(worker('w1', { slots: 2 })))).toEqual([]);
    expect(words(dispatcher.submit(item('f0/a')))).toEqual(['w1<f0/a#1']);
    expect(words(dispatcher.submit(item('f0/b')))).toEqual(['w1<f0/b#1']);
    expect(words(dispatcher.submit(item('f0/c')))).toEqual([]);
    const { finished, actions } = dispatcher.done('f0/a', 'w1');
    expect(finished?.key).toBe('f0/a');
    expect(words(actions)).toEqual(['w1<f0/c#1']);
    expect(dispatcher.counters()).toMatchObject({ submitted: 3, done: 1, sent: 3, reissued: 0 });
  });

  test('takes the oldest frame first, and its tasks in order', () => {
    const { dispatcher } = bench();
    for (const key of ['f2/a', 'f1/b', 'f1/a', 'f3/a']) dispatcher.submit(item(key));
    expect(words(dispatcher.workerUpdate(worker('w1', { slots: 3 })))).toEqual([
      'w1<f1/b#1',
      'w1<f1/a#1',
      'w1<f2/a#1',
    ]);
  });

  test('an item nobody holds does not hold up the others', () => {
    const { dispatcher } = bench();
    dispatcher.submit(item('f0/a', { model: 'other' }));
    dispatcher.submit(item('f1/b'));
    const holds = (_: string, model: string): boolean => model === 'm';
    expect(words(dispatcher.workerUpdate(worker('w1', { holds, slots: 5 })))).toEqual(['w1<f1/b#1']);
    expect(dispatcher.waiting).toBe(1);
  });

  test('prefers the listed devices in their order, and falls back when none is there', () => {
    const { dispatcher } = bench();
    for (const id of ['w1', 'w2', 'w3']) dispatcher.workerUpdate(worker(id));
    const devices = ['w3', 'w2'];
    expect(words(dispatcher.submit(item('f0/a', { devices })))).toEqual(['w3<f0/a#1']);
    expect(words(dispatcher.submit(item('f0/b', { devices })))).toEqual(['w2<f0/b#1']);
    // A free worker that is not listed does not take it while a listed one is there.
    expect(words(dispatcher.submit(item('f0/c', { devices })))).toEqual([]);
    expect(words(dispatcher.workerGone('w3'))).toEqual([]);
    expect(words(dispatcher.workerGone('w2'))).toEqual(['w1<f0/a#2']);
  });

  test('prefers the worker with least to do', () => {
    const { dispatcher } = bench();
    for (const id of ['w1', 'w2']) dispatcher.workerUpdate(worker(id, { slots: 2 }));
    const sent = ['f0/a', 'f0/b', 'f0/c', 'f0/d'].flatMap((key) => words(dispatcher.submit(item(key))));
    expect(sent).toEqual(['w1<f0/a#1', 'w2<f0/b#1', 'w1<f0/c#1', 'w2<f0/d#1']);
  });

  test('respects pins to blocks and tiles, and draining', () => {
    const { dispatcher } = bench();
    dispatcher.workerUpdate(worker('w1', { pins: [{ block: 1 }], slots: 9 }));
    dispatcher.workerUpdate(worker('w2', { pins: [{ block: 0, tile: 3 }], slots: 9 }));
    dispatcher.workerUpdate(worker('w3', { draining: true, slots: 9 }));
    expect(words(dispatcher.submit(item('f0/a', { block: 1, tile: 7 })))).toEqual(['w1<f0/a#1']);
    expect(words(dispatcher.submit(item('f0/b', { block: 0, tile: 3 })))).toEqual(['w2<f0/b#1']);
    expect(words(dispatcher.submit(item('f0/c', { block: 0, tile: 4 })))).toEqual([]);
    expect(dispatcher.canRun(item('x', { block: 0, tile: 4 }))).toBe(false);
    expect(dispatcher.canRun(item('x', { block: 1, tile: 4 }))).toBe(true);
  });

  test('sends again at once what a vanished worker had, whatever the budget', () => {
    const { dispatcher } = bench({ retryBurst: 0, retryShare: 0 });
    dispatcher.workerUpdate(worker('w1', { slots: 2 }));
    dispatcher.submit(item('f0/a'));
    dispatcher.submit(item('f0/b'));
    expect(words(dispatcher.workerGone('w1'))).toEqual([]);
    expect(words(dispatcher.workerUpdate(worker('w2', { slots: 2 })))).toEqual(['w2<f0/a#2', 'w2<f0/b#2']);
    expect(dispatcher.workerGone('w1')).toEqual([]);
  });

  test('an answer of a worker given up still counts, once', () => {
    const { dispatcher } = bench();
    dispatcher.workerUpdate(worker('w1'));
    dispatcher.submit(item('f0/a'));
    dispatcher.workerGone('w1');
    dispatcher.workerUpdate(worker('w2'));
    expect(dispatcher.done('f0/a', 'w1').finished?.key).toBe('f0/a');
    expect(dispatcher.done('f0/a', 'w2').finished).toBeUndefined();
    expect(dispatcher.size).toBe(0);
    expect(dispatcher.counters()).toMatchObject({ done: 1, strangers: 1 });
    expect(dispatcher.workers()).toEqual([
      { id: 'w2', active: 0, done: 0, failures: 0, timeouts: 0, troubles: 0 },
    ]);
  });

  test('says what a worker is at, and since when: the oldest it has, where that has a name', () => {
    const { dispatcher, advance } = bench();
    dispatcher.workerUpdate(worker('w1', { slots: 2 }));
    const named = (key: string, task: string) => ({ ...item(key), task });
    dispatcher.submit(named('f0/a', 'a'));
    advance(10);
    dispatcher.submit(named('f0/b', 'b'));
    const { plan } = item('f0/a');
    expect(dispatcher.workers()).toMatchObject([{ active: 2, running: { plan, task: 'a', since: 0 } }]);
    advance(20);
    dispatcher.done('f0/a', 'w1');
    expect(dispatcher.workers()).toMatchObject([{ active: 1, running: { plan, task: 'b', since: 30 } }]);
    dispatcher.done('f0/b', 'w1');
    expect(dispatcher.workers()[0]?.running).toBeUndefined();
  });

  test('an answer to the first of two sendings says how long it really took, and keeps no task from anybody', () => {
    const { dispatcher, advance } = bench({ firstDeadlineMs: 500 });
    dispatcher.workerUpdate(worker('w1', { slots: 2 }));
    for (const key of ['f0/a', 'f1/a']) {
      expect(words(dispatcher.submit(item(key)))).toEqual([`w1<${key}#1`]);
      // The second key's deadline rests on what the first took: 2100 ms three times.
      expect(words(advance(key === 'f0/a' ? 2000 : 7000))).toEqual([`w1<${key}#2`]);
      advance(100);
      // It waited there behind others for longer than the second message has been out.
      const first = dispatcher.done(key, 'w1', { receivedMs: 0, startedMs: 1950, endedMs: 2050 });
      expect(first.totalMs).toBeGreaterThanOrEqual(2050);
      dispatcher.done(key, 'w1', { receivedMs: 2000, startedMs: 2050, endedMs: 2100 });
    }
    expect(words(dispatcher.submit(item('f2/a')))).toEqual(['w1<f2/a#1']);
  });

  test('an answer that is older than the task says nothing of how long such tasks take', () => {
    const { dispatcher, advance } = bench();
    dispatcher.workerUpdate(worker('w1'));
    for (const key of ['f0/a', 'f1/a', 'f2/a']) {
      expect(words(dispatcher.submit(item(key)))).toEqual([`w1<${key}#1`]);
      advance(10);
      const { finished, totalMs } = dispatcher.done(key, 'w1', {
        receivedMs: 0,
        startedMs: 900,
        endedMs: 950,
      });
      expect(finished?.key).toBe(key);
      expect(totalMs).toBeUndefined();
    }
  });

  test('an answer for what was never asked ends nothing', () => {
    const { dispatcher } = bench();
    dispatcher.workerUpdate(worker('w1'));
    dispatcher.submit(item('f0/a'));
    expect(dispatcher.done('f0/a', 'w9').finished).toBeUndefined();
    expect(dispatcher.done('f9/x', 'w1').finished).toBeUndefined();
    expect(dispatcher.failed('f0/a', 'w9', 'no')).toEqual([]);
    expect(dispatcher.counters().strangers).toBe(3);
    expect(dispatcher.size).toBe(1);
  });

  describe('deadlines of a task', () => {
    test('are generous at first, then three times the 95th percentile, half a second at least', () => {
      const { dispatcher, advance, now } = bench({ firstDeadlineMs: 10_000 });
      dispatcher.workerUpdate(worker('w1'));
      dispatcher.submit(item('f0/a'));
      expect((dispatcher.nextDeadline() ?? 0) - now()).toBe(10_000);
      advance(400);
      dispatcher.done('f0/a', 'w1', { receivedMs: 5, startedMs: 10, endedMs: 310 });
      dispatcher.submit(item('f1/a'));
      expect((dispatcher.nextDeadline() ?? 0) - now()).toBe(1200);
      advance(100);
      dispatcher.done('f1/a', 'w1');
      dispatcher.submit(item('f2/a', { sort: 'another' }));
      expect((dispatcher.nextDeadline() ?? 0) - now()).toBe(10_000);
      expect(dispatcher.durations()).toEqual({ s: { count: 2, totalMs: 100, computeMs: 0 } });
      for (let i = 0; i < 70; i++) {
        dispatcher.done(`f${i + 2}/a`, 'w1');
        dispatcher.submit(item(`f${i + 3}/a`));
      }
      expect((dispatcher.nextDeadline() ?? 0) - now()).toBe(500);
    });

    test('send it to another worker, and to the same one only where there is no other', () => {
      const { dispatcher, advance } = bench({ firstDeadlineMs: 100 });
      dispatcher.workerUpdate(worker('w1'));
      dispatcher.submit(item('f0/a'));
      expect(words(advance(99))).toEqual([]);
      expect(words(advance(1))).toEqual(['w1<f0/a#2']);
      dispatcher.workerUpdate(worker('w2'));
      // Each further attempt has twice the time.
      expect(words(advance(199))).toEqual([]);
      expect(words(advance(1))).toEqual(['w2<f0/a#3']);
      expect(dispatcher.workers().map(({ timeouts, troubles }) => [timeouts, troubles])).toEqual([
        [2, 2],
        [0, 0],
      ]);
    });

    test('learn from a late answer', () => {
      const { dispatcher, advance, now } = bench({ firstDeadlineMs: 100 });
      dispatcher.workerUpdate(worker('w1'));
      dispatcher.workerUpdate(worker('w2'));
      dispatcher.submit(item('f0/a'));
      advance(100);
      advance(50);
      expect(dispatcher.done('f0/a', 'w1').finished?.key).toBe('f0/a');
      dispatcher.submit(item('f1/a'));
      expect(dispatcher.workers().map(({ id, active }) => [id, active])).toEqual([
        ['w1', 1],
        ['w2', 1],
      ]);
      // w2 is still counted on for the item that has ended, until its own deadline.
      expect((dispatcher.nextDeadline() ?? 0) - now()).toBe(150);
    });

    test('wait for the budget when it is spent', () => {
      const { dispatcher, advance } = bench({ firstDeadlineMs: 100, retryBurst: 1, retryShare: 0.5 });
      for (const id of ['w1', 'w2', 'w3']) dispatcher.workerUpdate(worker(id));
      dispatcher.submit(item('f0/a'));
      dispatcher.submit(item('f0/b'));
      expect(words(advance(100))).toEqual(['w3<f0/a#2']);
      expect(dispatcher.counters().overBudget).toBe(1);
      dispatcher.done('f0/a', 'w3');
      dispatcher.submit(item('f1/c'));
      dispatcher.submit(item('f1/d'));
      expect(words(advance(100))).toContain('w2<f0/b#2');
    });
  });

  describe('failures', () => {
    test('go to another worker, never back to the one that failed', () => {
      const { dispatcher } = bench();
      dispatcher.workerUpdate(worker('w1'));
      dispatcher.workerUpdate(worker('w2'));
      dispatcher.submit(item('f0/a'));
      expect(words(dispatcher.failed('f0/a', 'w1', 'out of memory'))).toEqual(['w2<f0/a#2']);
      const [end] = dispatcher.failed('f0/a', 'w2', 'bad shape');
      expect(end).toMatchObject({
        type: 'fail',
        code: 'task-failed',
        message: 'f0/a failed on w2: bad shape',
      });
      expect(dispatcher.size).toBe(0);
      expect(dispatcher.workers().map(({ failures }) => failures)).toEqual([1, 1]);
    });

    test('wait for a busy holder', () => {
      const { dispatcher } = bench();
      dispatcher.workerUpdate(worker('w1'));
      dispatcher.workerUpdate(worker('w2'));
      dispatcher.submit(item('f0/a'));
      dispatcher.submit(item('f0/b'));
      expect(words(dispatcher.failed('f0/a', 'w1', 'x'))).toEqual([]);
      expect(words(dispatcher.done('f0/b', 'w2').actions)).toEqual(['w2<f0/a#2']);
    });

    test('end the item when the budget is spent', () => {
      const { dispatcher } = bench({ retryBurst: 0, retryShare: 0 });
      dispatcher.workerUpdate(worker('w1'));
      dispatcher.workerUpdate(worker('w2'));
      dispatcher.submit(item('f0/a'));
      expect(words(dispatcher.failed('f0/a', 'w1', 'x'))).toEqual(['f0/a!task-failed']);
    });

    test('that come late end an item that waits for a worker which failed it', () => {
      const { dispatcher, advance } = bench({ firstDeadlineMs: 100 });
      dispatcher.workerUpdate(worker('w1'));
      dispatcher.submit(item('f0/a'));
      dispatcher.workerUpdate(worker('w1', { draining: true }));
      expect(words(advance(100))).toEqual([]);
      expect(words(dispatcher.failed('f0/a', 'w1', 'x'))).toEqual(['f0/a!task-failed']);
    });

    test('make a worker the last to be asked until it succeeds', () => {
      const { dispatcher } = bench();
      dispatcher.workerUpdate(worker('w1'));
      dispatcher.workerUpdate(worker('w2'));
      dispatcher.submit(item('f0/a'));
      dispatcher.failed('f0/a', 'w1', 'x');
      dispatcher.done('f0/a', 'w2');
      expect(words(dispatcher.submit(item('f1/a')))).toEqual(['w2<f1/a#1']);
      expect(words(dispatcher.submit(item('f1/b')))).toEqual(['w1<f1/b#1']);
    });
  });

  describe('the end of an item', () => {
    test('comes at its deadline, and says what was tried', () => {
      const { dispatcher, advance } = bench({ firstDeadlineMs: 100 });
      dispatcher.workerUpdate(worker('w1', { holds: (_, model) => model === 'm' }));
      dispatcher.submit(item('f0/a', { deadlineAt: 150 }));
      dispatcher.submit(item('f0/b', { deadlineAt: 150 }));
      dispatcher.submit(item('f0/c', { deadlineAt: 150, model: 'x' }));
      advance(100);
      const ends = advance(50).filter((action) => action.type === 'fail');
      expect(ends.map(({ code, message }) => `${code}: ${message}`)).toEqual([
        'frame-deadline: f0/a was sent 2 times, to w1, without an answer',
        'frame-deadline: f0/b was never sent: every worker that holds it was busy',
        'no-worker: f0/c was never sent: no worker holds its sub-model',
      ]);
      expect([dispatcher.size, dispatcher.waiting]).toEqual([0, 0]);
    });

    test('comes after so many attempts', () => {
      const { dispatcher, advance } = bench({ firstDeadlineMs: 10, maxAttempts: 3 });
      dispatcher.workerUpdate(worker('w1'));
      dispatcher.submit(item('f0/a'));
      expect([advance(10), advance(20), advance(40)].map(words)).toEqual([
        ['w1<f0/a#2'],
        ['w1<f0/a#3'],
        ['f0/a!frame-deadline'],
      ]);
    });

    test('comes by cancelling its frame; the worker stays busy with it until it answers', () => {
      const { dispatcher } = bench();
      dispatcher.workerUpdate(worker('w1'));
      for (const key of ['f0/a', 'f0/b', 'f1/c']) dispatcher.submit(item(key));
      expect(dispatcher.cancel('f0').map(({ key }) => key)).toEqual(['f0/a', 'f0/b']);
      expect(dispatcher.workers()[0]?.active).toBe(1);
      const { finished, actions } = dispatcher.done('f0/a', 'w1');
      expect(finished).toBeUndefined();
      expect(words(actions)).toEqual(['w1<f1/c#1']);
    });

    test('lets its key be used again, on another worker than the one still busy with it', () => {
      const { dispatcher, advance } = bench({ firstDeadlineMs: 100 });
      dispatcher.workerUpdate(worker('w1', { slots: 2 }));
      dispatcher.submit(item('f0/a'));
      dispatcher.cancel('f0');
      expect(words(dispatcher.submit(item('f0/a')))).toEqual([]);
      dispatcher.workerUpdate(worker('w2'));
      expect(words(advance(0))).toEqual([]);
      expect(dispatcher.workers().map(({ active }) => active)).toEqual([1, 1]);
      expect(words(dispatcher.workerGone('w1'))).toEqual([]);
      expect(dispatcher.done('f0/a', 'w2').finished?.key).toBe('f0/a');
    });

    test('comes soon where the devices of its plan are gone and nobody else holds its sub-model', () => {
      const { dispatcher, advance } = bench({ forsakenMs: 100 });
      const other = worker('w3', { holds: () => false });
      for (const view of [worker('w1'), worker('w2'), other]) dispatcher.workerUpdate(view);
      const devices = ['w1', 'w2'];
      for (const key of ['f0/a', 'f0/b', 'f0/c']) dispatcher.submit(item(key, { devices }));
      dispatcher.submit(item('f1/any', { model: 'none' }));
      dispatcher.workerGone('w1');
      expect(words(advance(200))).toEqual([]);
      dispatcher.workerGone('w2');
      expect(words(advance(1))).toEqual([]);
      expect(words(advance(99))).toEqual([]);
      dispatcher.workerUpdate(worker('w2'));
      expect(words(advance(1))).toEqual([]);
      dispatcher.workerGone('w2');
      advance(1);
      const ends = advance(100);
      expect(words(ends)).toEqual(['f0/a!no-worker', 'f0/b!no-worker', 'f0/c!no-worker']);
      expect(ends[0]).toMatchObject({ message: expect.stringContaining('w1 is away, w2 is away') });
      expect(dispatcher.waiting).toBe(1);
    });

    test('comes at once where too many wait', () => {
      const { dispatcher } = bench({ maxItems: 2 });
      dispatcher.submit(item('f0/a'));
      dispatcher.submit(item('f0/b'));
      expect(words(dispatcher.submit(item('f0/c')))).toEqual(['f0/c!overloaded']);
      expect(dispatcher.size).toBe(2);
    });

    test('must come before its key is submitted again', () => {
      const { dispatcher } = bench();
      dispatcher.submit(item('f0/a'));
      expect(() => dispatcher.submit(item('f0/a'))).toThrow(/under way/);
    });
  });

  test('tells the time left with every send', () => {
    const { dispatcher, advance } = bench();
    dispatcher.submit(item('f0/a', { deadlineAt: 1000 }));
    advance(250);
    expect(dispatcher.workerUpdate(worker('w1'))).toMatchObject([{ type: 'send', deadlineMs: 750 }]);
  });

  test('places a task of a plan', () => {
    const index = new PlanIndex(gridPlan({ grids: [[2, 1]] }));
    const placement = placementOf('p', index.tasks.get('b0.t1') as Task);
    expect(placement).toMatchObject({ plan: 'p', model: digest('a'), block: 0, tile: 1, devices: undefined });
    expect(placement.sort).toBe('block 0 aaaaaaaaaaaa 1x2x7x10');
  });
});
