/** From documents to the fleet the planner counts with: profiles measured or given by hand, media, the hub. */

import { TilepipeError } from '../../runtime/errors.ts';
import type { Devices } from '../../schema/generated/devices.ts';
import type { Profile } from '../../schema/generated/profile.ts';
import { MBIT, parseSize } from '../units.ts';
import {
  type Device,
  type Fleet,
  HUB_BYTE_MS,
  HUB_MESSAGE_MS,
  type Hub,
  type KindCost,
  type Medium,
} from './fleet.ts';
import { LEAN_OVERHEAD } from './worker-memory.ts';

type DeviceEntry = Devices['devices'][number];
type MediumEntry = NonNullable<Devices['media']>[number];

/** Milliseconds a message takes where nothing else is said: a wired home network. */
const LATENCY_MS = 0.5;

/**
 * What follows the answer of a task takes a processor as long as so many bytes do: 2 ms where a byte takes 1.5 ns. Workers
 * under quotas were seen to take 2 to 10 ms a task more in streams than they computed and moved.
 */
const BYTES_AFTER = 1.3e6;

/** How a profile becomes a device of a fleet. */
export interface Attachment {
  /** The worker's id; the profile's own by default. */
  readonly id?: string;
  /** How many times as fast as the profile says. */
  readonly speed?: number;
  readonly memoryBytes?: number;
  /** Tasks it takes at once; 2 by default. */
  readonly slots?: number;
  /** Name of the medium between it and the hub; absent: on the hub. */
  readonly medium?: string;
  /** Whether its worker has a broker of its own. */
  readonly endpoint?: boolean;
  /** Whatever the profile says. */
  readonly estimated?: boolean;
}

/** The device a profile describes. */
export function deviceOf(profile: Profile, attachment: Attachment = {}): Device {
  const { id = profile.device, speed = 1, medium, slots, endpoint } = attachment;
  const kinds = Object.entries(profile.kinds).map(
    ([kind, { run, mac, byte, weight }]): [string, KindCost] => [
      kind,
      { run: run / speed, mac: mac / speed, byte: byte / speed, weight: weight / speed },
    ],
  );
  return {
    id,
    kinds: new Map(kinds),
    taskMs: profile.taskMs / speed,
    byteMs: profile.byteMs / speed,
    afterMs: (BYTES_AFTER * profile.byteMs) / speed,
    memoryBytes: attachment.memoryBytes ?? profile.memoryBytes ?? Number.POSITIVE_INFINITY,
    idleBytes: profile.idleBytes,
    ...(profile.lean ? { overhead: LEAN_OVERHEAD } : {}),
    ...(slots === undefined ? {} : { slots }),
    ...(medium === undefined ? {} : { medium }),
    ...(endpoint === undefined ? {} : { endpoint }),
    estimated: profile.estimated || (attachment.estimated ?? false),
  };
}

/** Of what a device sends, a half is left each way where both ways share the air; less, where the way back is slower. */
const LEFT_BOTH_WAYS = 0.45;

/**
 * The medium that a profile's own measurements of its link describe: the slower direction, both at once; or what it had
 * in its own turn, for workers that start together measure each other.
 */
export function mediumOf({ device, link }: Profile): Medium | undefined {
  if (link === undefined) return undefined;
  const slower = Math.min(link.upBytesPerMs, link.downBytesPerMs);
  const { aloneOutBytesPerMs: out = 0, aloneBothBytesPerMs: both = 0 } = link.together ?? {};
  const bytesPerMs = Math.max(slower, both >= LEFT_BOTH_WAYS * out ? out : both);
  return { name: `link of ${device}`, bytesPerMs, duplex: 'full', latencyMs: link.latencyMs };
}

/**
 * The fleet of a document whose profiles are at hand, none still the name of a file. Throws `config-invalid` for a name
 * given twice, a medium or a device that is not there, and a device without a profile.
 */
export function fleetOf({ hub = {}, media = [], devices }: Devices): Fleet {
  const all = new Map<string, Medium>();
  for (const entry of media) {
    if (all.has(entry.name)) throw invalid(`medium "${entry.name}" is there twice`);
    all.set(entry.name, mediumEntry(entry));
  }
  const entries = new Map<string, DeviceEntry>();
  for (const entry of devices) {
    if (entries.has(entry.name)) throw invalid(`device "${entry.name}" is there twice`);
    entries.set(entry.name, entry);
  }
  const made = devices.map((entry) => {
    if (entry.mbit !== undefined) all.set(cableOf(entry), cable(entry));
    return deviceEntry(entry, entries, all);
  });
  return { hub: hubOf(hub, all), media: all, devices: made };
}

function hubOf(
  { medium, messageMs = HUB_MESSAGE_MS, byteMs = HUB_BYTE_MS }: NonNullable<Devices['hub']>,
  media: ReadonlyMap<string, Medium>,
): Hub {
  if (medium === undefined) return { messageMs, byteMs };
  known(medium, media, 'the hub');
  return { messageMs, byteMs, medium };
}

function mediumEntry({ name, mbit, duplex = 'full', latencyMs = LATENCY_MS, hops = 1 }: MediumEntry): Medium {
  return { name, bytesPerMs: (mbit * MBIT) / hops, duplex, latencyMs: latencyMs * hops };
}

const cableOf = ({ name }: DeviceEntry): string => `cable of ${name}`;

function cable(entry: DeviceEntry): Medium {
  if (entry.medium !== undefined)
    throw invalid(`device "${entry.name}" has both a medium and mbit: give one`);
  return mediumEntry({ name: cableOf(entry), mbit: entry.mbit as number });
}

function deviceEntry(
  entry: DeviceEntry,
  entries: ReadonlyMap<string, DeviceEntry>,
  media: ReadonlyMap<string, Medium>,
): Device {
  const { name, memory, slots, endpoint, estimated } = entry;
  const medium = entry.mbit === undefined ? entry.medium : cableOf(entry);
  if (medium !== undefined) known(medium, media, `device "${name}"`);
  const { profile, speed } = profileOf(entry, entries, []);
  return deviceOf(profile, {
    id: name,
    speed,
    ...(memory === undefined ? {} : { memoryBytes: parseSize(memory, 'config-invalid') }),
    ...(slots === undefined ? {} : { slots }),
    ...(medium === undefined ? {} : { medium }),
    ...(endpoint === undefined ? {} : { endpoint }),
    // Somebody else's figures, or scaled ones, are guesses unless the document says otherwise.
    estimated: estimated ?? (entry.like !== undefined || entry.speed !== undefined),
  });
}

/** The profile of an entry, by way of those it is like; speeds multiply. */
function profileOf(
  entry: DeviceEntry,
  entries: ReadonlyMap<string, DeviceEntry>,
  way: readonly string[],
): { readonly profile: Profile; readonly speed: number } {
  const { name, profile, like, speed = 1 } = entry;
  if ((profile === undefined) === (like === undefined))
    throw invalid(`device "${name}" needs a profile or a device it is like, one of them`);
  if (typeof profile === 'string') throw invalid(`device "${name}": its profile ${profile} was not read`);
  if (profile !== undefined) return { profile, speed };
  if (way.includes(name))
    throw invalid(`devices ${[...way, name].join(' -> ')} are like one another in a circle`);
  const other = entries.get(like as string);
  if (other === undefined) throw invalid(`device "${name}" is like "${like}", which is not there`);
  const found = profileOf(other, entries, [...way, name]);
  return { profile: found.profile, speed: found.speed * speed };
}

function known(medium: string, media: ReadonlyMap<string, Medium>, whose: string): void {
  if (media.has(medium)) return;
  const names = [...media.keys()].join(', ') || 'none';
  throw invalid(`${whose} is on medium "${medium}", which is not there (known: ${names})`);
}

function invalid(problem: string): TilepipeError {
  return new TilepipeError('config-invalid', problem);
}
