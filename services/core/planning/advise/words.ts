/** What an advice says, in sentences. */

import type { Fleet } from '../cost/fleet.ts';
import type { Draft, Strategy } from '../draft.ts';
import type { Objective } from '../search/search.ts';
import { simulate } from '../simulate/simulate.ts';
import type { Alternative } from './alternatives.ts';
import { costOf } from './alternatives.ts';
import { devicesOf } from './block-rows.ts';
import { type BreakEven, FASTEST_LINK, SLOWEST_LINK } from './break-even.ts';
import { linkSpeeds, slowestLink } from './changed-fleet.ts';
import { latencyParts } from './latency-parts.ts';
import { PLAN_NAMES } from './plan-names.ts';
import { factorText, figure, frameRateText, rateText, timeText } from './units.ts';

/** A gain below this factor is said to be hardly worth the trouble. */
const SLIGHT = 1.1;

const SPREADS: Readonly<Record<Exclude<Strategy, 'one-device'>, (count: number) => string>> = {
  replicas: (count) => `Run whole frames by turns on ${count} devices`,
  pipeline: (count) => `Pipeline over ${count} devices`,
  parallel: (count) => `Spread over ${count} devices`,
  halo: (count) => `Spread over ${count} devices that keep their tiles`,
  mixed: (count) => `Spread over ${count} devices`,
};

/** The whole advice in one sentence. `others` are the plans the chosen one was held against. */
export function verdictText(
  chosen: Draft,
  others: readonly Alternative[],
  fleet: Fleet,
  objective: Objective,
): string {
  const used = devicesOf(chosen, fleet);
  const single = others.find(({ name, fits }) => name === 'one-device' && fits)?.draft;
  if (chosen.strategy === 'one-device')
    return `Stay on one device: ${stayReason(chosen, others, fleet, objective)}.`;
  const [only = ''] = used.length === 1 ? used : [];
  const doing =
    only === '' ? SPREADS[chosen.strategy](used.length) : `Run in parts, one after the other, on ${only}`;
  if (single === undefined) {
    const why =
      only === '' ? 'the model fits on no device alone' : 'the model fits on no device in one piece';
    return `${doing}: ${amount(chosen, objective)}; ${why}.`;
  }
  const factor = costOf(single.predicted, objective) / costOf(chosen.predicted, objective);
  const change =
    objective === 'latency'
      ? `${factorText(factor)}x faster (${timeText(single.predicted.latencyMs)} -> ${timeText(chosen.predicted.latencyMs)})`
      : `${factorText(factor)}x the frames (${figure(single.predicted.framesPerSecond)} -> ${frameRateText(chosen.predicted.framesPerSecond)})`;
  return `${doing}: ${change}${factor < SLIGHT ? ', hardly better than one device' : ''}.`;
}

function stayReason(
  chosen: Draft,
  others: readonly Alternative[],
  fleet: Fleet,
  objective: Objective,
): string {
  const [device = 'it'] = devicesOf(chosen, fleet);
  if (fleet.devices.length === 1) return `${device} is the only one, ${amount(chosen, objective)}`;
  const next = runnerUp(others, objective);
  if (next === undefined) return `${amount(chosen, objective)} on ${device}; no plan on several fits`;
  return `${amount(chosen, objective)} on ${device}; the best on several (${PLAN_NAMES[next.name]}) is expected to give ${amount(next.draft, objective)}`;
}

/** The best that uses several devices. For one frame alone whole frames by turns are one device again. */
function runnerUp(others: readonly Alternative[], objective: Objective): Alternative | undefined {
  return others.find(
    ({ name, fits }) =>
      fits &&
      name !== 'one-device' &&
      name !== 'equal-tiles' &&
      (name !== 'replicas' || objective === 'throughput'),
  );
}

function amount({ predicted }: Draft, objective: Objective): string {
  return objective === 'latency'
    ? `${timeText(predicted.latencyMs)} a frame`
    : frameRateText(predicted.framesPerSecond);
}

/** Why an alternative was not chosen. */
export function alternativeText(
  { draft, fits }: Alternative,
  chosen: Draft,
  fleet: Fleet,
  objective: Objective,
): string {
  if (draft === chosen) return 'chosen';
  if (!fits) return `needs more memory than ${shortOf(draft, fleet)} has`;
  const factor = costOf(draft.predicted, objective) / costOf(chosen.predicted, objective);
  if (factor < 0.995) return 'faster by less than a prediction is sure of';
  if (factor < 1.005) return 'as good';
  if (objective === 'throughput') return `${factorText(1 / factor)}x the frames`;
  const slower = `${factorText(factor)}x slower`;
  return draft.strategy === 'halo' ? `${slower}, ${waitText(draft, fleet)}` : slower;
}

/** What a frame waits for that is spread out, beside computing. */
function waitText({ blocks }: Draft, fleet: Fleet): string {
  const alone = simulate(blocks, fleet, { frames: 1, inFlight: 1, binding: 'late', timeline: true });
  const { transferMs, hubMs } = latencyParts(alone.timeline ?? []);
  return `of it ${timeText(transferMs)} of links alone and ${timeText(hubMs)} of the hub alone`;
}

function shortOf({ predicted }: Draft, { devices }: Fleet): string {
  const short = devices.find(({ id, memoryBytes }) => (predicted.memoryBytes[id] ?? 0) > memoryBytes);
  return short?.id ?? 'a device';
}

/** Directions of a full-duplex medium, as the simulator names them: seen from whom it belongs to. */
const DIRECTIONS: Readonly<Record<string, string>> = { in: 'inwards', out: 'outwards' };

/** What decides the rate of a plan, and what would help. `busy` is its share of the time, 0 to 1. */
export function bottleneckText(resource: string, busy: number, fleet: Fleet): string {
  const share = `busy ${Math.round(100 * Math.min(1, busy))} % of the time in a steady stream`;
  if (resource === 'hub')
    return `The hub's processor is ${share}, with messages and copies: fewer bytes or a faster hub would help.`;
  const medium = [...fleet.media.values()].find(
    ({ name }) => resource === name || resource === `${name} in` || resource === `${name} out`,
  );
  if (medium !== undefined) {
    const direction = DIRECTIONS[resource.slice(medium.name.length).trim()] ?? 'both ways together';
    return `The link "${medium.name}" (${rateText(medium.bytesPerMs)}, ${direction}) is ${share}: a faster link would help.`;
  }
  return `${resource} computes: it is ${share}; a faster or a further device would help.`;
}

/** The break-even in a sentence. `fastest` is what the search finds over the fastest links. */
export function breakEvenText(
  result: BreakEven,
  fleet: Fleet,
  objective: Objective,
  fastest: readonly Alternative[],
): string {
  switch (result.kind) {
    case 'no-link':
      return 'There is no link between these devices, so its speed decides nothing.';
    case 'link': {
      const { which, now } = linkWords(fleet);
      return `Below ${rateText(result.bytesPerMs)}${which} stay on one device; ${now}.`;
    }
    case 'between': {
      const { which, now } = linkWords(fleet);
      const [best, other] = result.several
        ? ['several devices are best', 'one device is']
        : ['one device is best', 'several are'];
      return `${rangeText(result)}${which} ${best}, next to that ${other}; ${now}.`;
    }
    case 'always':
      return `Several devices are best at any link speed from ${rateText(SLOWEST_LINK)} up${fastest.some(({ name }) => name === 'one-device') ? '' : ': the model fits on no device alone'}.`;
    case 'never':
      return `One device is best at any link speed: ${neverReason(fleet, objective, fastest)}.`;
  }
}

/** Of which link a speed is, and what it has now. */
function linkWords(fleet: Fleet): { readonly which: string; readonly now: string } {
  const has = rateText(slowestLink(fleet));
  if (new Set(linkSpeeds(fleet)).size === 1) return { which: '', now: `the links have ${has}` };
  return { which: ' on the slowest link, the others in proportion,', now: `it has ${has}` };
}

function rangeText({ from, to }: { readonly from?: number; readonly to?: number }): string {
  if (from === undefined) return `Up to ${rateText(to ?? FASTEST_LINK)}`;
  return to === undefined ? `From ${rateText(from)} up` : `Between ${rateText(from)} and ${rateText(to)}`;
}

function neverReason(fleet: Fleet, objective: Objective, fastest: readonly Alternative[]): string {
  if (fleet.devices.length === 1) return 'there is no other';
  const single = fastest.find(({ name }) => name === 'one-device')?.draft;
  const next = runnerUp(fastest, objective)?.draft;
  if (single === undefined || next === undefined) return 'no plan on several devices fits';
  return `even over ${rateText(FASTEST_LINK)} the best on several (${PLAN_NAMES[next.strategy]}) gives ${amount(next, objective)} against ${amount(single, objective)}, because halo, messages and copies cost more than the others' computing saves`;
}
