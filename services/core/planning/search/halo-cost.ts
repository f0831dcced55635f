/**
 * About what halo exchange costs, block by block: how long until tiles are where they are computed, how long the strips
 * that neighbours lack are under way, how long until the tiles are at the hub again. Close enough to order plans by; the
 * simulator says what those that are left over take.
 */

import type { Cover } from '../../tiling/types.ts';
import { stripMs } from '../cost/fleet.ts';
import { type FleetView, type Leg, type Member, taskMs } from './fleet-view.ts';
import { Loads } from './loads.ts';
import type { PartCost, Span, TensorBytes } from './span.ts';
import { sentBytes, type WireForm } from './wire-form.ts';

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
  /** Of the first two: the slowest tile alone. */
  readonly computeMs: number;
}

/** Of one span in tiles, however tensors travel: by tile. */
export interface TileShares {
  /** Of the bytes of the span's inputs, all that it reads. */
  readonly reads: readonly number[];
  /** Of those, what it does not keep. */
  readonly lacks: readonly number[];
  readonly writes: readonly number[];
  /** Milliseconds it takes its member, bytes not among them. */
  readonly computeMs: readonly number[];
}

/** undefined where the span's maps are too small for the tiles. */
export function tileShares(span: Span, { members, cover, shares }: Keeping): TileShares | undefined {
  const costs = span.estimate(cover);
  if (costs === undefined) return undefined;
  const { bytesIn, bytesOut } = span.whole;
  const reads = costs.map((cost) => cost.bytesIn / bytesIn);
  return {
    reads,
    lacks: reads.map((share, at) => Math.max(0, share - (shares[at] as number))),
    writes: costs.map((cost) => cost.bytesOut / bytesOut),
    computeMs: costs.map((cost, at) => taskMs(members[at] as Member, { ...cost, bytesIn: 0, bytesOut: 0 })),
  };
}

/** As they travel, and those of them that are deflated, before that. */
export interface Sent {
  readonly bytes: number;
  readonly packed: number;
}

/** All bytes at the ends of a span, in a form. */
export interface SpanBytes {
  /** From the hub, and from those who made them. */
  readonly entering: Sent;
  readonly staying: Sent;
  readonly leaving: Sent;
}

export function spanBytes({ whole }: Span, form: WireForm): SpanBytes {
  const { reads = [], writes = [] } = whole;
  return {
    entering: allSent(reads, form, false),
    staying: allSent(reads, form, true),
    leaving: allSent(writes, form, true),
  };
}

function allSent(tensors: readonly TensorBytes[], form: WireForm, made: boolean): Sent {
  let [all, deflated] = [0, 0];
  for (const { tensor, bytes: plain } of tensors) {
    const { bytes, packed } = sentBytes(form.of(tensor), plain, made);
    all += bytes;
    deflated += packed;
  }
  return { bytes: all, packed: deflated };
}

export function keptCost(
  view: FleetView,
  keep: Keeping,
  shares: TileShares,
  { entering, staying, leaving }: SpanBytes,
): KeptCost {
  return {
    enterMs: enterMs(view, keep, shares, entering),
    stayMs: stayMs(view, keep, shares, staying),
    leaveMs: leaveMs(view, keep, shares.writes, leaving),
    computeMs: Math.max(...shares.computeMs),
  };
}

/** Inputs are sent one after the other, while those that have theirs compute. */
function enterMs(view: FleetView, keep: Keeping, { reads, computeMs }: TileShares, sent: Sent): number {
  const loads = Loads.of(view);
  const { hub } = view.fleet;
  let [from, end] = [0, 0];
  for (const [at, member] of keep.members.entries()) {
    const share = reads[at] as number;
    const [bytes, packed] = [share * sent.bytes, share * sent.packed];
    from += hub.messageMs + hub.byteMs * bytes + view.deflate.deflateMs * packed;
    const own = (computeMs[at] as number) + member.device.byteMs * bytes + member.deflate.inflateMs * packed;
    // What shares the hub's processor yields to messages.
    end = Math.max(end, loads.transfer(member.down, bytes, from) + own);
  }
  return end;
}

/**
 * Milliseconds until everybody has what neighbours sent, all of it sent at once, and has computed. What a device gets
 * comes straight where it has a broker of its own, and by the hub where it has none.
 */
function stayMs(view: FleetView, { members, cover }: Keeping, { lacks, computeMs }: TileShares, sent: Sent) {
  const brokers = members.filter(hasBroker).length;
  const neighbours = neighboursIn(cover);
  const loads = Loads.of(view);
  let [last, computed] = [0, 0];
  for (const [at, member] of members.entries()) {
    const lack = lacks[at] as number;
    const [bytes, packed] = [lack * sent.bytes, lack * sent.packed];
    const { device, deflate } = member;
    const packing = (deflate.inflateMs + deflate.deflateMs) * packed;
    const moved = 2 * (neighbours * stripMs(device) + device.byteMs * bytes) + packing;
    computed = Math.max(computed, (computeMs[at] as number) + moved);
    const [up, down] = brokers > 0 ? directLegs(view, member) : [member.up, member.down];
    // Of what it sends, as much as of the others have brokers.
    const straight = (brokers - (hasBroker(member) ? 1 : 0)) / Math.max(1, members.length - 1);
    if (straight > 0) loads.along(up, straight * bytes, straight * neighbours);
    if (straight < 1) loads.along(member.up, (1 - straight) * bytes, (1 - straight) * neighbours);
    loads.along(hasBroker(member) ? down : member.down, bytes, neighbours);
    if (hasBroker(member)) continue;
    loads.hub(neighbours, bytes);
    // The last strip passes the hub whole before it goes on.
    for (const leg of member.down) last = Math.max(last, (leg.msPerByte * bytes) / neighbours);
  }
  return loads.longest() + last + 2 * loads.latency + computed;
}

function hasBroker({ device }: Member): boolean {
  return device.endpoint === true;
}

/** Messages a device sends in an exchange: to the neighbour on either side, in a grid to those at the corners too. */
function neighboursIn({ bands }: Cover): number {
  let widest = 0;
  for (const { columns } of bands) widest = Math.max(widest, columns.length);
  return Math.max(1, Math.min(bands.length, 3) * Math.min(widest, 3) - 1);
}

/** What strips occupy that do not pass the hub, on their way out and in; the air they have in common with it but once. */
function directLegs({ resources, fleet: { hub } }: FleetView, { device, up, down }: Member) {
  if (device.medium === hub.medium) return [up, []] as const;
  const isOwn = ({ resource }: Leg): boolean => resources[resource] !== hub.medium;
  return [up.filter(isOwn), down.filter(isOwn)] as const;
}

/** One part of a sum, of a share of the map: it multiplies, reads weights and holds as much of them. */
export function partialCost(whole: PartCost, share: number): PartCost {
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
export function partialMs(
  view: FleetView,
  span: Span,
  keep: Keeping,
  shares: readonly number[],
  { leaving }: SpanBytes,
): number {
  let computed = 0;
  for (const [at, member] of keep.members.entries())
    computed = Math.max(computed, taskMs(member, partialCost(span.whole, shares[at] ?? 0)));
  const all = keep.members.map(() => 1);
  return computed + leaveMs(view, keep, all, leaving);
}

/** Milliseconds until what was made is at the hub. */
function leaveMs(view: FleetView, { members }: Keeping, writes: readonly number[], sent: Sent): number {
  const loads = Loads.of(view);
  for (const [at, member] of members.entries()) {
    const share = writes[at] as number;
    loads.along(member.up, share * sent.bytes, 1);
    loads.hub(1, share * sent.bytes, share * sent.packed);
  }
  return loads.longest() + loads.latency;
}
