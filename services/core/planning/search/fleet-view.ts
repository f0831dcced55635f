/** A fleet as numbers: every processor and every direction of every medium a resource, every device its ways to them. */

import { TilepipeError } from '../../runtime/errors.ts';
import { type DeflateCost, deviceDeflate, hubDeflate } from '../cost/deflate.ts';
import { computeMs, type Device, type Fleet, type Medium } from '../cost/fleet.ts';
import type { Work } from '../cost/work.ts';
import type { PartCost } from './span.ts';

/** A medium that a transfer occupies. */
export interface Leg {
  readonly resource: number;
  readonly latencyMs: number;
  readonly msPerByte: number;
}

/** A device of the fleet. */
export interface Member {
  readonly device: Device;
  /** Position in the fleet. */
  readonly index: number;
  /** Devices with equal numbers compute and are reached alike. */
  readonly kind: number;
  /** Devices with equal numbers are of a kind, and on the same media with others. */
  readonly like: number;
  /** It shares the hub's processor, and nothing travels to it. */
  readonly local: boolean;
  /** Its processor. */
  readonly processor: number;
  /** What it may have of the splitter's tasks at once, and of the merger's. */
  readonly places: readonly [splitter: number, merger: number];
  /** Media from the hub to it, and from it to the hub; none where it is local. */
  readonly down: readonly Leg[];
  readonly up: readonly Leg[];
  /** Milliseconds of work that was asked for before: what it takes at all, and what grows with its size. */
  readonly times: WeakMap<Work, { readonly fixed: number; readonly growing: number }>;
  readonly deflate: DeflateCost;
}

export interface FleetView {
  readonly fleet: Fleet;
  readonly members: readonly Member[];
  /** Names of resources: `hub` first, then devices' processors and media, and at the end devices' places for tasks. */
  readonly resources: readonly string[];
  /** The first of the places: they are never what a plan is said to wait for. */
  readonly firstPlace: number;
  /** Resources that all tasks may have in common: the hub's processor, and media of several devices. */
  readonly shared: readonly number[];
  /** Of the hub. */
  readonly deflate: DeflateCost;
}

/** Tasks a dispatcher gives a device at once where nothing else is said: one computed, one received meanwhile. */
export const SLOTS = 2;

/** Resource 0: the processor of the hub. */
export const HUB = 0;

export function legMs({ latencyMs, msPerByte }: Leg, bytes: number): number {
  return latencyMs + bytes * msPerByte;
}

/** Throws `config-invalid` where a device or the hub is on a medium that the fleet does not have. */
export function viewOf(fleet: Fleet): FleetView {
  const resources = ['hub'];
  const lanes = new Map<string, number>();
  const kinds = new Map<string, number>();
  const timesOf: Member['times'][] = [];
  const medium = (name: string): Medium => {
    const found = fleet.media.get(name);
    if (found === undefined) throw new TilepipeError('config-invalid', `there is no medium "${name}"`);
    return found;
  };
  const leg = (name: string, direction: 'in' | 'out', times: number): Leg => {
    const { duplex, latencyMs, bytesPerMs } = medium(name);
    const lane = duplex === 'half' ? name : `${name} ${direction}`;
    const resource = lanes.get(lane) ?? resources.push(name) - 1;
    lanes.set(lane, resource);
    return { resource, latencyMs: times * latencyMs, msPerByte: times / bytesPerMs };
  };
  const legs = (name: string | undefined, down: boolean): Leg[] => {
    if (name === undefined) return [];
    const own = down ? 'in' : 'out';
    // One medium for both ends: every message crosses it twice, to the access point and from it.
    if (name === fleet.hub.medium) return [leg(name, own, 2)];
    const hub = fleet.hub.medium === undefined ? [] : [leg(fleet.hub.medium, down ? 'out' : 'in', 1)];
    return [...hub, leg(name, own, 1)];
  };
  const processors = new Map<string, number>();
  const processorOf = ({ id, medium: far, processor }: Device): number => {
    if (far !== undefined || processor === undefined) return resources.push(id) - 1;
    const known = processors.get(processor) ?? resources.push(processor) - 1;
    processors.set(processor, known);
    return known;
  };
  const reached = fleet.devices.map((device, index): Omit<Member, 'like' | 'places'> => {
    const local = device.medium === undefined && device.processor === undefined;
    const key = kindKey(device, fleet);
    const kind = kinds.get(key) ?? kinds.size;
    kinds.set(key, kind);
    const times = timesOf[kind] ?? new WeakMap();
    timesOf[kind] = times;
    const processor = local ? HUB : processorOf(device);
    return {
      device,
      index,
      kind,
      local,
      processor,
      down: legs(device.medium, true),
      up: legs(device.medium, false),
      times,
      deflate: deviceDeflate(device),
    };
  });
  const firstPlace = resources.length;
  const members = reached.map((member): Omit<Member, 'like'> => {
    const { id } = member.device;
    return { ...member, places: [resources.push(id) - 1, resources.push(id) - 1] };
  });
  const shared = sharedResources(members);
  const deflate = hubDeflate(fleet.hub);
  return { fleet, members: alike(members, shared), resources, firstPlace, shared, deflate };
}

function sharedResources(members: readonly Omit<Member, 'like'>[]): number[] {
  const users = new Map<number, number>();
  for (const { down, up } of members) {
    const own = new Set([...down, ...up].map(({ resource }) => resource));
    for (const resource of own) users.set(resource, (users.get(resource) ?? 0) + 1);
  }
  const several = [...users].filter(([, count]) => count > 1).map(([resource]) => resource);
  return [HUB, ...several.sort((a, b) => a - b)];
}

function alike(members: readonly Omit<Member, 'like'>[], shared: readonly number[]): Member[] {
  const common = new Set(shared);
  const found = new Map<string, number>();
  return members.map((member) => {
    const used = [...member.down, ...member.up].map(({ resource }) => resource);
    const key = `${member.kind} ${used.filter((resource) => common.has(resource)).join(' ')}`;
    const like = found.get(key) ?? found.size;
    found.set(key, like);
    return { ...member, like };
  });
}

function kindKey({ kinds, taskMs, byteMs, medium }: Device, { media, hub }: Fleet): string {
  const link = medium === undefined ? undefined : media.get(medium);
  const lines = [...kinds].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([
    lines,
    taskMs,
    byteMs,
    link && [link.bytesPerMs, link.duplex, link.latencyMs, medium === hub.medium],
  ]);
}

/** One device of each kind and memory: any other of the kind does as well. */
export function kindsOf(members: readonly Member[]): Member[] {
  const kinds = new Map<string, Member>();
  for (const member of members) {
    const { memoryBytes, idleBytes } = member.device;
    const key = `${member.kind} ${memoryBytes} ${idleBytes}`;
    if (!kinds.has(key)) kinds.set(key, member);
  }
  return [...kinds.values()];
}

/** Milliseconds of a device's processor for a task: taking it in, computing, and sending what it made. */
export function taskMs(member: Member, cost: PartCost): number {
  const { share, bytesIn, bytesOut, packedIn = 0, packedOut = 0 } = cost;
  const { device, deflate } = member;
  const { fixed, growing } = timesOf(member, cost.work);
  const bytesMs = device.byteMs * (bytesIn + bytesOut);
  const packMs = deflate.inflateMs * packedIn + deflate.deflateMs * packedOut;
  return fixed + growing * (share ?? 1) + bytesMs + packMs;
}

/** Of those, what a task takes whatever share of the work it is. */
export function fixedMs(member: Member, { work }: PartCost): number {
  return timesOf(member, work).fixed;
}

/** Of those, what grows with the share of the work it is. */
export function growingMs(member: Member, { work }: PartCost): number {
  return timesOf(member, work).growing;
}

function timesOf({ device, times }: Member, work: Work): { fixed: number; growing: number } {
  let known = times.get(work);
  if (known === undefined) {
    const fixed = computeMs(
      device,
      work.map((each) => ({ ...each, macs: 0, bytes: 0 })),
    );
    known = { fixed, growing: computeMs(device, work) - fixed };
    times.set(work, known);
  }
  return known;
}

/** Milliseconds of the hub's processor for sending a part its inputs. */
export function sendMs({ fleet: { hub }, deflate }: FleetView, { bytesIn, packedIn = 0 }: PartCost): number {
  return hub.messageMs + hub.byteMs * bytesIn + deflate.deflateMs * packedIn;
}

/** Milliseconds of the hub's processor for gathering what a part made. */
export function gatherMs(
  { fleet: { hub }, deflate }: FleetView,
  { bytesOut, packedOut = 0 }: PartCost,
): number {
  return hub.messageMs + hub.byteMs * bytesOut + deflate.inflateMs * packedOut;
}
