/** What devices have in common on their way to the hub, from links measured alone and all at once. */

import { median } from '../../runtime/quantile.ts';
import type { Profile } from '../../schema/generated/profile.ts';
import type { Medium } from './fleet.ts';
import { namesText } from './names-text.ts';

/** What the hub is known to carry, so that it is not taken for a medium. */
export interface HubLimits {
  /** Of its processor: milliseconds per byte, in or out. */
  readonly byteMs: number;
  /** Bytes per millisecond of its own link in one direction, where that is known. */
  readonly bytesPerMs?: number | undefined;
}

export interface SharedLink {
  readonly medium: Medium;
  /** Ids of the devices that share it. */
  readonly devices: readonly string[];
  /**
   * `devices`: it is what one of them alone fills, and stands in place of a cable each. `hub`: none of them alone fills
   * it, so that their own links stay and this is the hub's.
   */
  readonly place: 'devices' | 'hub';
}

type Figure = 'outBytesPerMs' | 'bothBytesPerMs' | 'aloneOutBytesPerMs' | 'aloneBothBytesPerMs';
type Linked = Profile & { readonly link: NonNullable<Profile['link']> };
type Member = Linked & { readonly link: { readonly together: NonNullable<Linked['link']['together']> } };

/** With less than this of what it had alone a device shares its way; several of equal speed have a half or less. */
export const SHARED = 0.7;
/** All together carry no more than so many times what one alone did: it is the medium of each. */
const FILLED = 1.3;
/** Of its processor's or its own link's time, as far as measurements can be trusted: then the hub is the limit. */
const HUB_LIMIT = 0.8;

/** The newest round that all its devices have answered, in order of id; empty where there is none. */
export function wholeRound(profiles: readonly Profile[]): Member[] {
  const rounds = new Map<string, Member[]>();
  for (const profile of profiles) {
    if (!isMember(profile)) continue;
    const { round } = profile.link.together;
    rounds.set(round, [...(rounds.get(round) ?? []), profile]);
  }
  const whole = [...rounds.values()].filter(
    (members) => members.length === members[0]?.link.together.devices,
  );
  whole.sort(([a], [b]) => ((a as Member).link.together.at < (b as Member).link.together.at ? 1 : -1));
  return whole[0] ?? [];
}

/** Whether these devices have all measured their links in one round that is whole. */
export function measuredTogether(profiles: readonly Profile[], ids: readonly string[]): boolean {
  const members = new Set(wholeRound(profiles).map(({ device }) => device));
  return ids.every((id) => members.has(id));
}

/**
 * The medium that devices share, as far as the newest whole round shows one: two of them or more with less than 0.7 of
 * what each had alone, for which the hub is not the reason. Several media cannot be told from one by a single round.
 */
export function sharedLink(profiles: readonly Profile[], hub: HubLimits): SharedLink | undefined {
  const all = wholeRound(profiles);
  const slowed = all.filter(({ link: { together } }) => {
    return together.outBytesPerMs < SHARED * together.aloneOutBytesPerMs;
  });
  if (slowed.length < 2 || hubIsLimit(all, hub)) return undefined;
  const most = Math.max(...slowed.map(({ link }) => link.together.aloneOutBytesPerMs));
  if (sum(slowed, 'outBytesPerMs') <= FILLED * most) return shared(slowed, 'devices');
  // What is on its way through the hub's link is of all devices, slowed or not.
  return shared(all, 'hub');
}

function shared(members: readonly Member[], place: SharedLink['place']): SharedLink {
  const out = sum(members, 'outBytesPerMs');
  const both = sum(members, 'bothBytesPerMs');
  // What one alone had of its medium says the same once more; of the hub's link it says nothing.
  const [aloneOut, aloneBoth] =
    place === 'hub' ? [0, 0] : [sum(members, 'aloneOutBytesPerMs'), sum(members, 'aloneBothBytesPerMs')];
  const duplex = both + aloneBoth < SHARED * (out + aloneOut) ? 'half' : 'full';
  const devices = members.map(({ device }) => device);
  return {
    devices,
    place,
    medium: {
      name: `${place === 'hub' ? 'the way to the hub' : 'medium'} of ${namesText(devices)}`,
      // What was seen twice, and the less of it.
      bytesPerMs: Math.min(out, duplex === 'half' ? 2 * both : both),
      duplex,
      // A transfer of the hub's is one of a device's as well, whose link has the latency.
      latencyMs: place === 'hub' ? 0 : median(members.map(({ link }) => link.latencyMs)),
    },
  };
}

function hubIsLimit(all: readonly Member[], { byteMs, bytesPerMs }: HubLimits): boolean {
  const out = sum(all, 'outBytesPerMs');
  const both = sum(all, 'bothBytesPerMs');
  const busy = Math.max(out, 2 * both) * byteMs;
  return busy >= HUB_LIMIT || (bytesPerMs !== undefined && Math.max(out, both) >= HUB_LIMIT * bytesPerMs);
}

function sum(members: readonly Member[], figure: Figure): number {
  return members.reduce((total, { link }) => total + link.together[figure], 0);
}

function isMember(profile: Profile): profile is Member {
  return profile.link?.together !== undefined;
}
