/**
 * How much slower than before a device's link is. The time of a transfer depends on what else is on the way, which no
 * profile knows, so it is compared with what the same task took before: only changes show, not a profile's error.
 */

import { SpeedFactor } from './speed-factor.ts';

/** Transfers of a task from whose median its later ones are judged. */
const FIRST = 5;
/** Tasks remembered; the one known for longest is forgotten. */
const TASKS = 1_024;
/** Milliseconds added to both times: shorter ones are hand-overs and timers, not links. */
const FLOOR_MS = 5;
/** Factors nearer to 1 than this are the load's ups and downs. */
const DEAD_ZONE = 1.5;

/**
 * Of what comes within so many milliseconds one transfer counts: the one nearest to what is known. The hub's own pauses
 * and other frames on the way hold up everything at a time; a link that is slow holds up every single one, always.
 */
const MOMENT_MS = 1_000;

/** So many times faster or slower is another link. */
const OTHER = 4;
/** Two looks at it that agree by this much, and both say that it is another link, are believed at once. */
const AGREE = 2;

interface Before {
  readonly first: number[];
  /** Of the link while these were measured. */
  readonly factor: number;
  usual: number | undefined;
}

export class LinkFactor {
  readonly #tasks = new Map<string, Before>();
  readonly #factor = new SpeedFactor();
  /** What the last look at it said. */
  #seen: number | undefined;
  #moment: { readonly since: number; nearest: number } | undefined;

  /** A task's ways there and back took `restMs`; `slower` is how much slower its processor is than profiled. */
  add(task: string, restMs: number, slower: number, now: number): void {
    let before = this.#tasks.get(task);
    if (before === undefined) {
      before = { first: [], factor: this.value, usual: undefined };
      this.#tasks.set(task, before);
      if (this.#tasks.size > TASKS) this.#tasks.delete(this.#tasks.keys().next().value as string);
    }
    if (before.usual === undefined) {
      // A slow processor unpacks slowly too: measured now, it would hide a link that slows down later.
      before.first.push(restMs / Math.max(1, slower));
      if (before.first.length < FIRST) return;
      before.usual = [...before.first].sort((a, b) => a - b)[FIRST >> 1] as number;
    }
    const ratio = (before.factor * (restMs + FLOOR_MS)) / (before.usual + FLOOR_MS);
    // What grew no more than the computing did is the processor's doing.
    this.#witness(ratio > 1 ? Math.max(1, ratio / Math.max(1, slower)) : ratio, now);
  }

  /**
   * Without a task: it was seen to be so many times slower than profiled. Bytes that are known, with nothing beside them on
   * the way, say more than a task's transfers.
   */
  seen(factor: number, now: number): void {
    const before = this.#seen ?? Number.NaN;
    this.#seen = factor;
    const agree = Math.max(before / factor, factor / before) <= AGREE;
    const is = this.value;
    const slower = Math.min(before, factor) > OTHER * is;
    const faster = Math.max(before, factor) * OTHER < is;
    if (agree && (slower || faster)) this.#factor.changeTo(factor, now);
    else this.#factor.add(factor, now);
  }

  #witness(ratio: number, now: number): void {
    const moment = this.#moment;
    if (moment !== undefined && now - moment.since < MOMENT_MS) {
      if (this.#distance(ratio) < this.#distance(moment.nearest)) moment.nearest = ratio;
      return;
    }
    if (moment !== undefined) this.#factor.add(moment.nearest, moment.since);
    this.#moment = { since: now, nearest: ratio };
  }

  /** Whether the transfers of the last moment say that it is another link, which is not believed yet. */
  get suspect(): boolean {
    return this.#moment !== undefined && this.#distance(this.#moment.nearest) > Math.log(OTHER);
  }

  #distance(ratio: number): number {
    return Math.abs(Math.log(ratio / (this.#factor.value ?? 1)));
  }

  /** 1 while nothing has changed. */
  get value(): number {
    const value = this.#factor.value ?? 1;
    return value > DEAD_ZONE || value < 1 / DEAD_ZONE ? value : 1;
  }
}
