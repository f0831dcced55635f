/**
 * About what halo exchange costs, block by block: how long until tiles are where they are computed, how long the strips
 * that neighbours lack are under way, how long until the tiles are at the hub again. Close enough to order plans by; the
 * simulator says what those that are left over take.
 */

import type { Cover } from '../../tiling/types.ts';
import { type FleetView, HUB, type Leg, legMs, type Member, taskMs } from './fleet-view.ts';
import { schedule } from './schedule.ts';
import type { PartCost, Span } from './span.ts';

/** Tiles that stay: the tile `i` of the cover on the member `i`. */
export interface Keeping {
  readonly members: readonly Member[];
  readonly cover: Cover;
  /** Share of every map that each tile is. */
  readonly shares: readonly number[];
}

export function keeping(members: readonly Member[], cover: Cover): Keeping {
  const shares = cover.bands.flatMap(({ share, columns }) => columns.map((column) => share * column));
  return { members, cover, shares };
}

/** What one block takes with its tiles kept; milliseconds. */
export interface KeptCost {
  /** From the hub to the tiles, and computing. */
  readonly enterMs: number;
  /** From neighbour to neighbour, and computing. */
  readonly stayMs: number;
  /** What was made, from the tiles to the hub. */
  readonly leaveMs: number;
}

/** The costs of a span whose tiles are kept so; undefined where its maps are too small for them. */
export function keptCost(
  view: FleetView,
  span: Span,
  { members, cover, shares }: Keeping,
): KeptCost | undefined {
  const costs = span.estimate(cover);
  if (costs === undefined) return undefined;
  const { bytesIn } = span.whole;
  const strips = costs.map((cost, at) => Math.max(0, cost.bytesIn - bytesIn * (shares[at] as number)));
  const computing = costs.map((cost, at) =>
    taskMs(members[at] as Member, { ...cost, bytesIn: strips[at] as number, bytesOut: strips[at] as number }),
  );
  const entering = costs.map((cost, at) => ({
    cost: { ...cost, bytesOut: 0 },
    on: [(members[at] as Member).index],
  }));
  return {
    enterMs: schedule(view, entering).ms,
    stayMs: exchangeMs(view, members, strips, strips) + Math.max(...computing),
    leaveMs: leaveMs(
      view,
      members,
      costs.map((cost) => cost.bytesOut),
    ),
  };
}

/** One part of a sum, of a share of the map: it multiplies, reads weights and holds as much of them. */
export function partialCost({ whole }: Span, share: number): PartCost {
  const { bytesOut, activationBytes, weightBytes } = whole;
  return {
    work: whole.work.map(({ kind, runs, macs, bytes, weights }) => ({
      kind,
      runs,
      macs: macs * share,
      bytes: bytes * share,
      weights: weights * share,
    })),
    bytesIn: 0,
    bytesOut,
    activationBytes,
    weightBytes: weightBytes * share,
  };
}

/** Milliseconds of parts of a sum, each on its share of a map, until their results are at the hub. */
export function partialMs(view: FleetView, span: Span, { members, shares }: Keeping): number {
  const { whole } = span;
  const times = members.map((member, at) => taskMs(member, partialCost(span, shares[at] as number)));
  return (
    Math.max(...times) +
    leaveMs(
      view,
      members,
      members.map(() => whole.bytesOut),
    )
  );
}

/** Messages a device sends in an exchange: to the neighbour on either side. */
const NEIGHBOURS = 2;

/** Milliseconds until everybody has what neighbours sent, all of it sent at once through the hub's broker. */
function exchangeMs(
  view: FleetView,
  members: readonly Member[],
  sent: readonly number[],
  received: readonly number[],
): number {
  const loads = new Loads(view);
  for (const [at, member] of members.entries()) {
    loads.along(member.up, sent[at] as number, NEIGHBOURS);
    loads.along(member.down, received[at] as number, NEIGHBOURS);
    loads.hub(NEIGHBOURS, sent[at] as number);
  }
  return loads.longest() + 2 * loads.latency;
}

/** Milliseconds until what was made is at the hub. */
function leaveMs(view: FleetView, members: readonly Member[], bytes: readonly number[]): number {
  const loads = new Loads(view);
  for (const [at, member] of members.entries()) {
    loads.along(member.up, bytes[at] as number, 1);
    loads.hub(1, bytes[at] as number);
  }
  return loads.longest() + loads.latency;
}

/** How long every resource is busy with transfers that all begin at once. */
class Loads {
  readonly #view: FleetView;
  readonly #busy: Float64Array;
  latency = 0;

  constructor(view: FleetView) {
    this.#view = view;
    this.#busy = new Float64Array(view.resources.length);
  }

  along(legs: readonly Leg[], bytes: number, messages: number): void {
    for (const leg of legs) {
      this.latency = Math.max(this.latency, leg.latencyMs);
      this.#add(leg.resource, legMs(leg, bytes) + (messages - 1) * leg.latencyMs);
    }
  }

  hub(messages: number, bytes: number): void {
    const { hub } = this.#view.fleet;
    this.#add(HUB, messages * hub.messageMs + bytes * hub.byteMs);
  }

  longest(): number {
    return Math.max(...this.#busy);
  }

  #add(resource: number, ms: number): void {
    this.#busy[resource] = (this.#busy[resource] as number) + ms;
  }
}
