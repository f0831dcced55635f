/** Fleets that are not there: changed as a question asks, or with other links. */

import { TilepipeError } from '../../runtime/errors.ts';
import { nearest } from '../../runtime/suggest.ts';
import { type Device, type Fleet, type Hub, type KindCost, type Medium, OTHER } from '../cost/fleet.ts';
import { workingBytes } from '../cost/worker-memory.ts';
import { MBIT } from '../units.ts';
import type { Change } from './what-if.ts';

/** What a cable is taken for where a question adds a device and there is no link to go by. */
export const ASSUMED_LINK: Omit<Medium, 'name'> = { bytesPerMs: 1000 * MBIT, duplex: 'full', latencyMs: 0.3 };

/** The fleet after all changes, in order. Throws `usage` where one names what is not there, or no device is left. */
export function changedFleet(fleet: Fleet, changes: readonly Change[]): Fleet {
  return changes.reduce(changed, fleet);
}

function changed(fleet: Fleet, change: Change): Fleet {
  switch (change.kind) {
    case 'add':
      return Array.from({ length: change.count }).reduce<Fleet>(withCopy, fleet);
    case 'remove':
      return withoutLast(fleet, change.count);
    case 'link':
      return withLink(fleet, change.bytesPerMs, change.on);
    case 'memory':
      return withDevices(fleet, change.on, (device) => limited(device, change.bytes));
    case 'cpu':
      return withSpeed(fleet, change.factor, change.on);
  }
}

/** A device with so many bytes for weights and activations, beside the worker itself. */
export function limited(device: Device, bytes: number): Device {
  return { ...device, memoryBytes: workingBytes(device) + bytes };
}

/** One more device like the last: on the same air, or on a cable of its own where the last one has one. */
function withCopy(fleet: Fleet): Fleet {
  const last = lastOf(fleet);
  const id = freeName(
    last.id,
    fleet.devices.map((device) => device.id),
  );
  const media = new Map(fleet.media);
  let hub = fleet.hub;
  const like = last.medium ?? hub.medium ?? [...media.keys()][0];
  let medium = like;
  if (like === undefined) {
    // Nothing is known of any link: a cable to each side is assumed, the hub's shared by all.
    for (const name of ['hub-link', `${id}-link`]) media.set(name, { name, ...ASSUMED_LINK });
    hub = { ...hub, medium: 'hub-link' };
    medium = `${id}-link`;
  } else if (ownCable(fleet, like) || like === hub.medium) {
    const model = media.get(like);
    if (model !== undefined && model.duplex === 'full') {
      medium = freeName(like, [...media.keys()]);
      media.set(medium, { ...model, name: medium });
    }
  }
  const copy: Device = { ...last, id, estimated: true, ...(medium === undefined ? {} : { medium }) };
  return { hub, media, devices: [...fleet.devices, copy] };
}

function ownCable(fleet: Fleet, medium: string): boolean {
  return (
    fleet.hub.medium !== medium && fleet.devices.filter((device) => device.medium === medium).length === 1
  );
}

function freeName(like: string, taken: readonly string[]): string {
  const stem = like.replace(/\+\d+$/, '');
  let number = 1;
  while (taken.includes(`${stem}+${number}`)) number++;
  return `${stem}+${number}`;
}

function lastOf({ devices }: Fleet): Device {
  const last = devices.at(-1);
  if (last === undefined) throw new TilepipeError('usage', 'there is no device to copy');
  return last;
}

function withoutLast(fleet: Fleet, count: number): Fleet {
  if (count >= fleet.devices.length) {
    throw new TilepipeError(
      'usage',
      `what-if "-${count} devices" leaves none of ${fleet.devices.length}; at least one must stay`,
    );
  }
  return { ...fleet, devices: fleet.devices.slice(0, -count) };
}

function withLink(fleet: Fleet, bytesPerMs: number, on: string | undefined): Fleet {
  known('medium', on, [...fleet.media.keys()]);
  return withMedia(fleet, (medium) =>
    on === undefined || medium.name === on ? { ...medium, bytesPerMs } : medium,
  );
}

/** The fleet with every medium replaced. */
function withMedia(fleet: Fleet, change: (medium: Medium) => Medium): Fleet {
  return { ...fleet, media: new Map([...fleet.media].map(([name, medium]) => [name, change(medium)])) };
}

/** The fleet whose slowest medium carries `bytesPerMs`, the others in proportion; latencies stay. */
export function withSlowestLink(fleet: Fleet, bytesPerMs: number): Fleet {
  const factor = bytesPerMs / slowestLink(fleet);
  return withMedia(fleet, (medium) => ({ ...medium, bytesPerMs: medium.bytesPerMs * factor }));
}

/** Bytes per millisecond of every medium that a device or the hub is on. */
export function linkSpeeds({ media, devices, hub }: Fleet): number[] {
  const used = new Set([hub, ...devices].map(({ medium }) => medium));
  return [...media.values()].flatMap(({ name, bytesPerMs }) => (used.has(name) ? bytesPerMs : []));
}

/** The slowest of them; Infinity where there is none. */
export function slowestLink(fleet: Fleet): number {
  return Math.min(...linkSpeeds(fleet));
}

function withSpeed(fleet: Fleet, factor: number, on: string | undefined): Fleet {
  const faster = withDevices(fleet, on, (device) => ({
    ...device,
    kinds: new Map([...device.kinds].map(([kind, cost]) => [kind, divided(cost, factor)])),
    taskMs: device.taskMs / factor,
    byteMs: device.byteMs / factor,
    ...(device.afterMs === undefined ? {} : { afterMs: device.afterMs / factor }),
  }));
  // The hub's processor is that of the devices on it: it changes with them, and with a change of all.
  const shared =
    on === undefined ||
    fleet.devices.some(
      ({ id, medium, processor }) => id === on && medium === undefined && processor === undefined,
    );
  if (!shared) return faster;
  const hub: Hub = {
    ...fleet.hub,
    messageMs: fleet.hub.messageMs / factor,
    byteMs: fleet.hub.byteMs / factor,
  };
  return { ...faster, hub };
}

function divided({ run, mac, byte, weight }: KindCost, by: number): KindCost {
  return { run: run / by, mac: mac / by, byte: byte / by, weight: weight / by };
}

function withDevices(fleet: Fleet, on: string | undefined, change: (device: Device) => Device): Fleet {
  known(
    'device',
    on,
    fleet.devices.map(({ id }) => id),
  );
  return {
    ...fleet,
    devices: fleet.devices.map((device) => (on === undefined || device.id === on ? change(device) : device)),
  };
}

function known(what: string, name: string | undefined, names: readonly string[]): void {
  if (name === undefined || names.includes(name)) return;
  const meant = nearest(name, names);
  const hint = meant === undefined ? `there are: ${names.join(', ') || 'none'}` : `did you mean "${meant}"?`;
  throw new TilepipeError('usage', `what-if: there is no ${what} "${name}"; ${hint}`);
}

/** The fleet as somebody sees it who takes all devices for equal: everyone has the mean coefficients. */
export function levelled(fleet: Fleet): Fleet {
  const { devices } = fleet;
  const names = new Set(devices.flatMap(({ kinds }) => [...kinds.keys()]));
  const mean = (of: (device: Device) => number): number =>
    devices.reduce((sum, device) => sum + of(device), 0) / devices.length;
  const kinds = new Map(
    [...names].map((kind) => {
      const coefficient = (key: keyof KindCost): number =>
        mean((device) => (device.kinds.get(kind) ?? device.kinds.get(OTHER))?.[key] ?? 0);
      return [
        kind,
        {
          run: coefficient('run'),
          mac: coefficient('mac'),
          byte: coefficient('byte'),
          weight: coefficient('weight'),
        },
      ];
    }),
  );
  const taskMs = mean((device) => device.taskMs);
  return { ...fleet, devices: devices.map((device) => ({ ...device, kinds, taskMs })) };
}
