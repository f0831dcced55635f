/** A service's inbox: payloads of its data topic put together to messages. */

import type { Bus, Incoming } from '../bus/bus.ts';
import { monotonicMs } from '../runtime/clock.ts';
import { named } from '../runtime/counters.ts';
import { asTilepipeError } from '../runtime/errors.ts';
import type { Log } from '../runtime/log.ts';
import { tensorBytes } from '../tensor/dtype.ts';
import { Assembler, type Received } from '../wire/assembler.ts';
import { DEFAULT_MAX_BODY_BYTES } from '../wire/limits.ts';
import { WireError } from '../wire/wire-error.ts';
import { withPicturesRead } from './picture-codec.ts';

export interface InboxDeps {
  readonly data: Bus;
  readonly topic: string;
  readonly log: Log;
  /** Whether `handle` is done with the tensors when it returns: their memory is then used again. */
  readonly copies?: boolean;
  /** Whether tensors may come as pictures; absent: they are refused. */
  readonly pictures?: boolean;
  /** Called with every whole message and the bytes of its tensors. */
  readonly handle: (message: Received, tensorBytes: number) => void;
}

/** Bytes that pictures being read may unpack to; messages beyond it are dropped, as if they had been lost. */
const MOST_READING_BYTES = DEFAULT_MAX_BODY_BYTES;
/** What a message counts for at least: many small ones take memory too. */
const LEAST_BYTES = MOST_READING_BYTES / 64;

export class Inbox {
  readonly #deps: InboxDeps;
  readonly #assembler: Assembler;
  #stopped = false;
  /** Bytes of messages whose pictures are being read, and messages dropped because those were too many. */
  #readingBytes = 0;
  #dropped = 0;
  #undo: (() => Promise<void>) | undefined;
  #heard = 0;

  constructor(deps: InboxDeps) {
    this.#deps = deps;
    this.#assembler = new Assembler({
      now: monotonicMs,
      pictures: deps.pictures ?? false,
      onReject: (error) => deps.log.warn({ reason: error.reason }, 'a message was refused'),
    });
  }

  async start(): Promise<void> {
    const { data, topic, log, copies = false } = this.#deps;
    this.#stopped = false;
    const take = ({ payload }: Incoming): void => {
      this.#heard++;
      const message = this.#assembler.accept(topic, payload);
      if (message === undefined) return;
      if (message.tensors.some(({ picture }) => picture !== undefined))
        this.#read(message).catch((error) =>
          log.error({ topic, error: String(error) }, 'a message handler failed'),
        );
      else this.#hand(message);
      if (copies) message.release();
    };
    this.#undo = await data.subscribe(topic, take, { copies });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#undo?.();
    this.#undo = undefined;
  }

  /** How often anything has come, be it a part of a message. */
  get heard(): number {
    return this.#heard;
  }

  #hand(message: Received): void {
    let bytes = 0;
    for (const tensor of message.tensors) bytes += tensor.bytes.byteLength;
    this.#deps.handle(message, bytes);
  }

  /** Pictures are read off the event loop; messages that come meanwhile go ahead. */
  async #read(message: Received): Promise<void> {
    const bytes = Math.max(LEAST_BYTES, pictureBytes(message));
    if (this.#readingBytes + bytes > MOST_READING_BYTES) {
      this.#dropped++;
      return;
    }
    this.#readingBytes += bytes;
    // The memory may be used again while they are read.
    const tensors = message.tensors.map((tensor) => ({ ...tensor, bytes: Uint8Array.from(tensor.bytes) }));
    const read = await withPicturesRead({ meta: message.meta, tensors }).catch((error: unknown) =>
      error instanceof WireError ? error : new WireError('codec', asTilepipeError(error).message),
    );
    this.#readingBytes -= bytes;
    if (read instanceof WireError) this.#assembler.refuse(read, this.#deps.topic);
    else if (!this.#stopped) this.#hand({ ...read, release: keep });
  }

  /** Messages, bytes, and what was refused by reason. */
  counters(): Record<string, number> {
    const dropped = this.#dropped === 0 ? {} : { 'pictures.dropped': this.#dropped };
    const { rejected, ...counts } = this.#assembler.counters();
    return named('inbox', { ...counts, ...dropped }, rejected);
  }
}

/** What its pictures unpack to. */
function pictureBytes({ tensors }: Received): number {
  return tensors.reduce(
    (sum, { dtype, shape, picture }) => sum + (picture === undefined ? 0 : tensorBytes(dtype, shape)),
    0,
  );
}

/** Memory of its own is the collector's. */
function keep(): void {}
