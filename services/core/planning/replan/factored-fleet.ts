/** A fleet as it is now: the profiled one with some devices away and others slower. */

import type { Device, Fleet, KindCost, Medium } from '../cost/fleet.ts';

export interface Factors {
  /** Devices that are there. */
  readonly present: ReadonlySet<string>;
  /** Times by which a device's processor is slower than profiled. */
  readonly speed: (device: string) => number;
  /** Times by which a device's link is slower than profiled. */
  readonly link: (device: string) => number;
  /** The same of the hub's own link, where that was seen apart from theirs; never more than all of theirs are. */
  readonly hub?: number | undefined;
}

export function factoredFleet({ hub, media, devices }: Fleet, factors: Factors): Fleet {
  const { present, speed, link } = factors;
  const there = devices.filter(({ id }) => present.has(id));
  const linked = there.filter(({ medium }) => medium !== undefined);
  // By which all of them are slower at least: where nothing is known of it, it may be the hub's own link as well.
  const common = Math.max(1, Math.min(...linked.map(({ id }) => link(id))));
  const hubs = Math.min(common, factors.hub ?? common);
  const slower = (name: string): number => {
    const users = linked.filter(({ medium }) => medium === name);
    if (users.length === 0) return name === hub.medium && linked.length > 0 ? hubs : 1;
    return middle(users.map(({ id }) => link(id)));
  };
  return {
    hub,
    media: new Map([...media].map(([name, medium]) => [name, slowerMedium(medium, slower(name))])),
    devices: there.map((device) => slowerDevice(device, speed(device.id))),
  };
}

function slowerDevice(device: Device, by: number): Device {
  const kinds = [...device.kinds].map(([kind, cost]): [string, KindCost] => [
    kind,
    { run: cost.run * by, mac: cost.mac * by, byte: cost.byte * by, weight: cost.weight * by },
  ]);
  const { taskMs, byteMs, afterMs = 0 } = device;
  return {
    ...device,
    kinds: new Map(kinds),
    taskMs: taskMs * by,
    byteMs: byteMs * by,
    afterMs: afterMs * by,
  };
}

function slowerMedium(medium: Medium, by: number): Medium {
  return { ...medium, bytesPerMs: medium.bytesPerMs / by, latencyMs: medium.latencyMs * by };
}

/** One device in trouble is not its whole medium: that is slow where half of its devices say so. */
export function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[(values.length - 1) >> 1] ?? 1;
}
