/**
 * One step of all links: how soon it is known, that it is decided on once, and what it costs the frames meanwhile.
 * Everything by a clock of its own.
 */

import { expect, test } from 'vitest';
import { DeviceLinks } from '../../services/controller/replan/device-links.ts';
import { LinkGlances } from '../../services/controller/replan/link-glances.ts';
import type { Incoming } from '../../services/core/bus/bus.ts';
import { Topics } from '../../services/core/bus/topics.ts';
import type { AnnouncedPlan } from '../../services/core/control/plan-watch.ts';
import type { Fleet } from '../../services/core/planning/cost/fleet.ts';
import type { Draft } from '../../services/core/planning/draft.ts';
import { Replanner } from '../../services/core/planning/replan/replanner.ts';
import { createLog } from '../../services/core/runtime/log.ts';
import type { Frame } from '../../services/splitter/frame-queue.ts';
import { type Started, Stream } from '../../services/splitter/stream.ts';
import { oracleMs } from '../../tools/bench/wire/swing-levels.ts';
import { toyDevice, toyDraft } from '../core/planning/replan/world.ts';

const log = createLog('test', { level: 'silent' });
const DEVICES = ['d1', 'd2', 'd3', 'd4'];
const HUB = 'h';
const BYTES_PER_MBIT_MS = 125;
const STEP_MS = 5;
const LOOK_MS = 500;
const TICK_MS = 50;
/** Of a look, beside its bytes: processors under a quota. */
const PAUSE_MS = 12;
const PLAN_MS = 1_000;

/** Milliseconds of computing, and bytes that each device moves: more of the one is less of the other. */
const KINDS = new Map([
  ['all', { draft: toyDraft(DEVICES.map((id) => [id, 14])), computeMs: 450, bytes: 600_000 }],
  [
    'few',
    {
      draft: toyDraft(DEVICES.map((id, i) => [id, [20, 12, 12, 12][i] as number])),
      computeMs: 700,
      bytes: 100_000,
    },
  ],
  ['one', { draft: toyDraft([[HUB, 56]]), computeMs: 1_400, bytes: 0 }],
]);
type Kind = typeof KINDS extends Map<string, infer K> ? K : never;
const kindOf = (draft: Draft): [string, Kind] => {
  const rows = (of: Draft) => JSON.stringify(of.blocks[0]?.parts.map(({ work }) => work));
  return [...KINDS].find(([, kind]) => rows(kind.draft) === rows(draft)) as [string, Kind];
};

const fleet: Fleet = {
  hub: { messageMs: 0, byteMs: 0, medium: 'hub' },
  media: new Map(
    [...DEVICES, 'hub'].map((name) => [
      name,
      { latencyMs: 0, bytesPerMs: 200 * BYTES_PER_MBIT_MS, duplex: 'full' as const },
    ]),
  ) as unknown as Fleet['media'],
  devices: [...DEVICES.map((id) => toyDevice(id, 1, { medium: id })), toyDevice(HUB)],
};

function predict(draft: Draft, { media }: Fleet) {
  const [, { computeMs, bytes }] = kindOf(draft);
  const linked = DEVICES.map((id) => media.get(id)?.bytesPerMs ?? 1);
  const latencyMs = computeMs + (bytes === 0 ? 0 : bytes / Math.min(...linked));
  return { latencyMs, framesPerSecond: 1000 / latencyMs };
}

function plan(now: Fleet): Draft {
  const found = [...KINDS.values()].sort(
    (a, b) => predict(a.draft, now).latencyMs - predict(b.draft, now).latencyMs,
  );
  return (found[0] as Kind).draft;
}

/** What crosses one link, in order. */
interface Sent {
  bytes: number;
  readonly done: () => void;
}

/** All but the one device have that for a fallback. */
const ONE = { digest: 'one' } as AnnouncedPlan;
const announcedOf = (draft: Draft): AnnouncedPlan => {
  const [digest, { bytes }] = kindOf(draft);
  return bytes === 0 ? ONE : ({ digest, fallback: ONE } as AnnouncedPlan);
};

/** What a frame takes with the plan that is best for a level. */
function bestMs(mbit: number): number {
  const carried = mbit * BYTES_PER_MBIT_MS;
  return Math.min(...[...KINDS.values()].map(({ computeMs, bytes }) => computeMs + bytes / carried));
}

/**
 * Goes through levels in Mbit/s, each for so many seconds; the changes of plan, in seconds since the start, and the share of
 * the time that an oracle would have saved.
 */
async function swing(levels: readonly (readonly [mbit: number, seconds: number])[]) {
  let [now, mbit] = [0, 0];
  const queues = new Map(DEVICES.map((id) => [id, [] as Sent[]]));
  const timers: { at: number; run: () => void }[] = [];
  const later = (ms: number, run: () => void) => timers.push({ at: now + ms, run });
  let handler: (message: Incoming) => void = () => {};
  const topics = new Topics();
  const control = {
    subscribe: async (_: string, handle: (message: Incoming) => void) => {
      handler = handle;
      return async () => {};
    },
    publish: async (topic: string, payload: Buffer) => {
      const id = topics.parse('glance', topic)?.id as string;
      const { bytes } = JSON.parse(payload.toString());
      let first = 0;
      const queue = queues.get(id) as Sent[];
      queue.push(
        {
          bytes: 1,
          done: () => {
            first = now;
          },
        },
        {
          bytes: 2 * bytes,
          done: () =>
            later(PAUSE_MS, () => {
              const answer = { format: 1, bytes, ms: now - first };
              handler({ topic, payload: Buffer.from(JSON.stringify(answer)) } as Incoming);
            }),
        },
      );
    },
  };
  const glances = new LinkGlances({ control, topics, log, now: () => now });
  await glances.start();
  const replanner = new Replanner({
    fleet,
    now: () => now,
    running: (KINDS.get('all') as Kind).draft,
    objective: 'latency',
    plan,
    predict,
  });
  replanner.online([...DEVICES, HUB]);
  const changes: [seconds: number, to: string][] = [];
  let changing = false;
  const look = (): void => {
    if (changing) return;
    const decision = replanner.decide(links.settled);
    if (decision === undefined) return;
    changing = true;
    later(PLAN_MS, () => {
      changing = false;
      if (!replanner.isCurrent(decision)) return;
      replanner.changed(decision);
      changes.push([Math.round(now / 100) / 10, kindOf(decision.draft)[0]]);
    });
  };
  const links = new DeviceLinks({
    glances,
    replanner,
    fleet: () => fleet,
    online: () => [...DEVICES, HUB],
    seen: look,
    now: () => now,
  });
  links.start();
  const frames: { roundTripMs: number; endedAt: number }[] = [];
  const next = (): void => {
    const frame = { id: `${frames.length}`, sequence: 0, reading: '', deadlineAt: 1e9, arrivedAt: now };
    stream.push(frame as unknown as Frame);
  };
  const run = (started: Started): void => {
    const { frame, plan } = started;
    const { computeMs, bytes } = KINDS.get(plan.digest) as Kind;
    const began = now;
    const waiting = new Set(bytes === 0 ? [] : DEVICES);
    const isCurrent = () => stream.started(frame.id) === started;
    const ended = (): void => {
      if (waiting.size > 0 || !isCurrent()) return;
      later(computeMs, () => {
        if (!isCurrent()) return;
        frames.push({ roundTripMs: now - frame.arrivedAt, endedAt: now });
        stream.close(frame.id);
        replanner.finished(1);
        look();
        next();
      });
    };
    // What was sent for an attempt that was given up is in the way of what follows.
    for (const id of [...waiting])
      (queues.get(id) as Sent[]).push({
        bytes,
        done: () => {
          const reading = { device: id, task: plan.digest, computeMs: 1, profiledMs: 1, restMs: now - began };
          links.told(id);
          replanner.read([reading]);
          waiting.delete(id);
          ended();
        },
      });
    // Begun when the stream knows of it.
    later(0, ended);
  };
  const stream = new Stream({
    limits: () => ({ maxInFlight: 1, maxWaiting: 1, attempts: 3 }),
    now: () => now,
    choose: (_, after) => ({ plan: after?.fallback ?? announcedOf(replanner.running), merger: 'm' }),
    overtaken: (_, { digest }) => digest !== announcedOf(replanner.running).digest,
    obstacle: () => '',
    begin: run,
    over: () => {},
    fail: (_, code) => {
      throw new Error(code);
    },
  });
  next();
  const steps: { from: number; mbit: number }[] = [];
  for (const [level, seconds] of levels) {
    mbit = level;
    steps.push({ from: now, mbit });
    for (const end = now + 1000 * seconds; now < end; ) {
      now += STEP_MS;
      for (const queue of queues.values()) {
        let left = mbit * BYTES_PER_MBIT_MS * STEP_MS;
        while (left > 0 && queue[0] !== undefined) {
          const [head] = queue;
          const moved = Math.min(left, head.bytes);
          head.bytes -= moved;
          left -= moved;
          if (head.bytes > 0) break;
          queue.shift();
          head.done();
        }
      }
      const due = timers.filter(({ at }) => at <= now);
      for (const each of due) {
        timers.splice(timers.indexOf(each), 1);
        each.run();
      }
      if (now % TICK_MS === 0) stream.tick();
      if (now % LOOK_MS !== 0) continue;
      links.flowing();
      links.look();
      look();
    }
  }
  const spentMs = frames.reduce((sum, { roundTripMs }) => sum + roundTripMs, 0);
  return { changes, lost: spentMs / oracleMs(frames, steps, bestMs) - 1 };
}

test('a step of all links is decided on once, a few seconds after it', async () => {
  const levels = [200, 0.5, 200, 5, 0.5, 5, 200].map((level) => [level, 30] as const);
  const { changes } = await swing(levels);
  expect(changes.map(([, to]) => to)).toEqual(['one', 'all', 'few', 'one', 'few', 'all']);
  for (const [i, [at]] of changes.entries()) expect(at - 30 * (i + 1)).toBeLessThan(8);
});

test('what a step costs: a drop no more than the wait of the frame under way and slower frames for some seconds', async () => {
  const levels = [200, 0.5, 200, 5, 0.5, 20, 200, 2, 50, 1].map((level) => [level, 50] as const);
  const { lost } = await swing(levels);
  expect(lost).toBeLessThan(0.045);
});
