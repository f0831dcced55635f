/** What an examination needs at hand: a broker, a model store, the worker under examination, and both ends of its wire. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { EmbeddedBroker } from '../../services/broker/embedded-broker.ts';
import { LocalChannels } from '../../services/broker/local-bus.ts';
import { ModelStore } from '../../services/controller/store.ts';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import { parseStatus } from '../../services/core/runtime/status.ts';
import { within } from '../../services/core/runtime/within.ts';
import type { Status } from '../../services/core/schema/generated/status.ts';
import { copyRegion } from '../../services/core/tensor/copy.ts';
import { extents, type Region, whole } from '../../services/core/tensor/region.ts';
import { isDeflated, understoodBy } from '../../services/core/wire/codecs.ts';
import { layoutCoded } from '../../services/core/wire/coded-message.ts';
import { deflated } from '../../services/core/wire/deflate.ts';
import { type LaidMessage, layoutMessage, parts } from '../../services/core/wire/encode.ts';
import type { MessageMeta } from '../../services/core/wire/message.ts';
import { type Fixture, makeFixture, makeFrame, NEIGHBOUR, PIPELINE } from './fixture.ts';
import { Mailbox, WireMailbox } from './mailbox.ts';

export interface ConformOptions {
  /** How long loading a plan may take. */
  readonly readyMs?: number;
  /** How long an answer may take. */
  readonly answerMs?: number;
  /** Whether the worker's own output is shown. */
  readonly verbose?: boolean;
}

export const WORKER = 'conform-worker';
const READY_MS = 60_000;
const ANSWER_MS = 10_000;
const EXIT_MS = 15_000;
/** On a signal they end with a code of their own, perhaps before the worker does. */
const WRAPPERS: ReadonlySet<string> = new Set(['npx', 'npm', 'pnpm', 'yarn']);

/** A promise that can only fail, and may do so unheard. */
function failure(): { readonly promise: Promise<never>; readonly reject: (error: Error) => void } {
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<never>((_, no) => {
    reject = no;
  });
  promise.catch(() => undefined);
  return { promise, reject };
}

export class Examiner {
  readonly readyMs: number;
  readonly answerMs: number;
  readonly frame = makeFrame();
  readonly statuses = new Mailbox<Status>();
  /** Retained payloads on the worker's status topic that are no status. */
  readonly badStatuses: string[] = [];
  /** Every topic anything was published on, ours included. */
  readonly topicsSeen = new Set<string>();
  readonly #command: readonly string[];
  readonly #verbose: boolean;
  readonly #folder = mkdtempSync(join(tmpdir(), 'tilepipe-conform-'));
  readonly #broker = new EmbeddedBroker({ port: 0 });
  readonly #blobs = new BlobCache({ folder: this.#folder });
  readonly store = new ModelStore({ blobs: this.#blobs });
  #channels: LocalChannels | undefined;
  #child: ChildProcess | undefined;
  #splitter: WireMailbox | undefined;
  #merger: WireMailbox | undefined;
  #neighbour: WireMailbox | undefined;
  #gone = failure();
  #frames = 0;

  constructor(command: readonly string[], options: ConformOptions) {
    this.#command = command;
    this.#verbose = options.verbose ?? false;
    this.readyMs = options.readyMs ?? READY_MS;
    this.answerMs = options.answerMs ?? ANSWER_MS;
  }

  /** What came to the dispatcher (`reply`), and to the merger. */
  get splitter(): WireMailbox {
    return this.#splitter as WireMailbox;
  }

  get merger(): WireMailbox {
    return this.#merger as WireMailbox;
  }

  /** What came to the worker beside this one. */
  get neighbour(): WireMailbox {
    return this.#neighbour as WireMailbox;
  }

  get neighbourInbox(): string {
    return this.channels.topics.build('inbox', { role: 'worker', id: NEIGHBOUR });
  }

  /** Codecs the worker says it takes. */
  get codecs(): ReadonlySet<string> {
    return understoodBy(this.statuses.items.at(-1) ?? {});
  }

  get channels(): LocalChannels {
    return this.#channels as LocalChannels;
  }

  get inbox(): string {
    return this.channels.topics.build('inbox', { role: 'worker', id: WORKER });
  }

  inboxOf(role: 'splitter' | 'merger'): string {
    return this.channels.topics.build('inbox', { role, id: 'conform' });
  }

  async start(): Promise<void> {
    process.on('exit', this.#killNow);
    await this.#broker.start();
    await this.store.start();
    const channels = new LocalChannels({ broker: this.#broker });
    await channels.start();
    this.#channels = channels;
    this.#splitter = await WireMailbox.open(channels.data, this.inboxOf('splitter'));
    this.#merger = await WireMailbox.open(channels.data, this.inboxOf('merger'));
    this.#neighbour = await WireMailbox.open(channels.data, this.neighbourInbox);
    await channels.control.subscribe(
      channels.topics.build('status', { role: 'worker', id: WORKER }),
      ({ payload }) => {
        const status = parseStatus(payload);
        if (status === undefined) this.badStatuses.push(payload.toString('utf8', 0, 200));
        else this.statuses.add(status);
      },
    );
    await channels.control.subscribe(`${channels.topics.root}/#`, ({ topic }) => this.topicsSeen.add(topic));
  }

  async stop(): Promise<void> {
    process.off('exit', this.#killNow);
    await this.end('SIGKILL');
    await this.#channels?.stop();
    await this.store.stop();
    await this.#broker.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Starts the worker's command, in a process group of its own so that a wrapping script ends with it. */
  launch(): void {
    const [program, ...args] = this.#command;
    this.#gone = failure();
    const cache = join(this.#folder, 'cache');
    this.#child = spawn(program as string, args, {
      detached: true,
      stdio: ['ignore', this.#verbose ? 'inherit' : 'ignore', this.#verbose ? 'inherit' : 'ignore'],
      env: {
        ...process.env,
        TILEPIPE_BROKER: this.#broker.url,
        TILEPIPE_WORKER_ID: WORKER,
        TILEPIPE_CACHE: cache,
        TILEPIPE_LOG: process.env.TILEPIPE_LOG ?? 'warn',
      },
    });
    // A command that cannot be started says so here, and has no exit.
    this.#child.on('error', (error) => this.#gone.reject(error));
    this.#child.on('exit', (code, signal) =>
      this.#gone.reject(new Error(`the command ended: ${signal ?? `code ${code}`}`)),
    );
  }

  /** The command's first word where it is one that starts the worker as a child and keeps its exit code to itself. */
  get wrapper(): string | undefined {
    const name = basename(this.#command[0] ?? '', '.cmd');
    return WRAPPERS.has(name) ? name : undefined;
  }

  /** Waits for a status, as long as the command runs. */
  status(what: string, wanted: (status: Status) => boolean, after = 0): Promise<Status> {
    return Promise.race([this.statuses.first(what, wanted, this.readyMs, after), this.#gone.promise]);
  }

  /** As it was typed. */
  get command(): string {
    return this.#command.join(' ');
  }

  /** Whether there ever was a process. */
  get started(): boolean {
    return this.#child?.pid !== undefined;
  }

  get running(): boolean {
    return this.#child?.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Signals the worker; resolves when it has ended, with its exit code, or undefined where it does not end. */
  async end(signal: NodeJS.Signals): Promise<number | null | undefined> {
    const child = this.#child;
    if (child?.pid === undefined || !this.running) return child?.exitCode;
    const exit = once(child, 'exit');
    process.kill(-child.pid, signal);
    return (await within(EXIT_MS, exit)) ? child.exitCode : undefined;
  }

  /** In a group of its own the worker would outlive an examination that is broken off. */
  readonly #killNow = (): void => {
    if (this.#child?.pid !== undefined && this.running) process.kill(-this.#child.pid, 'SIGKILL');
  };

  async announce(variant: number): Promise<Fixture> {
    const fixture = await makeFixture(this.#blobs, this.store.url(), variant, this.codecs);
    const topic = this.channels.topics.build('plan', { pipeline: PIPELINE });
    await this.channels.control.publish(topic, Buffer.from(JSON.stringify(fixture.announcement)), {
      qos: 1,
      retain: true,
    });
    return fixture;
  }

  /** A `task` message for a tile, filled from the frame. */
  task(fixture: Fixture, task: string, meta: Partial<MessageMeta> = {}): LaidMessage {
    const region = regionOf(fixture, task, 'inputs');
    const message = layoutMessage(this.#meta(fixture, task, meta), [
      { name: 'x', dtype: 'float32', shape: extents(region) },
    ]);
    const all = whole(fixture.announcement.plan.tensors.x?.shape ?? []);
    copyRegion(new Uint8Array(this.frame.buffer), all, message.bytes('x'), region, region, 4);
    return message;
  }

  /** The same with its tensor by a codec. */
  codedTask(fixture: Fixture, task: string, codec: string): LaidMessage {
    const plain = this.task(fixture, task);
    const shape = extents(regionOf(fixture, task, 'inputs'));
    const spec = { name: 'x', dtype: 'float32', shape, codec, elements: plain.bytes('x') } as const;
    const message = layoutCoded(plain.meta, [spec]);
    return deflated(message, [spec], new Set(isDeflated(codec) ? ['x'] : []));
  }

  /** What the neighbour says when it waits for what a task made. */
  want(fixture: Fixture, { frame = '' }: MessageMeta, extra: unknown): LaidMessage {
    const { digest } = fixture.announcement;
    const meta = { sender: NEIGHBOUR, pipeline: PIPELINE, plan: digest, frame } as const;
    return layoutMessage({ kind: 'want', ...meta, extra }, []);
  }

  /** The same with a tensor of another shape or type, all zero. */
  wrongTask(
    fixture: Fixture,
    task: string,
    dtype: 'float32' | 'uint8',
    shape: readonly number[],
  ): LaidMessage {
    const message = layoutMessage(this.#meta(fixture, task, {}), [{ name: 'x', dtype, shape }]);
    message.bytes('x').fill(0);
    return message;
  }

  payloads(message: LaidMessage): Buffer[] {
    return parts(message, this.channels.data.maxMessageBytes);
  }

  async send(payloads: readonly Buffer[]): Promise<void> {
    for (const payload of payloads) await this.channels.data.publish(this.inbox, payload);
  }

  #meta({ announcement: { digest } }: Fixture, task: string, meta: Partial<MessageMeta>): MessageMeta {
    const sequence = this.#frames++;
    return {
      kind: 'task',
      sender: 'conform',
      pipeline: PIPELINE,
      plan: digest,
      frame: `frame-${sequence}`,
      sequence,
      source: 'examiner',
      task,
      reply: this.inboxOf('splitter'),
      merger: this.inboxOf('merger'),
      splitter: this.inboxOf('splitter'),
      deadlineMs: this.answerMs,
      ...meta,
    };
  }
}

export function regionOf({ announcement }: Fixture, task: string, side: 'inputs' | 'outputs'): Region {
  const found = announcement.plan.tasks.find(({ id }) => id === task);
  return (found?.[side][0]?.region ?? []) as Region;
}
