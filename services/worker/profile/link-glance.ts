/** A quick look at a worker's link, where it is asked for: how long some bytes to itself take. */

import type { Channels } from '../../core/bus/connections.ts';
import { parseLinkGlance } from '../../core/control/documents.ts';
import { monotonicMs } from '../../core/runtime/clock.ts';
import { asTilepipeError } from '../../core/runtime/errors.ts';
import type { Log } from '../../core/runtime/log.ts';
import type { LinkGlance as Glance } from '../../core/schema/generated/link-glance.ts';

export interface LinkGlanceDeps {
  /** The worker's id. */
  readonly id: string;
  readonly channels: Pick<Channels, 'topics' | 'control' | 'data'>;
  readonly log: Log;
}

export class LinkGlance {
  readonly #deps: LinkGlanceDeps;
  #undo: readonly (() => Promise<void>)[] = [];
  /** Of the look under way, which lasts until the next: on a slow link much may be in front of it. */
  #mark = 0;
  #arrived: (bytes: number) => void = () => {};

  constructor(deps: LinkGlanceDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { control, data } = this.#deps.channels;
    this.#undo = [
      await control.subscribe(this.#topic, ({ payload }) => void this.#asked(payload)),
      await data.subscribe(this.#back, ({ payload }) => {
        if (payload[0] === this.#mark) this.#arrived(payload.length);
      }),
    ];
  }

  async stop(): Promise<void> {
    const undo = this.#undo;
    this.#undo = [];
    for (const each of undo) await each();
  }

  get #topic(): string {
    const { id, channels } = this.#deps;
    return channels.topics.build('glance', { id });
  }

  get #back(): string {
    const { id, channels } = this.#deps;
    return channels.topics.build('probe', { id, way: 'glance' });
  }

  async #asked(payload: Buffer): Promise<void> {
    const { channels, log } = this.#deps;
    const asked = parseLinkGlance(payload);
    // Its own answers come here as well.
    if (asked === undefined || asked.ms !== undefined) return;
    try {
      const bytes = Math.min(asked.bytes, channels.data.maxMessageBytes);
      const ms = await this.#look(bytes);
      const answer: Glance = { ...asked, bytes, ms: Math.round(1000 * ms) / 1000 };
      await channels.control.publish(this.#topic, Buffer.from(JSON.stringify(answer)));
    } catch (error) {
      // The connection is away; it is asked for again.
      log.debug(`link not looked at: ${asTilepipeError(error).message}`);
    }
  }

  /** Milliseconds by which the bytes come after one byte sent before them; never resolves where they do not come. */
  async #look(bytes: number): Promise<number> {
    const { data } = this.#deps.channels;
    const mark = (this.#mark + 1) % 256;
    this.#mark = mark;
    let first: number | undefined;
    const came = new Promise<number>((resolve) => {
      this.#arrived = (length) => {
        if (length === 1) first = monotonicMs();
        else if (first !== undefined) resolve(monotonicMs() - first);
      };
    });
    await data.publish(this.#back, Buffer.of(mark));
    await data.publish(this.#back, Buffer.alloc(bytes, mark));
    return came;
  }
}
