import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { AnnouncedPlan } from '../../services/core/control/plan-watch.ts';
import { PlanIndex, planDigest } from '../../services/core/flow/plan-index.ts';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import { createLog } from '../../services/core/runtime/log.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import type { Executor } from '../../services/worker/executor/executor.ts';
import { PlanSessions } from '../../services/worker/plan-sessions.ts';
import { twoTiles } from './plans.ts';

let folder: string;
let shelf: BlobCache;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tilepipe-sessions-'));
  shelf = new BlobCache({ folder });
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Loads when it is told, and knows what is loaded. */
class Loader implements Executor {
  readonly loaded = new Set<number>();
  readonly #asked: { path: string; go: () => void }[] = [];
  readonly #watchers: (() => void)[] = [];
  #handles = 0;

  load(path: string): Promise<number> {
    return new Promise((resolve) => {
      const go = (): void => {
        this.loaded.add(++this.#handles);
        resolve(this.#handles);
      };
      this.#asked.push({ path, go });
      for (const tell of this.#watchers.splice(0)) tell();
    });
  }

  /** Lets the next load, come or to come, be done. */
  async finishLoad(): Promise<void> {
    await this.asked();
    this.#asked.shift()?.go();
    await turn();
  }

  /** Resolves when a load waits. */
  async asked(): Promise<void> {
    while (this.#asked.length === 0) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  async unload(session: number): Promise<void> {
    this.loaded.delete(session);
  }

  start = async (): Promise<void> => undefined;
  stop = async (): Promise<void> => undefined;
  run = () => Promise.reject(new Error('nothing is run here'));
  describe = (): string => 'loader';
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setUp() {
  const executor = new Loader();
  const sessions = new PlanSessions({
    executor,
    blobs: shelf,
    log: createLog('test', { level: 'silent' }),
    changed: () => undefined,
    now: () => 0,
    mayRun: () => true,
    storeOf: () => 'http://127.0.0.1:9',
  });
  return { executor, sessions };
}

function announced(plan: Plan): AnnouncedPlan {
  const digest = planDigest(plan);
  const frames = { maxInFlight: 1, maxWaiting: 1, deadlineMs: 1000, attempts: 1 };
  const announcement = { digest, plan, store: 'http://127.0.0.1:9', controller: 'c', settings: {}, frames };
  return { pipeline: plan.pipeline, digest, announcement, index: new PlanIndex(plan) };
}

const modelOf = ({ announcement }: AnnouncedPlan): string => announcement.plan.models[0]?.digest as string;

it('keeps the session of a plan that was withdrawn and announced again while it was loaded', async () => {
  const { executor, sessions } = setUp();
  const plan = announced(await twoTiles(shelf));
  sessions.announce(plan);
  await executor.asked();
  expect(sessions.withdraw('p')).toEqual([plan.digest]);
  expect(sessions.loading).toBe(false);
  sessions.announce(plan);
  expect(sessions.loading).toBe(true);
  await executor.finishLoad();
  expect(sessions.loading).toBe(false);
  expect(sessions.states()[plan.digest]).toEqual({ state: 'ready', models: [modelOf(plan)] });
  const session = sessions.find(plan.digest, modelOf(plan))?.session as number;
  expect([...executor.loaded]).toEqual([session]);
  expect(sessions.withdraw('p')).toEqual([plan.digest]);
  await turn();
  expect([...executor.loaded]).toEqual([]);
});

it('unloads what was loaded for a plan that is gone by then', async () => {
  const { executor, sessions } = setUp();
  sessions.announce(announced(await twoTiles(shelf)));
  await executor.asked();
  sessions.withdraw('p');
  await executor.finishLoad();
  expect(sessions.states()).toEqual({});
  expect([...executor.loaded]).toEqual([]);
  expect(sessions.withdraw('p')).toEqual([]);
});

it('keeps what another plan uses too', async () => {
  const { executor, sessions } = setUp();
  const [first, second] = [announced(await twoTiles(shelf)), announced(await twoTiles(shelf, 'Neg', 'q'))];
  sessions.announce(first);
  await executor.finishLoad();
  sessions.announce(second);
  await turn();
  sessions.withdraw('p');
  await turn();
  const session = sessions.find(second.digest, modelOf(second))?.session as number;
  expect([...executor.loaded]).toEqual([session]);
  expect(sessions.created).toBe(1);
});

it('says nothing more of a plan whose loading ends after it was stopped', async () => {
  const { executor, sessions } = setUp();
  sessions.announce(announced(await twoTiles(shelf)));
  await executor.asked();
  sessions.stop();
  await executor.finishLoad();
  expect(sessions.states()).toEqual({});
  expect([...executor.loaded]).toEqual([]);
});

it('loads a fallback after its plan, and keeps both until the next plan is ready', async () => {
  const { executor, sessions } = setUp();
  const [plan, fallback, next] = [
    announced(await twoTiles(shelf)),
    announced(await twoTiles(shelf, 'Abs')),
    announced({ ...(await twoTiles(shelf)), replicas: 1 }),
  ];
  const state = ({ digest }: AnnouncedPlan) => sessions.states()[digest]?.state;
  sessions.announce({ ...plan, fallback });
  expect([state(plan), state(fallback)]).toEqual(['loading', 'loading']);
  await executor.finishLoad();
  expect([state(plan), state(fallback)]).toEqual(['ready', 'loading']);
  await executor.finishLoad();
  expect([state(plan), state(fallback)]).toEqual(['ready', 'ready']);
  // In force itself now, without a second load of anything.
  sessions.announce(fallback);
  sessions.announce({ ...next, fallback });
  await turn();
  expect([state(next), state(fallback), executor.loaded.size]).toEqual(['ready', 'ready', 2]);
  expect(sessions.withdraw('p')).toHaveLength(3);
  await turn();
  expect(executor.loaded.size).toBe(0);
});
