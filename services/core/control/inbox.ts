/** A service's inbox: payloads of its data topic put together to messages. */

import type { Bus, Incoming } from '../bus/bus.ts';
import { monotonicMs } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import { Assembler, type Received } from '../wire/assembler.ts';

export interface InboxDeps {
  readonly data: Bus;
  readonly topic: string;
  readonly log: Log;
  /** Whether `handle` is done with the tensors when it returns: their memory is then used again. */
  readonly copies?: boolean;
  /** Called with every whole message and the bytes of its tensors. */
  readonly handle: (message: Received, tensorBytes: number) => void;
}

export class Inbox {
  readonly #deps: InboxDeps;
  readonly #assembler: Assembler;
  #undo: (() => Promise<void>) | undefined;
  /** Since `heardMore` was asked last. */
  #heard = false;

  constructor(deps: InboxDeps) {
    this.#deps = deps;
    this.#assembler = new Assembler({
      now: monotonicMs,
      onReject: (error) => deps.log.warn({ reason: error.reason }, 'a message was refused'),
    });
  }

  async start(): Promise<void> {
    const { data, topic, handle, copies = false } = this.#deps;
    const take = ({ payload }: Incoming): void => {
      this.#heard = true;
      const message = this.#assembler.accept(topic, payload);
      if (message === undefined) return;
      let bytes = 0;
      for (const tensor of message.tensors) bytes += tensor.bytes.byteLength;
      handle(message, bytes);
      if (copies) message.release();
    };
    this.#undo = await data.subscribe(topic, take, { copies });
  }

  async stop(): Promise<void> {
    await this.#undo?.();
    this.#undo = undefined;
  }

  /** Whether anything has come since this was last asked, be it a part of a message. */
  heardMore(): boolean {
    const heard = this.#heard;
    this.#heard = false;
    return heard;
  }

  /** Messages, bytes, and what was refused by reason. */
  counters(): Record<string, number> {
    const { rejected, ...counts } = this.#assembler.counters();
    const refusals = Object.entries(rejected).map(([reason, count]) => [`inbox.rejected.${reason}`, count]);
    return {
      ...Object.fromEntries(Object.entries(counts).map(([name, count]) => [`inbox.${name}`, count])),
      ...Object.fromEntries(refusals),
    };
  }
}
