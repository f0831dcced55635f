/** What was sent to other workers lately, so that a strip that was lost on its way can be sent again. */

import type { Delivery, PlanIndex } from '../core/flow/plan-index.ts';
import type { MessageMeta, Piece } from '../core/wire/message.ts';

/** One message to a worker, as it was sent. */
export interface KeptStrip {
  readonly index: PlanIndex;
  readonly delivery: Delivery;
  readonly pieces: readonly Piece[];
  readonly meta: MessageMeta;
}

export class KeptStrips {
  readonly #most: number;
  /** By plan, frame and receiver, the oldest first. */
  readonly #kept = new Map<string, KeptStrip[]>();
  #bytes = 0;

  /** `mostBytes`: beyond it the oldest are forgotten. */
  constructor(mostBytes: number) {
    this.#most = mostBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** `pieces` are copies of its own. */
  keep(worker: string, strip: KeptStrip): void {
    const key = keyOf(strip.meta, worker);
    const own = this.#kept.get(key) ?? [];
    own.push(strip);
    this.#kept.set(key, own);
    this.#bytes += bytesOf(strip);
    for (const [oldest, strips] of this.#kept) {
      if (this.#bytes <= this.#most) return;
      this.#kept.delete(oldest);
      this.#bytes -= strips.reduce((sum, each) => sum + bytesOf(each), 0);
    }
  }

  /** What these tasks of the frame made for the worker that wants it. */
  find(wanted: MessageMeta, worker: string, tasks: ReadonlySet<string>): readonly KeptStrip[] {
    return (this.#kept.get(keyOf(wanted, worker)) ?? []).filter(({ meta }) => tasks.has(meta.task ?? ''));
  }
}

function keyOf({ plan, frame }: MessageMeta, worker: string): string {
  return `${plan} ${frame} ${worker}`;
}

function bytesOf({ pieces }: KeptStrip): number {
  return pieces.reduce((sum, { tensor }) => sum + tensor.bytes.byteLength, 0);
}
