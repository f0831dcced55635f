/** What was sent to other workers lately, so that a strip that was lost on its way can be sent again. */

import { attemptOf } from '../core/control/attempt-of.ts';
import type { Delivery } from '../core/flow/plan-index.ts';
import type { LaidMessage } from '../core/wire/encode.ts';
import type { MessageMeta } from '../core/wire/message.ts';

/** One message to a worker, as it was sent. */
export interface KeptStrip {
  readonly delivery: Delivery;
  readonly message: LaidMessage;
}

interface Entry extends KeptStrip {
  readonly worker: string;
  /** How often it went again. */
  again: number;
}

/** As often as a worker asks before it takes a strip for lost (core/flow/wants.ts). */
const MOST_AGAIN = 3;

export class KeptStrips {
  readonly #most: number;
  /** By plan and frame, the oldest first; of each in the order they were sent. */
  readonly #kept = new Map<string, Entry[]>();
  #bytes = 0;
  #forgotten = 0;

  /** `mostBytes`: beyond it the oldest are forgotten. */
  constructor(mostBytes: number) {
    this.#most = mostBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Strips forgotten to make room. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /** The memory of the message is nobody else's. */
  keep(worker: string, strip: KeptStrip): void {
    const { meta } = strip.message;
    const key = keyOf(meta);
    const before = this.#kept.get(key) ?? [];
    // Nobody takes those of an earlier attempt any more; a task that ran twice made the same twice.
    const strips = before.filter((each) => {
      const newer = attemptOf(each.message.meta) - attemptOf(meta);
      return newer > 0 || (newer === 0 && each.delivery !== strip.delivery);
    });
    strips.push({ ...strip, worker, again: 0 });
    this.#kept.set(key, strips);
    this.#bytes += sizeOf(strips) - sizeOf(before);
    this.#makeRoom();
  }

  /**
   * What these tasks made, at that attempt at the frame, for the worker that wants it and now gets it again. On a link that
   * is only slow copies would wait behind one another: a strip goes again a few times at most, and not while it still
   * waits here.
   */
  again(
    wanted: MessageMeta,
    worker: string,
    tasks: ReadonlySet<string>,
    waits: (strip: KeptStrip) => boolean,
  ): readonly KeptStrip[] {
    const strips = this.#kept.get(keyOf(wanted)) ?? [];
    const found = strips.filter((strip) => {
      const { meta } = strip.message;
      if (strip.worker !== worker || !tasks.has(meta.task ?? '')) return false;
      if (attemptOf(meta) !== attemptOf(wanted)) return false;
      return strip.again < MOST_AGAIN && !waits(strip);
    });
    for (const each of found) each.again++;
    return found;
  }

  /** A frame was given up. */
  drop(meta: Pick<MessageMeta, 'plan' | 'frame'>): void {
    const key = keyOf(meta);
    this.#bytes -= sizeOf(this.#kept.get(key) ?? []);
    this.#kept.delete(key);
  }

  /** One by one: of a frame that has more than fits, the last that were sent are kept. */
  #makeRoom(): void {
    for (const [key, strips] of this.#kept) {
      while (this.#bytes > this.#most && strips.length > 0) {
        this.#bytes -= sizeOf(strips.splice(0, 1));
        this.#forgotten++;
      }
      if (strips.length > 0) return;
      this.#kept.delete(key);
    }
  }
}

function keyOf({ plan, frame }: Pick<MessageMeta, 'plan' | 'frame'>): string {
  return `${plan} ${frame}`;
}

function sizeOf(strips: readonly KeptStrip[]): number {
  return strips.reduce((sum, { message }) => sum + message.framed.byteLength, 0);
}
