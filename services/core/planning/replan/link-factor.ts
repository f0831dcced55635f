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
  readonly since: number;
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
  #lastAt = Number.NEGATIVE_INFINITY;
  /** When a look at it last agreed with what was known; Infinity where none has been taken, so that nothing is doubted. */
  #agreedAt = Number.POSITIVE_INFINITY;
  /** When it became another link, and what it was then. */
  #other = { at: Number.NEGATIVE_INFINITY, value: 1 };

  /** A task's ways there and back took `restMs`; `slower` is how much slower its processor is than profiled. */
  add(task: string, restMs: number, slower: number, now: number): void {
    let before = this.#tasks.get(task);
    if (before === undefined) {
      before = { since: now, first: [], factor: this.value, usual: undefined };
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
    const factor = ratio > 1 ? Math.max(1, ratio / Math.max(1, slower)) : ratio;
    this.#witness(factor, now);
    this.#heard(factor, now);
  }

  /**
   * Without a task: it was seen to be so many times slower than profiled. Bytes that are known, with nothing beside them on
   * the way, say more than a task's transfers.
   */
  seen(factor: number, now: number): void {
    const before = this.#seen ?? Number.NaN;
    const agree = Math.max(before / factor, factor / before) <= AGREE;
    const is = this.value;
    const slower = Math.min(before, factor) > OTHER * is;
    const faster = Math.max(before, factor) * OTHER < is;
    // What is on its way beside the bytes makes a link seem slower, and nothing makes it seem faster.
    const least = Math.min(factor, this.#seen ?? factor);
    this.#seen = factor;
    if (agree && (slower || faster)) this.#factor.changeTo(factor, now);
    else this.#factor.add(least, now);
    if (this.value * OTHER < is) this.#doubt();
    if (this.#distance(factor) <= Math.log(OTHER)) this.#agreedAt = now;
    this.#heard(factor, now);
  }

  /**
   * It has become much faster, nobody knows since when: tasks first measured after the last look that agreed may have been
   * measured on the fast link, and would say for ever that it is the slow one.
   */
  #doubt(): void {
    for (const [task, { since }] of this.#tasks) if (since > this.#agreedAt) this.#tasks.delete(task);
  }

  /** What is not believed yet leaves open how the link is. */
  #heard(factor: number, now: number): void {
    if (this.#distance(factor) > Math.log(OTHER)) return;
    this.#lastAt = now;
    const { value } = this;
    if (Math.max(value / this.#other.value, this.#other.value / value) > OTHER)
      this.#other = { at: now, value };
  }

  /** When it last said something that was believed; -Infinity before that. */
  get lastAt(): number {
    return this.#lastAt;
  }

  /** When it became another link; -Infinity where it is what it was at first. */
  get otherSince(): number {
    return this.#other.at;
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
