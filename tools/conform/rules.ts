/** The rules of docs/protocol.md that a worker can be seen to keep, in the order they are examined. */

import { extents, sameRegion } from '../../services/core/tensor/region.ts';
import type { LaidMessage } from '../../services/core/wire/encode.ts';
import { DEFAULT_MAX_MESSAGE_BYTES } from '../../services/core/wire/limits.ts';
import type { Message, MessageMeta } from '../../services/core/wire/message.ts';
import { type Examiner, regionOf, WORKER } from './examiner.ts';
import { expected, type Fixture, LARGE, SMALL } from './fixture.ts';
import { hostilePayloads, withUnknownField } from './hostile.ts';

/** What earlier rules found out for later ones. */
export interface Findings {
  fixture?: Fixture;
  next?: Fixture;
}

export interface Rule {
  readonly id: string;
  readonly title: string;
  /** Returns what was seen; throws what is wrong. */
  readonly check: (examiner: Examiner, findings: Findings) => Promise<string>;
}

const TOLERANCE = 1e-4;

function need(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

function fixtureOf({ fixture }: Findings): Fixture {
  need(fixture !== undefined, 'no plan was loaded');
  return fixture;
}

function belongsTo(meta: MessageMeta, sent: MessageMeta): boolean {
  return meta.frame === sent.frame && meta.task === sent.task && meta.plan === sent.plan;
}

/** The worker's data for a task that was sent; an error in its place is told. */
async function dataFor(examiner: Examiner, sent: MessageMeta): Promise<Message> {
  const wanted = ({ meta }: Message) => meta.kind === 'data' && belongsTo(meta, sent);
  try {
    return await examiner.merger.first(`data of task ${sent.task}`, wanted, examiner.answerMs);
  } catch (nothing) {
    const error = [...examiner.splitter.items, ...examiner.merger.items].find(
      ({ meta }) => meta.kind === 'error' && belongsTo(meta, sent),
    );
    if (error === undefined) throw nothing;
    throw new Error(
      `task ${sent.task} was answered with an error: ${error.meta.code}: ${error.meta.message}`,
    );
  }
}

function errorFor(examiner: Examiner, sent: MessageMeta): Promise<Message> {
  const wanted = ({ meta }: Message) => meta.kind === 'error' && belongsTo(meta, sent);
  return examiner.splitter.first(`error for task ${sent.task}`, wanted, examiner.answerMs);
}

function checkStamps({ receivedMs, startedMs, endedMs, sender }: MessageMeta): void {
  need(sender === WORKER, `sender is "${sender}", not ${WORKER}`);
  const stamped = receivedMs !== undefined && startedMs !== undefined && endedMs !== undefined;
  need(stamped, 'receivedMs, startedMs and endedMs must be there');
  need(
    receivedMs <= endedMs && startedMs <= endedMs,
    `stamps run backwards: ${receivedMs}, ${startedMs}, ${endedMs}`,
  );
}

function checkNumbers(examiner: Examiner, fixture: Fixture, { meta, tensors }: Message): string {
  const region = regionOf(fixture, meta.task ?? '', 'outputs');
  const [tensor] = tensors;
  need(
    tensor !== undefined && tensors.length === 1 && tensor.name === 'y',
    'the data must be the one tensor "y"',
  );
  need(tensor.dtype === 'float32', `"y" is ${tensor.dtype}, not float32`);
  need(
    tensor.shape.join() === extents(region).join(),
    `"y" is ${tensor.shape.join('x')}, not ${extents(region).join('x')}`,
  );
  const told = meta.regions?.y;
  need(
    told !== undefined && sameRegion(told, region),
    `regions.y is ${JSON.stringify(told)}, not ${JSON.stringify(region)}`,
  );
  const right = expected(examiner.frame, fixture.weights, region);
  const got = new Float32Array(Uint8Array.from(tensor.bytes).buffer);
  let worst = 0;
  for (let i = 0; i < right.length; i++) {
    const difference = Math.abs((got[i] as number) - (right[i] as number));
    // A NaN is larger than anything.
    if (!(difference <= worst)) worst = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
  need(worst <= TOLERANCE, `the numbers are off by ${worst}`);
  return `largest difference ${worst.toExponential(1)}`;
}

/** Sends payloads of a task and checks the answer; how it is sent is what is examined. */
async function answered(
  examiner: Examiner,
  fixture: Fixture,
  message: LaidMessage,
  payloads: readonly Buffer[] = examiner.payloads(message),
): Promise<string> {
  await examiner.send(payloads);
  return checkNumbers(examiner, fixture, await dataFor(examiner, message.meta));
}

/** A worker that answers an ordinary task is alive and has its wits. */
function stillServes(examiner: Examiner, findings: Findings): Promise<string> {
  const fixture = fixtureOf(findings);
  return answered(examiner, fixture, examiner.task(fixture, SMALL));
}

async function ready(examiner: Examiner, fixture: Fixture, after = 0): Promise<string> {
  const { digest } = fixture.announcement;
  const status = await examiner.status(
    'ready or failed for the plan',
    ({ plans }) => plans?.[digest]?.state === 'ready' || plans?.[digest]?.state === 'failed',
    after,
  );
  const plan = status.plans?.[digest];
  need(plan?.state === 'ready', `the plan failed: ${plan?.error}`);
  need(plan.models?.includes(fixture.model) === true, 'models does not list the sub-model');
  return `${plan.models?.length} sub-model`;
}

export const RULES: readonly Rule[] = [
  {
    id: 'W1',
    title: 'says it is online, with its inbox, wire versions and slots',
    check: async (examiner) => {
      examiner.launch();
      const online = examiner.status('an online status', ({ state }) => state === 'online');
      const status = await online.catch((error: unknown) => {
        const [bad] = examiner.badStatuses;
        throw bad === undefined ? error : new Error(`a status does not fit status.schema.json: ${bad}`);
      });
      need(status.role === 'worker' && status.id === WORKER, `role "${status.role}", id "${status.id}"`);
      need(status.inbox === examiner.inbox, `inbox is "${status.inbox}", not ${examiner.inbox}`);
      need(status.wire.includes(1), 'wire does not list version 1');
      need((status.slots ?? 0) >= 1, 'slots must be at least 1');
      return `version ${status.version}, ${status.slots} slots`;
    },
  },
  {
    id: 'W2',
    title: 'downloads the sub-model of a plan and says ready',
    check: async (examiner, findings) => {
      const fixture = await examiner.announce(0);
      const seen = await ready(examiner, fixture);
      findings.fixture = fixture;
      need(examiner.store.counters().requests >= 2, 'the model store was not asked for model and weights');
      return seen;
    },
  },
  {
    id: 'T1',
    title: 'answers a task: data to the merger, done with stamps to the dispatcher',
    check: async (examiner, findings) => {
      const fixture = fixtureOf(findings);
      const message = examiner.task(fixture, SMALL);
      const seen = await answered(examiner, fixture, message);
      const wanted = ({ meta }: Message) => meta.kind === 'done' && belongsTo(meta, message.meta);
      checkStamps((await examiner.splitter.first('done', wanted, examiner.answerMs)).meta);
      return seen;
    },
  },
  {
    id: 'T2',
    title: 'where dispatcher and merger are one, the data carries the stamps and the reply address',
    check: async (examiner, findings) => {
      const fixture = fixtureOf(findings);
      const message = examiner.task(fixture, SMALL, { reply: examiner.inboxOf('merger') });
      await examiner.send(examiner.payloads(message));
      const { meta } = await dataFor(examiner, message.meta);
      need(meta.reply === examiner.inboxOf('merger'), `reply is "${meta.reply}"`);
      checkStamps(meta);
      return `${((meta.endedMs ?? 0) - (meta.startedMs ?? 0)).toFixed(1)} ms of work`;
    },
  },
  {
    id: 'T3',
    title: 'takes and sends large tensors in parts no larger than 900,000 bytes',
    check: async (examiner, findings) => {
      const fixture = fixtureOf(findings);
      const before = examiner.merger.payloads.length;
      const seen = await answered(examiner, fixture, examiner.task(fixture, LARGE));
      const sizes = examiner.merger.payloads.slice(before).map(({ payload }) => payload.length);
      need(Math.max(...sizes) <= DEFAULT_MAX_MESSAGE_BYTES, `a part has ${Math.max(...sizes)} bytes`);
      return `${sizes.length} parts, ${seen}`;
    },
  },
  {
    id: 'T4',
    title: 'takes parts in any order',
    check: async (examiner, findings) => {
      const fixture = fixtureOf(findings);
      const message = examiner.task(fixture, LARGE);
      return answered(examiner, fixture, message, examiner.payloads(message).reverse());
    },
  },
  {
    id: 'T5',
    title: 'ignores parts that come twice: one message, one answer',
    check: async (examiner, findings) => {
      const fixture = fixtureOf(findings);
      const message = examiner.task(fixture, LARGE);
      const payloads = examiner.payloads(message);
      const seen = await answered(examiner, fixture, message, [...payloads, ...payloads]);
      await stillServes(examiner, findings);
      const answers = examiner.merger.items.filter(({ meta }) => belongsTo(meta, message.meta));
      need(answers.length === 1, `${answers.length} answers came`);
      return seen;
    },
  },
  {
    id: 'T6',
    title: 'keeps the parts of two messages apart',
    check: async (examiner, findings) => {
      const fixture = fixtureOf(findings);
      const messages = [examiner.task(fixture, LARGE), examiner.task(fixture, LARGE)] as const;
      const [a, b] = messages.map((message) => examiner.payloads(message)) as [Buffer[], Buffer[]];
      await examiner.send(a.flatMap((payload, i) => [payload, b[i] as Buffer]));
      for (const { meta } of messages) checkNumbers(examiner, fixture, await dataFor(examiner, meta));
      return `${a.length + b.length} parts interleaved`;
    },
  },
  {
    id: 'T7',
    title: 'takes as many tasks at once as it has slots',
    check: async (examiner, findings) => {
      const fixture = fixtureOf(findings);
      const slots = examiner.statuses.items.at(-1)?.slots ?? 1;
      const messages = Array.from({ length: slots }, (_, i) =>
        examiner.task(fixture, i % 2 === 0 ? SMALL : LARGE),
      );
      await examiner.send(messages.flatMap((message) => examiner.payloads(message)));
      for (const { meta } of messages) checkNumbers(examiner, fixture, await dataFor(examiner, meta));
      return `${slots} in flight`;
    },
  },
  {
    id: 'T8',
    title: 'ignores metadata it does not know',
    check: async (examiner, findings) => {
      const fixture = fixtureOf(findings);
      const message = examiner.task(fixture, SMALL);
      return answered(examiner, fixture, message, [withUnknownField(message)]);
    },
  },
  {
    id: 'E1',
    title: 'survives what is no message',
    check: async (examiner, findings) => {
      const fixture = fixtureOf(findings);
      const hostile = hostilePayloads(examiner.payloads(examiner.task(fixture, SMALL))[0] as Buffer);
      await examiner.send(hostile);
      await stillServes(examiner, findings);
      return `${hostile.length} malformed payloads`;
    },
  },
  {
    id: 'E2',
    title: 'answers a tensor of the wrong shape with an error',
    check: async (examiner, findings) => {
      const message = examiner.wrongTask(fixtureOf(findings), SMALL, 'float32', [1, 2, 5, 5]);
      await examiner.send(examiner.payloads(message));
      const { meta } = await errorFor(examiner, message.meta);
      need(meta.code !== undefined && meta.message !== undefined, 'the error must have a code and a message');
      await stillServes(examiner, findings);
      return meta.code;
    },
  },
  {
    id: 'E3',
    title: 'answers a tensor of the wrong type with an error',
    check: async (examiner, findings) => {
      const fixture = fixtureOf(findings);
      const shape = extents(regionOf(fixture, SMALL, 'inputs'));
      const message = examiner.wrongTask(fixture, SMALL, 'uint8', shape);
      await examiner.send(examiner.payloads(message));
      const { meta } = await errorFor(examiner, message.meta);
      await stillServes(examiner, findings);
      return meta.code ?? 'no code';
    },
  },
  {
    id: 'E4',
    title: 'is not thrown by a plan or a task it does not know',
    check: async (examiner, findings) => {
      const fixture = fixtureOf(findings);
      for (const stranger of [{ plan: '0'.repeat(64) }, { task: 'no-such-task' }]) {
        await examiner.send(examiner.payloads(examiner.task(fixture, SMALL, stranger)));
      }
      await stillServes(examiner, findings);
      return 'serves on';
    },
  },
  {
    id: 'E5',
    title: 'is not held up by a task whose time is up',
    check: async (examiner, findings) => {
      const fixture = fixtureOf(findings);
      await examiner.send(examiner.payloads(examiner.task(fixture, LARGE, { deadlineMs: 0 })));
      await stillServes(examiner, findings);
      return 'serves on';
    },
  },
  {
    id: 'P1',
    title: 'loads a new plan and serves the old one meanwhile',
    check: async (examiner, findings) => {
      const fixture = fixtureOf(findings);
      const before = examiner.statuses.items.length;
      const next = await examiner.announce(1);
      findings.next = next;
      await answered(examiner, fixture, examiner.task(fixture, SMALL));
      await ready(examiner, next, before);
      await answered(examiner, fixture, examiner.task(fixture, SMALL));
      const seen = await answered(examiner, next, examiner.task(next, LARGE));
      return `the new plan's ${seen}`;
    },
  },
  {
    id: 'P2',
    title: 'publishes nowhere but on its status and the inboxes it is told',
    check: async (examiner, findings) => {
      fixtureOf(findings);
      const { topics } = examiner.channels;
      const allowed = new Set([
        topics.build('status', { role: 'worker', id: WORKER }),
        examiner.inbox,
        examiner.inboxOf('splitter'),
        examiner.inboxOf('merger'),
        topics.build('plan', { pipeline: 'conform' }),
      ]);
      const strange = [...examiner.topicsSeen].filter((topic) => !allowed.has(topic));
      need(strange.length === 0, `published on ${strange.join(', ')}`);
      const [fault] = [...examiner.splitter.faults, ...examiner.merger.faults];
      need(fault === undefined, `sent what is no message: ${fault}`);
      return 'every message well-formed';
    },
  },
  {
    id: 'L1',
    title: 'has a Last Will: killed, it is offline',
    check: async (examiner) => {
      need(examiner.running, 'the worker is not running any more');
      const before = examiner.statuses.items.length;
      await examiner.end('SIGKILL');
      const status = await examiner.statuses.first(
        'the Will',
        ({ state }) => state === 'offline',
        examiner.answerMs,
        before,
      );
      return status.reason ?? 'offline';
    },
  },
  {
    id: 'L2',
    title: 'comes back, and finds the retained plan',
    check: async (examiner, findings) => {
      const before = examiner.statuses.items.length;
      const fixture = findings.next ?? fixtureOf(findings);
      examiner.launch();
      await ready(examiner, fixture, before);
      return answered(examiner, fixture, examiner.task(fixture, SMALL));
    },
  },
  {
    id: 'L3',
    title: 'on SIGTERM says draining, answers what it has, says offline and ends with code 0',
    check: async (examiner, findings) => {
      const fixture = findings.next ?? fixtureOf(findings);
      const before = examiner.statuses.items.length;
      const message = examiner.task(fixture, LARGE);
      await examiner.send(examiner.payloads(message));
      // The first of the two answers shows that the second task has arrived as well: the inbox is in order.
      const second = examiner.task(fixture, LARGE);
      await examiner.send(examiner.payloads(second));
      await dataFor(examiner, message.meta);
      const ended = examiner.end('SIGTERM');
      checkNumbers(examiner, fixture, await dataFor(examiner, second.meta));
      const code = await ended;
      need(code !== undefined, 'it did not end');
      await examiner.statuses.first('offline', ({ state }) => state === 'offline', examiner.answerMs, before);
      const said = examiner.statuses.items.slice(before).map(({ state }) => state);
      need(said.includes('draining'), `it never said draining, but ${said.join(', ')}`);
      need(code === 0, `it ended with code ${code}`);
      return 'drained';
    },
  },
];
