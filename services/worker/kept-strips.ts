/** What was sent to other workers lately, so that a strip that was lost on its way can be sent again. */

import type { Delivery, PlanIndex } from '../core/flow/plan-index.ts';
import type { MessageMeta, Piece } from '../core/wire/message.ts';
import { attemptOf } from './attempt-of.ts';

/** One message to a worker, as it was sent. */
export interface KeptStrip {
  readonly index: PlanIndex;
  readonly delivery: Delivery;
  readonly pieces: readonly Piece[];
  readonly meta: MessageMeta;
}

export class KeptStrips {
  readonly #most: number;
  /** By plan and frame, the oldest first; then by receiver. */
  readonly #kept = new Map<string, Map<string, KeptStrip[]>>();
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

  /** `pieces` are copies of its own. */
  keep(worker: string, strip: KeptStrip): void {
    const key = keyOf(strip.meta);
    const frame = this.#kept.get(key) ?? new Map<string, KeptStrip[]>();
    // Nobody takes those of an earlier attempt any more.
    const before = frame.get(worker) ?? [];
    const own = before.filter(({ meta }) => attemptOf(meta) >= attemptOf(strip.meta));
    own.push(strip);
    frame.set(worker, own);
    this.#kept.set(key, frame);
    this.#bytes += sizeOf(own) - sizeOf(before);
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#most) return;
      this.#forgotten += this.#drop(oldest);
    }
  }

  /** What these tasks made, at that attempt at the frame, for the worker that wants it. */
  find(wanted: MessageMeta, worker: string, tasks: ReadonlySet<string>): readonly KeptStrip[] {
    const own = this.#kept.get(keyOf(wanted))?.get(worker) ?? [];
    return own.filter(({ meta }) => tasks.has(meta.task ?? '') && attemptOf(meta) === attemptOf(wanted));
  }

  /** A frame was given up. */
  drop(meta: Pick<MessageMeta, 'plan' | 'frame'>): void {
    this.#drop(keyOf(meta));
  }

  #drop(key: string): number {
    const strips = [...(this.#kept.get(key)?.values() ?? [])].flat();
    this.#kept.delete(key);
    this.#bytes -= sizeOf(strips);
    return strips.length;
  }
}

function keyOf({ plan, frame }: Pick<MessageMeta, 'plan' | 'frame'>): string {
  return `${plan} ${frame}`;
}

function sizeOf(strips: readonly KeptStrip[]): number {
  return strips.reduce((sum, each) => sum + bytesOf(each), 0);
}

function bytesOf({ pieces }: KeptStrip): number {
  return pieces.reduce((sum, { tensor }) => sum + tensor.bytes.byteLength, 0);
}
