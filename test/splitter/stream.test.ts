import { describe, expect, test } from 'vitest';
import type { AnnouncedPlan } from '../../services/core/control/plan-watch.ts';
import type { Frame } from '../../services/splitter/frame-queue.ts';
import { type Started, Stream } from '../../services/splitter/stream.ts';

/** A stream with a clock of its own; what it does is written down. */
function rig(limits: Partial<{ maxInFlight: number; maxWaiting: number; attempts: number }> = {}) {
  const state = { now: 0, ready: true, unfit: '', plan: 'first', begins: (_: Started) => {} };
  const begun: Started[] = [];
  const failed: [frame: string, code: string][] = [];
  const stream = new Stream({
    limits: () => ({ maxInFlight: 2, maxWaiting: 3, attempts: 3, ...limits }),
    now: () => state.now,
    choose: ({ reading }) =>
      state.ready && reading !== state.unfit
        ? { plan: { digest: state.plan } as AnnouncedPlan, merger: 'merger' }
        : undefined,
    overtaken: (_, { digest }) => state.ready && digest === 'first' && state.plan === 'second',
    obstacle: () => 'nobody is there',
    begin: (started) => {
      begun.push(started);
      state.begins(started);
    },
    over: () => {},
    fail: ({ id }, code) => failed.push([id, code]),
  });
  return { state, stream, begun, failed };
}

const frame = (id: string, deadlineAt = 900, reading = 'new'): Frame => ({
  id,
  source: 'camera',
  sequence: 0,
  tensors: [],
  reading,
  extra: {},
  arrivedAt: 0,
  deadlineAt,
});
const ids = (begun: readonly Started[]): string[] => begun.map(({ frame: { id } }) => id);

describe('frames under way', () => {
  test('no more than the credit start; a result starts the next', () => {
    const { stream, begun } = rig();
    for (const id of ['a', 'b', 'c']) stream.push(frame(id));
    expect(ids(begun)).toEqual(['a', 'b']);
    expect(stream.close('a')).toBe(true);
    expect(ids(begun)).toEqual(['a', 'b', 'c']);
    expect(stream.close('a')).toBe(false);
  });

  test('one that takes far longer than those before it begins again where another plan can run, once', () => {
    const { state, stream, begun, failed } = rig({ maxInFlight: 1, attempts: 1 });
    for (const id of ['a', 'b']) stream.push(frame(id));
    state.now = 10;
    stream.close('a');
    const plans = () => begun.map(({ frame: { id }, plan }) => `${id} ${plan.digest}`);
    state.now = 41;
    stream.tick();
    expect(plans()).toEqual(['a first', 'b first']);
    state.plan = 'second';
    stream.tick();
    state.now = 200;
    stream.tick();
    expect(plans()).toEqual(['a first', 'b first', 'b second']);
    expect([begun.at(-1)?.spent, failed]).toEqual([0, []]);
    expect(stream.causes).toEqual({ 'replayed.overtaken': 1 });
  });

  test('what began again says nothing of what is usual, and none is moved back to an older plan', () => {
    const { state, stream, begun } = rig({ maxInFlight: 3 });
    for (const id of ['a', 'b']) stream.push(frame(id, 90_000));
    state.now = 1_000;
    stream.close('a');
    state.now = 2_900;
    for (const id of ['c', 'd']) stream.push(frame(id, 90_000));
    state.plan = 'second';
    state.now = 3_001;
    stream.tick();
    expect(begun.at(-1)).toMatchObject({ frame: { id: 'b' }, plan: { digest: 'second' } });
    // The result of its first attempt was on its way already.
    state.now = 3_003;
    stream.close('b');
    state.now = 3_050;
    stream.tick();
    expect(begun).toHaveLength(5);
    stream.push(frame('e', 90_000));
    for (const now of [9_000, 20_000]) {
      state.plan = now === 9_000 ? 'first' : 'second';
      state.now = now;
      stream.tick();
    }
    expect(begun.filter(({ frame: { id } }) => id === 'e').map(({ plan }) => plan.digest)).toEqual([
      'second',
    ]);
  });

  test('one that is no slower than those before it ends on its plan', () => {
    const { state, stream, begun } = rig({ maxInFlight: 1 });
    for (const id of ['a', 'b']) stream.push(frame(id));
    state.now = 10;
    stream.close('a');
    state.plan = 'second';
    state.now = 40;
    stream.tick();
    expect(begun.length).toBe(2);
  });

  test('one that ends while it begins was begun once', () => {
    const { state, stream, begun, failed } = rig({ maxInFlight: 1 });
    state.begins = ({ frame: { id } }) => stream.end(id, 'task-failed', 'at once');
    for (const id of ['a', 'b']) stream.push(frame(id));
    expect(ids(begun)).toEqual(['a', 'b']);
    expect(failed.map(([id]) => id)).toEqual(['a', 'b']);
  });

  test('one that fails while it begins has its attempts one after the other', () => {
    const { state, stream, begun, failed } = rig({ maxInFlight: 2 });
    state.ready = false;
    for (const id of ['a', 'b']) stream.push(frame(id));
    state.ready = true;
    state.begins = ({ frame: { id } }) => stream.replay(id, 'at once', 'task-failed');
    stream.pump();
    expect(begun.map(({ frame: { id }, attempt }) => `${id}${attempt}`)).toEqual(
      ['a', 'b'].flatMap((id) => [1, 2, 3].map((attempt) => `${id}${attempt}`)),
    );
    expect(failed).toEqual(['a', 'b'].map((id) => [id, 'frame-deadline']));
    expect(stream.counters).toMatchObject({ replayed: 4, failed: 2 });
  });

  test('beyond the waiting room the oldest waiting frame is dropped, counted and answered', () => {
    const { stream, failed } = rig();
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) stream.push(frame(id));
    expect(failed).toEqual([['c', 'frame-dropped']]);
    expect(stream.counters).toMatchObject({ received: 6, dropped: 1 });
  });

  test('frames wait in order while nobody is ready, and end at their deadline', () => {
    const { state, stream, begun, failed } = rig();
    state.ready = false;
    stream.push(frame('a'));
    stream.push(frame('b', 5000));
    state.now = 1000;
    stream.tick();
    expect(failed).toEqual([['a', 'no-worker']]);
    state.ready = true;
    stream.tick();
    expect(ids(begun)).toEqual(['b']);
  });
});

describe('the end of a pipeline', () => {
  test('every frame ends, waiting or under way, and none starts meanwhile', () => {
    const { stream, begun, failed } = rig({ maxInFlight: 1 });
    for (const id of ['a', 'b', 'c']) stream.push(frame(id));
    stream.endAll('no-worker', 'withdrawn');
    expect(failed.map(([id]) => id).sort()).toEqual(['a', 'b', 'c']);
    expect(ids(begun)).toEqual(['a']);
    expect(stream.inFlight + stream.waiting).toBe(0);
  });
});

describe('a roll-out', () => {
  test('frames read for a plan that cannot run do not hold up the others', () => {
    const { state, stream, begun } = rig();
    state.unfit = 'old';
    stream.push(frame('a', 900, 'old'));
    stream.push(frame('b', 900, 'new'));
    expect(ids(begun)).toEqual(['b']);
    state.unfit = '';
    stream.pump();
    expect(ids(begun)).toEqual(['b', 'a']);
  });
});

describe('a plan that loses a device', () => {
  const lost = ({ digest }: AnnouncedPlan): boolean => digest === 'first';
  const plans = (begun: readonly Started[]) =>
    begun.map(({ frame: { id }, plan, attempt }) => [id, plan.digest, attempt]);

  test('its frames begin again on one that can run, those of other plans go on', () => {
    const { state, stream, begun, failed } = rig({ maxInFlight: 3 });
    stream.push(frame('a'));
    stream.push(frame('b'));
    state.plan = 'second';
    stream.push(frame('c'));
    stream.leave(lost);
    expect(plans(begun)).toEqual([
      ['a', 'first', 1],
      ['b', 'first', 1],
      ['c', 'second', 1],
      ['a', 'second', 2],
      ['b', 'second', 2],
    ]);
    expect(stream.counters).toMatchObject({ replayed: 2 });
    expect(failed).toEqual([]);
  });

  test('they stay where there is no other plan to go to', () => {
    const { state, stream, begun } = rig();
    stream.push(frame('a'));
    stream.leave(lost);
    state.ready = false;
    stream.leave(lost);
    expect(plans(begun)).toEqual([['a', 'first', 1]]);
    expect(stream.started('a')).toBeDefined();
  });

  test('that costs no attempt, but who always answers that he cannot does not spin', () => {
    const { state, stream, begun, failed } = rig({ attempts: 1 });
    stream.push(frame('a', 900));
    state.plan = 'second';
    stream.leave(lost);
    expect(plans(begun)).toEqual([
      ['a', 'first', 1],
      ['a', 'second', 2],
    ]);
    for (let again = 0; again < 20; again++) stream.replay('a', 'nobody', 'no-worker');
    expect(begun.length).toBeLessThan(12);
    expect(failed).toEqual([['a', 'frame-deadline']]);
  });
});

describe('replay', () => {
  test('a late attempt is replayed within its share of the time, and the last ends as an error', () => {
    const { state, stream, begun, failed } = rig();
    stream.push(frame('a', 900));
    for (const now of [299, 300, 600, 900]) {
      state.now = now;
      stream.tick();
    }
    expect(begun.map(({ attempt, giveUpAt }) => [attempt, giveUpAt])).toEqual([
      [1, 300],
      [2, 600],
      [3, 900],
    ]);
    expect(failed).toEqual([['a', 'frame-deadline']]);
    expect(stream.inFlight).toBe(0);
  });

  test('a replay that finds nobody ready starts as soon as somebody is, whatever its share of the time', () => {
    const { state, stream, begun, failed } = rig();
    stream.push(frame('a', 900));
    state.ready = false;
    stream.replay('a', 'the merger went away', 'wire-invalid');
    expect(stream.inFlight).toBe(1);
    state.now = 20;
    state.ready = true;
    stream.pump();
    expect(begun.at(-1)).toMatchObject({ attempt: 2, giveUpAt: 460 });
    expect(stream.close('a')).toBe(true);
    expect(failed).toEqual([]);
    expect(stream.counters).toMatchObject({ finished: 1, replayed: 1 });
  });

  test('a frame whose next attempt finds nobody until its deadline ends as an error', () => {
    const { state, stream, failed } = rig();
    stream.push(frame('a', 900));
    state.ready = false;
    stream.replay('a', 'the merger went away', 'wire-invalid');
    state.now = 900;
    stream.tick();
    expect(failed).toEqual([['a', 'no-worker']]);
    expect(stream.inFlight).toBe(0);
  });

  test('a result of the attempt before ends a frame that waits for the next', () => {
    const { state, stream, begun } = rig();
    stream.push(frame('a', 900));
    state.ready = false;
    stream.replay('a', 'late', 'frame-deadline');
    expect(stream.close('a')).toBe(true);
    state.ready = true;
    stream.tick();
    expect(begun.length).toBe(1);
  });

  test('a merger that goes takes its attempts with it, and no others', () => {
    const { stream, begun } = rig();
    stream.push(frame('a'));
    stream.mergerGone('another');
    expect(begun.length).toBe(1);
    stream.mergerGone('merger');
    expect(begun.map(({ attempt }) => attempt)).toEqual([1, 2]);
  });

  test('a frame that nobody could run starts again without having used up an attempt, a few times', () => {
    const { stream, begun, failed } = rig({ attempts: 1 });
    stream.push(frame('a', 900));
    for (let refused = 0; refused < 20 && failed.length === 0; refused++)
      stream.replay('a', 'nobody holds its sub-model', 'no-worker');
    expect(begun.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(failed).toEqual([['a', 'frame-deadline']]);
  });

  test('a failure for good ends the frame and starts the next', () => {
    const { stream, begun, failed } = rig({ maxInFlight: 1 });
    stream.push(frame('a'));
    stream.push(frame('b'));
    stream.end('a', 'task-failed', 'the executor refuses it');
    expect(failed).toEqual([['a', 'task-failed']]);
    expect(ids(begun)).toEqual(['a', 'b']);
  });
});

describe('a plan with a fallback', () => {
  /** Plans `halo` with its fallback `merge`, and `old`; those in `away` cannot run. */
  function rigged(attempts: number) {
    const state = { now: 0, away: new Set<string>() };
    const merge = { digest: 'merge' } as AnnouncedPlan;
    const halo = { digest: 'halo', fallback: merge } as AnnouncedPlan;
    const old = { digest: 'old' } as AnnouncedPlan;
    const begun: [string, number][] = [];
    const failed: string[] = [];
    const stream = new Stream({
      limits: () => ({ maxInFlight: 4, maxWaiting: 4, attempts }),
      now: () => state.now,
      choose: (_, after) => {
        const plan = [after?.fallback ?? halo, halo, old, merge].find(
          ({ digest }) => !state.away.has(digest),
        );
        return plan && { plan, merger: 'm' };
      },
      overtaken: (_, { digest }) => digest === 'old' && !state.away.has('halo'),
      obstacle: () => 'nobody is there',
      begin: ({ plan, attempt }) => begun.push([plan.digest, attempt]),
      over: () => {},
      fail: (_, code) => failed.push(code),
    });
    return { state, stream, begun, failed };
  }

  test('a frame that failed under it goes on by that, whatever made it fail, and is counted by cause', () => {
    const { stream, begun } = rigged(3);
    for (const [id, cause] of [
      ['a', 'strip-lost'],
      ['b', 'device-gone'],
      ['c', 'strip-lost'],
    ] as const) {
      stream.push(frame(id));
      stream.replay(id, 'as the test says', cause);
      // Once it has failed there it does not go back, as long as there is the fallback.
      stream.replay(id, 'again', 'wire-invalid');
    }
    const each = [
      ['halo', 1],
      ['merge', 2],
      ['merge', 3],
    ];
    expect(begun).toEqual([...each, ...each, ...each]);
    expect(stream.counters).toMatchObject({ fallback: 6, replayed: 6 });
    expect(stream.causes).toEqual({
      'replayed.strip-lost': 2,
      'fallback.strip-lost': 2,
      'replayed.device-gone': 1,
      'fallback.device-gone': 1,
      'replayed.wire-invalid': 3,
      'fallback.wire-invalid': 3,
    });
  });

  test('one that an old plan keeps far longer than those before it begins again on the newest', () => {
    const { state, stream, begun } = rigged(1);
    state.away.add('halo');
    for (const ms of [100, 1_000]) {
      stream.push(frame(`took ${ms}`, 90_000));
      state.now += ms;
      stream.close(`took ${ms}`);
    }
    stream.push(frame('a', 90_000));
    state.away.delete('halo');
    state.now += 300;
    stream.tick();
    expect(begun.at(-1)).toEqual(['old', 1]);
    state.now += 1;
    stream.tick();
    expect(begun.at(-1)).toEqual(['halo', 2]);
  });

  describe('that has become slow', () => {
    /** A frame under the plan took 400; the next has been under way for `ms`, of which nothing ran here for `heldMs`. */
    function slowed(ms: number, heldMs = 0) {
      const rig = rigged(1);
      const { state, stream } = rig;
      stream.push(frame('usual', 900_000));
      state.now += 400;
      stream.close('usual');
      stream.push(frame('late', 900_000));
      state.now += ms;
      stream.tick(heldMs);
      /** A frame that takes so long. */
      const next = (id: string, took: number): void => {
        stream.push(frame(id, 900_000));
        state.now += took;
        stream.tick();
        stream.close(id);
      };
      return { ...rig, next };
    }

    test('gives a frame to it after three times what is usual, and for a while those that follow', () => {
      const { state, stream, begun, next } = slowed(1_201);
      expect(begun).toEqual([
        ['halo', 1],
        ['halo', 1],
        ['merge', 2],
      ]);
      expect(stream.causes).toEqual({ 'replayed.slow': 1, 'fallback.slow': 1 });
      stream.close('late');
      next('after it', 3_000);
      expect(begun.at(-1)).toEqual(['merge', 1]);
      state.now += 1_000;
      next('tried', 1_201);
      expect(begun.slice(-2)).toEqual([
        ['halo', 1],
        ['merge', 2],
      ]);
      // In vain: twice as long.
      state.now += 7_000;
      next('later', 100);
      expect(begun.at(-1)).toEqual(['merge', 1]);
      state.now += 1_000;
      next('well', 100);
      next('as before', 100);
      expect(begun.slice(-2)).toEqual([
        ['halo', 1],
        ['halo', 1],
      ]);
    });

    test('does not count while nothing runs here, nor where the fallback cannot run', () => {
      expect(slowed(1_201, 1).begun.at(-1)).toEqual(['halo', 1]);
      const { state, stream, begun } = slowed(1_200);
      state.away.add('merge');
      state.now += 1;
      stream.tick();
      expect(begun.at(-1)).toEqual(['halo', 1]);
      state.away.delete('merge');
      stream.tick();
      expect(begun.at(-1)).toEqual(['merge', 2]);
    });

    test('is not one whose frames are many at once', () => {
      const burst = slowed(0);
      for (const id of ['second', 'third']) burst.stream.push(frame(id, 900_000));
      for (const id of ['late', 'second', 'third']) {
        burst.state.now += 1_200;
        burst.stream.tick();
        burst.stream.close(id);
      }
      expect(burst.begun.map(([plan]) => plan)).toEqual(['halo', 'halo', 'halo', 'halo']);
      const { state, stream, begun } = slowed(0);
      for (const id of ['second', 'third']) stream.push(frame(id, 900_000));
      state.now += 3_600;
      stream.tick();
      expect(begun.slice(-3)).toEqual([
        ['halo', 1],
        ['halo', 1],
        ['halo', 1],
      ]);
      state.now += 1;
      stream.tick();
      expect(begun.at(-1)).toEqual(['merge', 2]);
    });

    test('is not well again because a frame of another plan ends', () => {
      const { state, stream, begun } = slowed(1_200);
      state.now += 1;
      state.away.add('halo');
      stream.push(frame('on another', 900_000));
      state.away.delete('halo');
      state.now += 1_200;
      stream.tick();
      stream.close('on another');
      stream.push(frame('next', 900_000));
      expect(begun.slice(-3)).toEqual([
        ['old', 1],
        ['merge', 2],
        ['merge', 1],
      ]);
    });

    test('says nothing of another plan', () => {
      const { state, stream, begun, next } = slowed(1_201);
      stream.close('late');
      state.away.add('halo');
      next('on another', 100);
      state.away.delete('halo');
      next('back', 100);
      expect(begun.slice(-2)).toEqual([
        ['old', 1],
        ['halo', 1],
      ]);
    });
  });

  test('a lost strip costs no attempt, and without the fallback another plan does', () => {
    const { state, stream, begun, failed } = rigged(1);
    stream.push(frame('a'));
    state.away.add('merge');
    state.away.add('halo');
    stream.replay('a', 'as the test says', 'strip-lost');
    expect(begun).toEqual([
      ['halo', 1],
      ['old', 2],
    ]);
    expect(stream.counters.fallback).toBe(0);
    expect(failed).toEqual([]);
  });
});
