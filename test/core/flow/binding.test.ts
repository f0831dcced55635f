/** Late and static binding: no task waits behind a busy device while another of its devices is idle, unless it must. */

import { describe, expect, test } from 'vitest';
import { placementOf } from '../../../services/core/flow/dispatch.ts';
import type { Task } from '../../../services/core/flow/plan-index.ts';
import { bench, item, words, worker } from './dispatch-bench.ts';

const task = (devices?: readonly string[]): Task => ({
  id: 'b0.t0',
  kind: 'run',
  block: 0,
  index: 0,
  model: 'm',
  inputs: [],
  outputs: [],
  ...(devices === undefined ? {} : { devices: [...devices] }),
});

/** Two workers of two slots each; a task is bound to w1 first. */
function two(devices: readonly string[] | undefined = ['w1', 'w2']) {
  const { dispatcher } = bench();
  for (const id of ['w1', 'w2']) dispatcher.workerUpdate(worker(id, { slots: 2 }));
  const submit = (key: string) => words(dispatcher.submit(item(key, { devices })));
  return { dispatcher, submit };
}

describe('late binding', () => {
  test('an idle device takes the task rather than that it waits behind another on the preferred one', () => {
    const { submit } = two();
    expect(submit('f0/a')).toEqual(['w1<f0/a#1']);
    expect(submit('f0/b')).toEqual(['w2<f0/b#1']);
    // Both are busy now: the preferred one receives the next while it computes.
    expect(submit('f0/c')).toEqual(['w1<f0/c#1']);
    expect(submit('f0/d')).toEqual(['w2<f0/d#1']);
    expect(submit('f0/e')).toEqual([]);
  });

  test('across frames and cameras: whoever is idle takes the oldest frame first', () => {
    const { dispatcher } = two();
    const keys = ['f0/camera-1', 'f1/camera-2', 'f2/camera-1', 'f3/camera-2', 'f4/camera-1', 'f5/camera-2'];
    const sent = keys.flatMap((key) =>
      words(dispatcher.submit(item(key, { devices: key.endsWith('1') ? ['w1', 'w2'] : ['w2', 'w1'] }))),
    );
    expect(sent).toEqual(['w1<f0/camera-1#1', 'w2<f1/camera-2#1', 'w1<f2/camera-1#1', 'w2<f3/camera-2#1']);
    // w2 is done with both of its own: it steals from the other camera what is older.
    expect(words(dispatcher.done('f1/camera-2', 'w2').actions)).toEqual(['w2<f4/camera-1#1']);
    expect(words(dispatcher.done('f3/camera-2', 'w2').actions)).toEqual(['w2<f5/camera-2#1']);
  });

  test('the plan decides while all are idle, and who is in trouble is asked last', () => {
    const { dispatcher, submit } = two(['w2', 'w1']);
    expect(submit('f0/a')).toEqual(['w2<f0/a#1']);
    dispatcher.failed('f0/a', 'w2', 'no');
    dispatcher.cancel('f0');
    for (const key of ['f1/a', 'f1/b']) submit(key);
    dispatcher.cancel('f1');
    for (const id of ['w1', 'w2']) for (const key of ['f0/a', 'f1/a', 'f1/b']) dispatcher.done(key, id);
    expect(submit('f2/a')).toEqual(['w2<f2/a#1']);
    dispatcher.failed('f2/a', 'w2', 'no');
    dispatcher.cancel('f2');
    dispatcher.done('f2/a', 'w1');
    expect(dispatcher.workers().map(({ id, troubles, active }) => [id, troubles, active])).toEqual([
      ['w1', 0, 0],
      ['w2', 2, 0],
    ]);
    expect(submit('f3/a')).toEqual(['w1<f3/a#1']);
  });
});

describe('static binding', () => {
  test('a task waits for its device, though another stands idle', () => {
    const { dispatcher, submit } = two(['w1']);
    expect(['f0/a', 'f0/b', 'f0/c'].flatMap(submit)).toEqual(['w1<f0/a#1', 'w1<f0/b#1']);
    expect(words(dispatcher.done('f0/a', 'w1').actions)).toEqual(['w1<f0/c#1']);
  });

  test('is the same plan with the preferred device alone; a task without devices is nobody’s', () => {
    const bound = (devices: readonly string[] | undefined, binding?: 'late' | 'static') =>
      placementOf('p', task(devices), binding).devices;
    expect(bound(['w1', 'w2'])).toEqual(['w1', 'w2']);
    expect(bound(['w1', 'w2'], 'late')).toEqual(['w1', 'w2']);
    expect(bound(['w1', 'w2'], 'static')).toEqual(['w1']);
    expect(bound(undefined, 'static')).toBeUndefined();
  });
});
