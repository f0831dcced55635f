/** The rules of docs/protocol.md that a worker can be seen to keep, in the order they are examined. */

import { extents } from '../../services/core/tensor/region.ts';
import { DEFAULT_MAX_MESSAGE_BYTES } from '../../services/core/wire/limits.ts';
import type { Message } from '../../services/core/wire/message.ts';
import {
  answered,
  belongsTo,
  checkNumbers,
  checkStamps,
  dataFor,
  errorFor,
  fixtureOf,
  need,
  ready,
  stillServes,
} from './answers.ts';
import { CODING_RULES } from './coding-rules.ts';
import { regionOf, WORKER } from './examiner.ts';
import { LARGE, SMALL } from './fixture.ts';
import { falselyPacked, hostilePayloads, overlongNames, withUnknownField } from './hostile.ts';
import { type Rule, Untold } from './rule.ts';

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
    id: 'T9',
    title: 'takes a deflated tensor where the plan says that it may come so',
    check: async (examiner, findings) => {
      const fixture = fixtureOf(findings);
      if (!examiner.codecs.has('deflate')) return 'its status does not list deflate';
      const seen: string[] = [];
      for (const task of [SMALL, LARGE]) {
        const message = examiner.codedTask(fixture, task, 'deflate');
        need(message.meta.codecs?.x === 'deflate', 'the tensor of the examination did not become smaller');
        seen.push(await answered(examiner, fixture, message));
      }
      return seen.join(', ');
    },
  },
  ...CODING_RULES,
  {
    id: 'E1',
    title: 'survives what is no message',
    check: async (examiner, findings) => {
      const fixture = fixtureOf(findings);
      const message = examiner.task(fixture, SMALL);
      const hostile = [
        ...hostilePayloads(examiner.payloads(message)[0] as Buffer),
        ...overlongNames(examiner.task(fixture, SMALL)),
      ];
      const faults = () => [...examiner.splitter.faults, ...examiner.merger.faults];
      const before = faults().length;
      await examiner.send(hostile);
      await stillServes(examiner, findings);
      const [fault] = faults().slice(before);
      need(fault === undefined, `an answer repeats what must be refused: ${fault}`);
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
    id: 'E6',
    title: 'does not run a deflated tensor that unpacks to something else than the message says',
    check: async (examiner, findings) => {
      const message = examiner.codedTask(fixtureOf(findings), SMALL, 'deflate');
      const payloads = falselyPacked(message);
      await examiner.send(payloads);
      await stillServes(examiner, findings);
      const answers = examiner.merger.items.filter(({ meta }) => belongsTo(meta, message.meta));
      need(answers.length === 0, `${answers.length} of ${payloads.length} were answered with data`);
      return `${payloads.length} false claims`;
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
    title: 'publishes nowhere but on its status, its profile and the inboxes it is told',
    check: async (examiner, findings) => {
      fixtureOf(findings);
      const { topics } = examiner.channels;
      const allowed = new Set([
        topics.build('status', { role: 'worker', id: WORKER }),
        topics.build('profile', { id: WORKER }),
        examiner.inbox,
        examiner.inboxOf('splitter'),
        examiner.inboxOf('merger'),
        examiner.neighbourInbox,
        topics.build('plan', { pipeline: 'conform' }),
      ]);
      const strange = [...examiner.topicsSeen].filter((topic) => !allowed.has(topic));
      need(strange.length === 0, `published on ${strange.join(', ')}`);
      const { splitter, merger, neighbour } = examiner;
      const [fault] = [splitter, merger, neighbour].flatMap(({ faults }) => faults);
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
      const { wrapper } = examiner;
      if (code !== 0 && wrapper !== undefined)
        throw new Untold(
          `drained; ${wrapper} keeps its exit code to itself: start the worker without ${wrapper} to have it judged`,
        );
      need(code === 0, `it ended with code ${code}`);
      return 'drained';
    },
  },
];
