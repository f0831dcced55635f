import { expect, it } from 'vitest';
import { type Queued, RunQueue } from '../../services/worker/run-queue.ts';

interface Entry extends Queued {
  readonly name: string;
}

/** A queue whose runs end when told, and whose clock stands where it is put. */
function setUp(slots = 2, parallel = 1) {
  const log: string[] = [];
  const ends: (() => void)[] = [];
  const clock = { now: 0 };
  const queue = new RunQueue<Entry>({
    slots,
    parallel,
    now: () => clock.now,
    expired: ({ name }) => log.push(`expired ${name}`),
    failed: ({ name }, error) => log.push(`failed ${name}: ${(error as Error).message}`),
    run: ({ name }) => {
      log.push(`run ${name}`);
      return new Promise((resolve, reject) =>
        ends.push(name.startsWith('bad') ? () => reject(new Error('no')) : resolve),
      );
    },
  });
  const entry = (name: string, more: Partial<Entry> = {}): Entry => ({
    name,
    key: name,
    from: 'a',
    deadlineAt: 1000,
    ...more,
  });
  const end = async (): Promise<void> => {
    ends.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { log, clock, queue, entry, end };
}

it('runs one after the other, in order of arrival', async () => {
  const { log, queue, entry, end } = setUp();
  expect(queue.busy).toBe(false);
  for (const name of ['1', '2', '3']) expect(queue.push(entry(name))).toBe('queued');
  expect(log).toEqual(['run 1']);
  expect(queue.length).toBe(2);
  await end();
  await end();
  expect(log).toEqual(['run 1', 'run 2', 'run 3']);
  // The last one runs.
  expect([queue.busy, queue.length]).toEqual([true, 0]);
  await end();
  expect(queue.busy).toBe(false);
});

it('drops what waited past its deadline, and does not let it hold up the next', async () => {
  const { log, clock, queue, entry, end } = setUp();
  queue.push(entry('1'));
  queue.push(entry('2', { deadlineAt: 50 }));
  queue.push(entry('3'));
  clock.now = 50;
  await end();
  expect(log).toEqual(['run 1', 'expired 2', 'run 3']);
});

it('takes the later of two requests for the same work, in the place of the first', async () => {
  const { log, queue, entry, end } = setUp();
  queue.push(entry('1'));
  queue.push(entry('first', { key: 'same' }));
  queue.push(entry('2'));
  expect(queue.push(entry('second', { key: 'same' }))).toBe('replaced');
  await end();
  await end();
  expect(log).toEqual(['run 1', 'run second', 'run 2']);
});

it('is bounded by slots for each dispatcher, and a margin', () => {
  const { queue, entry } = setUp(2);
  queue.push(entry('running'));
  const outcomes = Array.from({ length: 11 }, (_, i) => queue.push(entry(`a${i}`)));
  expect(outcomes.indexOf('full')).toBe(10);
  expect(queue.push(entry('b0', { from: 'b' }))).toBe('queued');
  expect(queue.push(entry('b1', { from: 'b' }))).toBe('queued');
  expect(queue.push(entry('b2', { from: 'b' }))).toBe('full');
});

it('tells when it is idle, at once or later', async () => {
  const { queue, entry, end } = setUp(2, 2);
  await queue.idle();
  for (const name of ['1', '2', '3']) queue.push(entry(name));
  let idle = false;
  const waited = queue.idle().then(() => {
    idle = true;
  });
  await end();
  await end();
  expect(idle).toBe(false);
  await end();
  await waited;
  queue.push(entry('4'));
  queue.push(entry('5'));
  queue.push(entry('6'));
  queue.clear();
  await end();
  await end();
  await queue.idle();
});

it('does not do again what it is doing, unless somebody else asks', async () => {
  const { log, queue, entry, end } = setUp(2, 2);
  queue.push(entry('1'));
  expect(queue.push(entry('again', { key: '1' }))).toBe('replaced');
  expect(queue.push(entry('other', { key: '1', from: 'b' }))).toBe('queued');
  expect(queue.push(entry('2'))).toBe('queued');
  expect(log).toEqual(['run 1', 'run 2']);
  await end();
  expect(log).toEqual(['run 1', 'run 2', 'run other']);
  await end();
  await end();
  // Its answer may have been lost.
  expect(queue.push(entry('once more', { key: '1' }))).toBe('queued');
  expect(log.at(-1)).toBe('run once more');
});

it('tells of a run that fails, and goes on with the next', async () => {
  const { log, queue, entry, end } = setUp();
  queue.push(entry('bad'));
  queue.push(entry('2'));
  await end();
  expect(log).toEqual(['run bad', 'failed bad: no', 'run 2']);
  await end();
  await queue.idle();
});

it('bounds what was gathered here by itself, beside what dispatchers sent', () => {
  const { queue, entry } = setUp();
  const push = (name: string, more: Partial<Entry> = {}) => queue.push(entry(name, more));
  const gathered = Array.from({ length: 66 }, (_, at) => push(`g${at}`, { gathered: true }));
  // One runs.
  expect(gathered.indexOf('full')).toBe(65);
  expect(push('1')).toBe('queued');
});
