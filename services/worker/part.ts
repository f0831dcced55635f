/** The worker as a service: its channels and its executor come and go with the service's life. */

import { asReached } from '../core/bus/broker-host.ts';
import type { Bus } from '../core/bus/bus.ts';
import { MqttBus } from '../core/bus/mqtt.ts';
import type { BlobCache } from '../core/runtime/blobs.ts';
import { monotonicMs } from '../core/runtime/clock.ts';
import type { Part, Service } from '../core/runtime/service.ts';
import type { Status } from '../core/schema/generated/status.ts';
import { DEFAULT_MAX_MESSAGE_BYTES } from '../core/wire/limits.ts';
import type { Door } from './door.ts';
import type { Executor } from './executor/executor.ts';
import type { Endpoint } from './neighbour.ts';
import { Neighbours } from './neighbours.ts';
import { LinkGlance } from './profile/link-glance.ts';
import { LinkTurns } from './profile/link-turns.ts';
import { profileHere } from './profile/profile-here.ts';
import { RetainedProfile } from './profile/retained-profile.ts';
import { type Pin, Worker } from './worker.ts';

export interface WorkerOptions {
  /** Started and stopped with the service. */
  readonly executor: Executor;
  readonly blobs: BlobCache;
  /** The only blocks (and tiles) it runs; absent: any. */
  readonly pins?: readonly Pin[] | undefined;
  /** Tasks it takes at once from each dispatcher; 2 by default: one runs while the next is on its way. */
  readonly slots?: number | undefined;
  /** Host of its broker: stands for the host "broker" in the address of a model store. */
  readonly brokerHost?: string | undefined;
  /** A broker of its own, so that what its neighbours send it takes one hop; absent: none. Opened and closed with the service. */
  readonly door?: Door | undefined;
  /** Whether it may use other workers' doors, which know no TLS; true by default. */
  readonly direct?: boolean | undefined;
  /** Keeps little memory; its process must be started with `leanEnvironment` for all of it. */
  readonly lean?: boolean | undefined;
  /** Publishes the machine's profile before the first task; measured once (under 30 s), then kept in `folder`. */
  readonly profile?: { readonly threads: number; readonly folder: string } | undefined;
}

const SLOTS = 2;
/** A link that has gone dead is noticed after one and a half times the first; the second is all a connection may take. */
const DIRECT = { keepaliveSeconds: 5, connectTimeoutMs: 3_000 };

export class WorkerPart implements Part {
  readonly #options: WorkerOptions;
  #worker: Worker | undefined;
  #neighbours: Neighbours | undefined;
  #endpoint: Endpoint | undefined;
  #profile: RetainedProfile | undefined;
  #linkTurns: LinkTurns | undefined;
  #linkGlance: LinkGlance | undefined;

  constructor(options: WorkerOptions) {
    this.#options = options;
  }

  async start(service: Service): Promise<void> {
    const { executor, slots = SLOTS, lean = false, profile } = this.#options;
    await executor.start();
    const { id, channels, log } = service;
    const measured =
      profile === undefined ? undefined : await profileHere({ ...profile, id, channels, executor, log });
    const own = lean && measured !== undefined ? { ...measured, lean } : measured;
    if (own !== undefined) {
      this.#profile = new RetainedProfile({ channels, log });
      await this.#profile.start(own);
    }
    const { control, data, topics } = channels;
    const { door, direct = true } = this.#options;
    const opened = await door?.open({ id, inbox: service.inbox, facing: channels.facing, log });
    this.#endpoint = opened?.endpoint;
    const connect = (endpoint: Endpoint): Bus => this.#connect(endpoint, service);
    if (direct) this.#neighbours = new Neighbours({ control, topics, log, connect, now: monotonicMs });
    const worker = new Worker({
      ...this.#options,
      door: opened?.bus,
      neighbours: this.#neighbours,
      id,
      control,
      data,
      topics,
      log,
      slots,
      changed: () => void service.say(),
    });
    this.#worker = worker;
    await worker.start();
    this.#linkGlance = new LinkGlance({ id, channels, log });
    await this.#linkGlance.start();
    if (own === undefined) return;
    this.#linkTurns = new LinkTurns({
      id,
      channels,
      log,
      link: own.link,
      watch: () => worker.watch(),
      measured: async (link) => this.#profile?.publish({ ...own, link }),
    });
    await this.#linkTurns.start();
  }

  async drain(): Promise<void> {
    await this.#linkTurns?.stop();
    await this.#worker?.drain();
  }

  async stop(): Promise<void> {
    await this.#linkTurns?.stop();
    this.#linkTurns = undefined;
    await this.#linkGlance?.stop();
    this.#linkGlance = undefined;
    this.#profile?.stop();
    this.#profile = undefined;
    await this.#worker?.stop();
    this.#worker = undefined;
    await this.#neighbours?.stop();
    this.#neighbours = undefined;
    await this.#options.door?.close();
    this.#endpoint = undefined;
    await this.#options.executor.stop();
  }

  ready(): boolean {
    return this.#worker?.ready() ?? false;
  }

  details(): Partial<Status> {
    const { counters, ...details } = this.#worker?.details() ?? {};
    const endpoint = this.#endpoint;
    return {
      ...details,
      ...(endpoint === undefined ? {} : { endpoint }),
      counters: { ...counters, ...this.#neighbours?.counters(), ...this.#options.door?.counters() },
    };
  }

  /** A bus to the door of another worker; where that is on the machine of the broker, by the name this one has for it. */
  #connect({ url, key }: Endpoint, { id, log, channels }: Service): Bus {
    return new MqttBus({
      url: asReached(url, this.#options.brokerHost),
      username: id,
      password: key,
      ...DIRECT,
      maxMessageBytes: Math.min(channels.data.maxMessageBytes, DEFAULT_MAX_MESSAGE_BYTES),
      log: log.child({ channel: 'direct' }),
    });
  }
}
