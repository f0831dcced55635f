/**
 * The cheapest ways through a graph with tiles kept: `t(j, kept) = min_i t(i, kept) + strips(i..j) + compute(i..j)` beside
 * `t(j, hub)`, the papers' recurrence with a second state that says where the tensors of a cut are. A block enters from the
 * hub, stays from one that kept the same tiles, and leaves to the hub as tiles or as partial sums.
 */

import { partialRefusal } from '../../tiling/partial.ts';
import { LEFT_OUT } from './bound.ts';
import { type FleetView, growingMs, type Member } from './fleet-view.ts';
import {
  type Keeping,
  type KeptCost,
  keptCost,
  partialMs,
  type SpanBytes,
  spanBytes,
  type TileShares,
  tileShares,
} from './halo-cost.ts';
import type { Move } from './halo-plan.ts';
import { sharedOptions, type TimedStep, wholeOptions } from './options.ts';
import { type Assigned, schedule } from './schedule.ts';
import type { SearchSpace } from './space.ts';
import type { Span } from './span.ts';
import type { Step } from './step.ts';
import type { WireForm } from './wire-form.ts';

/** A cut that was come to; `kept`: tiles stayed somewhere on the way. */
export interface Reached {
  readonly ms: number;
  readonly before: Reached | undefined;
  readonly move: Move | undefined;
  readonly kept: boolean;
}

/** Gains below this are rounding: the plan with fewer blocks stays. */
const GAIN = 1e-9;

/** By whether tiles stayed on the way. */
type Best = [never: Reached | undefined, kept: Reached | undefined];

/** Tiles of spans, whatever the form: by keeping, and by the span's position in the space. */
export class TileTable {
  readonly #space: SearchSpace;
  readonly #known = new Map<Keeping, (TileShares | undefined)[]>();

  constructor(space: SearchSpace) {
    this.#space = space;
  }

  of({ from, to }: Span, keep: Keeping): TileShares | undefined {
    let known = this.#known.get(keep);
    if (known === undefined) {
      known = [];
      this.#known.set(keep, known);
    }
    const at = from * (this.#space.end + 1) + to;
    if (!(at in known)) {
      const plain = this.#space.span(from, to);
      known[at] = plain && tileShares(plain, keep);
    }
    return known[at];
  }
}

/** Costs that several searches of one space have in common. */
export class HaloWays {
  readonly #space: SearchSpace;
  readonly #view: FleetView;
  readonly #form: WireForm;
  readonly #tiles: TileTable;
  readonly #costs = new Map<Keeping, Map<Span, KeptCost | undefined>>();
  readonly #merged = new Map<Span, Map<number, TimedStep | undefined>>();
  readonly #bytes = new Map<Span, SpanBytes>();
  readonly #sums = new Map<Span, boolean>();

  /** `space` with its tensors in the form. */
  constructor(space: SearchSpace, view: FleetView, form: WireForm, tiles: TileTable) {
    this.#space = space;
    this.#view = view;
    this.#form = form;
    this.#tiles = tiles;
  }

  /** The best plan in which some tiles stay, of those that choose among `keepings`, if it takes no longer than `limitMs`. */
  reach(keepings: readonly Keeping[], limitMs: number): Reached | undefined {
    const { end } = this.#space;
    const left = this.#leastLeft(keepings);
    if ((left[0] as number) > limitMs) return undefined;
    // Tiles of a span that are too slow are no quicker in a longer one.
    const tooLong = keepings.map(() => new Uint8Array(end));
    const hub: Best[] = [[{ ms: 0, before: undefined, move: undefined, kept: false }, undefined]];
    const tiles = keepings.map((): Best[] => [[undefined, undefined]]);
    for (let to = 1; to <= end; to++) {
      const untilMs = limitMs - (left[to] as number);
      const here: Best = [undefined, undefined];
      const own = keepings.map((): Best => [undefined, undefined]);
      for (let from = 0; from < to; from++) {
        const span = this.#space.span(from, to);
        if (span === undefined) continue;
        const atHub = hub[from] as Best;
        for (const before of atHub) {
          const merged = before && this.#mergedOf(span, sumsAt(before));
          if (merged !== undefined)
            consider(here, before, merged.ms, { kind: 'given', step: merged.step }, untilMs);
        }
        const sums = this.#isSum(span);
        for (const [at, keep] of keepings.entries()) {
          const known = (tiles[at] as Best[])[from] as Best;
          for (const before of sums ? known : []) {
            const ms = before && this.#partialMs(span, keep, before);
            if (ms !== undefined)
              consider(here, before, ms, { kind: 'partial', span, keep, entry: 'halo' }, untilMs);
          }
          const late = tooLong[at] as Uint8Array;
          if (!span.tileable || late[from] === 1) continue;
          const earliest = Math.min(leastOf(atHub), leastOf(known));
          if (earliest > untilMs) continue;
          const cost = this.#costOf(span, keep);
          if (cost === undefined) continue;
          if (earliest + cost.computeMs > untilMs) late[from] = 1;
          const next = own[at] as Best;
          for (const before of atHub)
            consider(next, before, cost.enterMs, { kind: 'tile', span, keep, entry: undefined }, untilMs);
          for (const before of known)
            consider(next, before, cost.stayMs, { kind: 'tile', span, keep, entry: 'halo' }, untilMs);
        }
      }
      for (const [at, keep] of keepings.entries())
        for (const there of own[at] as Best) this.#leave(there, keep, here);
      hub.push(here);
      for (const [at, best] of own.entries()) (tiles[at] as Best[]).push(best);
    }
    return (hub[end] as Best)[1];
  }

  /**
   * About the least milliseconds from every position on: the multiplications of what can be tiled on all the devices of
   * some keepings at once, or on the fastest of all, those of the rest on all there are.
   */
  #leastLeft(keepings: readonly Keeping[]): Float64Array {
    const { end } = this.#space;
    const all = this.#view.members;
    const kept = [...new Set(keepings.flatMap(({ members }) => members))];
    const left = new Float64Array(end + 1);
    for (let at = end - 1; at >= 0; at--) {
      const span = this.#space.span(at, at + 1);
      left[at] = (left[at + 1] as number) + (span === undefined ? 0 : sharedMs(span, kept, all));
    }
    return left;
  }

  /** Of a sum of what the tiles made last; undefined where they are not what it is of. */
  #partialMs(span: Span, keep: Keeping, { move }: Reached): number | undefined {
    const made = move?.kind === 'tile' ? this.#tiles.of(move.span, keep) : undefined;
    return made && partialMs(this.#view, span, keep, made.writes, this.#bytesOf(span));
  }

  #leave(there: Reached | undefined, keep: Keeping, here: Best): void {
    if (there?.before === undefined || there.move?.kind !== 'tile') return;
    const cost = this.#costOf(there.move.span, keep);
    if (cost === undefined) return;
    const { ms, before, move, kept } = there;
    const which = kept ? 1 : 0;
    here[which] = better(here[which], { ms: ms + cost.leaveMs, before, move, kept });
  }

  /** A span between two gatherings: in one piece, or what cannot be tiled in shards; its readers get so many sums. */
  #mergedOf(span: Span, sums: number): TimedStep | undefined {
    const known = this.#merged.get(span) ?? new Map<number, TimedStep | undefined>();
    this.#merged.set(span, known);
    if (!known.has(sums)) {
      const { members } = this.#view;
      const options = wholeOptions(this.#view, span, members);
      if (!span.tileable)
        for (const option of sharedOptions(this.#view, span, members)) {
          const built = option.estimate()?.build();
          if (built !== undefined) options.push(built);
        }
      let best: TimedStep | undefined;
      for (const option of options) {
        const ms = sums === 1 ? option.ms : summingMs(this.#view, option.step, sums);
        if (best === undefined || ms < best.ms) best = { step: option.step, ms };
      }
      known.set(sums, best);
    }
    return known.get(sums);
  }

  #costOf(span: Span, keep: Keeping): KeptCost | undefined {
    let known = this.#costs.get(keep);
    if (known === undefined) {
      known = new Map();
      this.#costs.set(keep, known);
    }
    if (!known.has(span)) {
      const shares = this.#tiles.of(span, keep);
      known.set(span, shares && keptCost(this.#view, keep, shares, this.#bytesOf(span)));
    }
    return known.get(span);
  }

  #bytesOf(span: Span): SpanBytes {
    let known = this.#bytes.get(span);
    if (known === undefined) {
      known = spanBytes(span, this.#form);
      this.#bytes.set(span, known);
    }
    return known;
  }

  #isSum(span: Span): boolean {
    let known = this.#sums.get(span);
    if (known === undefined) {
      known =
        !span.tileable && partialRefusal(this.#space.graph, this.#space.analysis, span.block) === undefined;
      this.#sums.set(span, known);
    }
    return known;
  }
}

/** Of the work of a span all that grows with its size, on devices together. */
function sharedMs({ whole, tileable }: Span, kept: readonly Member[], all: readonly Member[]): number {
  const speedOf = (member: Member): number => 1 / Math.max(growingMs(member, whole), 1e-9);
  const together = (members: readonly Member[]): number =>
    members.reduce((sum, member) => sum + speedOf(member), 0);
  const speed = tileable ? Math.max(together(kept), ...all.map(speedOf)) : together(all);
  return (1 - LEFT_OUT) / speed;
}

function leastOf(best: Best): number {
  return Math.min(best[0]?.ms ?? Number.POSITIVE_INFINITY, best[1]?.ms ?? Number.POSITIVE_INFINITY);
}

/** Parts of a sum that whoever reads it gets; 1 where nothing was summed. */
function sumsAt({ move }: Reached): number {
  return move?.kind === 'partial' ? move.keep.members.length : 1;
}

/** Milliseconds of a step whose every part is sent all the parts of a sum. */
function summingMs(view: FleetView, { parts }: Step, sums: number): number {
  const summing = parts.map(({ cost, on }): Assigned => {
    const { bytesIn, packedIn = 0 } = cost;
    return { on, cost: { ...cost, bytesIn: sums * bytesIn, packedIn: sums * packedIn } };
  });
  return schedule(view, summing).ms;
}

function consider(best: Best, before: Reached | undefined, ms: number, move: Move, limitMs: number): void {
  if (before === undefined || before.ms + ms > limitMs) return;
  const kept = before.kept || (move.kind !== 'given' && move.entry === 'halo');
  const which = kept ? 1 : 0;
  best[which] = better(best[which], { ms: before.ms + ms, before, move, kept });
}

function better(known: Reached | undefined, found: Reached): Reached {
  return known === undefined || found.ms < known.ms * (1 - GAIN) ? found : known;
}

/** The moves on the way to a cut. */
export function movesTo(reached: Reached): Move[] {
  const moves: Move[] = [];
  for (let at: Reached | undefined = reached; at?.move !== undefined; at = at.before) moves.push(at.move);
  return moves.reverse();
}
