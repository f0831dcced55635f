/** What a plan gives in a stream, where its devices take turns as they come: by the simulator instead of by sums of loads. */

import { computeMs, type Device, type Fleet } from '../cost/fleet.ts';
import type { Draft, DraftPart } from '../draft.ts';
import { simulate } from './simulate.ts';

const ROUNDS = 8;
const LEAST_UNDER_WAY = 8;
/** Devices of which one takes this many times as long as another are unequal. */
const UNEQUAL = 1.02;

/** Frames of a stream with so many under way: what fills and what empties it are a small part. */
export function framesFor(inFlight: number): number {
  return ROUNDS * Math.max(inFlight, LEAST_UNDER_WAY);
}

/**
 * Whether sums of loads promise more than a dispatcher keeps: unequal devices that take what comes are not all busy all
 * the time, because a slow one is given nothing that a fast one will have done sooner; and one that takes a task at a
 * time stands still between those of two parts.
 */
export function isTakenAsItComes({ blocks }: Pick<Draft, 'blocks'>, { hub, devices, media }: Fleet): boolean {
  const narrow = devices.filter(({ slots }) => slots === 1);
  const partsOn = ({ id }: Device): number =>
    blocks.reduce((sum, { parts }) => sum + parts.filter((part) => part.devices.includes(id)).length, 0);
  if (narrow.some((device) => partsOn(device) > 1)) return true;
  const byId = new Map(devices.map((device) => [device.id, device]));
  const paceMs = (part: DraftPart, { medium, ...device }: Device): number => {
    const times = medium === hub.medium ? 2 : 1;
    const msPerByte = times / (media.get(medium ?? '')?.bytesPerMs ?? Number.POSITIVE_INFINITY);
    return computeMs(device, part.work) + msPerByte * (part.bytesIn + part.bytesOut);
  };
  return blocks.some(({ parts }) =>
    parts.some((part) => {
      const able = part.devices.flatMap((id) => byId.get(id) ?? []);
      if (able.length < 2) return false;
      // One on the hub shares its processor with the messages of all others.
      if (able.some(({ medium }) => medium === undefined)) return true;
      const paces = able.map((device) => paceMs(part, device));
      return Math.max(...paces) > UNEQUAL * Math.min(...paces);
    }),
  );
}

/** Times the frames under way are doubled while that gains more than this. */
const MOST_DOUBLED = 2;
const GAIN = 1.02;

/**
 * The draft with the rate the simulator sees. Where the number of frames under way is free, it is raised as long as that
 * pays: a slow device is given something only when enough waits for the fast ones.
 */
export function withStreamRate(draft: Draft, fleet: Fleet, free: boolean): Draft {
  const { blocks, predicted } = draft;
  const rateOf = (inFlight: number): number =>
    simulate(blocks, fleet, { frames: framesFor(inFlight), inFlight, binding: 'late' }).framesPerSecond;
  let { inFlight } = draft;
  let rate = rateOf(inFlight);
  for (let times = 0; free && times < MOST_DOUBLED && predicted.framesPerSecond > GAIN * rate; times++) {
    const more = rateOf(2 * inFlight);
    if (more <= GAIN * rate) break;
    inFlight *= 2;
    rate = more;
  }
  return { ...draft, inFlight, predicted: { ...predicted, framesPerSecond: rate } };
}
