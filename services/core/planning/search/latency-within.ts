/**
 * The recurrence of the least latency where devices' memory is short: what a device holds adds up over the blocks, so
 * that a cut is reached in several ways none of which is both faster and smaller than another.
 */

import type { FleetView, Member } from './fleet-view.ts';
import { bytesOn, fits, type Holding, holdingsOf, together } from './memory-of.ts';
import { type Estimated, sharedOptions, type TimedStep, wholeOptions } from './options.ts';
import type { SearchSpace } from './space.ts';
import type { Span } from './span.ts';
import { type LatencyPlans, type Step, stepsTo } from './step.ts';

interface Label {
  readonly ms: number;
  readonly shared: boolean;
  readonly held: ReadonlyMap<number, Holding>;
  readonly before: Label | undefined;
  readonly step: Step | undefined;
}

interface Way extends TimedStep {
  readonly held: ReadonlyMap<number, Holding>;
}

/** What is left to spend on working options out, in operators times tiles: tens of microseconds each. */
interface Budget {
  effort: number;
}

const EFFORT = 20_000;
/** Options worked out for every span, whatever they cost: those that seem fastest. */
const LEAST_BUILT = 1;
/** Ways kept at a cut: the fastest, and those that leave most room; with few cuts there is time for more. */
const MOST_FAST = 48;
const MOST_ROOMY = 16;
const FEW_CUTS = 8;
const MORE = 4;
/** Ways compared with one another. */
const MOST_CHECKED = 512;

/** As `latencyPlans`, with every device's blocks held together. */
export function latencyWithin(space: SearchSpace, view: FleetView, members: readonly Member[]): LatencyPlans {
  const reached: Label[][] = [
    [{ ms: 0, shared: false, held: new Map(), before: undefined, step: undefined }],
  ];
  const budget: Budget = { effort: EFFORT };
  for (let to = 1; to <= space.end; to++) {
    const found: Label[] = [];
    for (let from = 0; from < to; from++) {
      const before = reached[from] as Label[];
      const span = before.length === 0 ? undefined : space.span(from, to);
      if (span !== undefined) extend(view, before, waysOf(view, span, members, budget), found);
    }
    reached.push(kept(view, undominated(found), space.end <= FEW_CUTS ? MORE : 1));
  }
  const ends = reached[space.end] as Label[];
  const best = (shared: boolean): readonly Step[] | undefined => {
    const label = ends.find((end) => end.shared === shared);
    return label && stepsTo(label, ({ step }) => step);
  };
  return { whole: best(false), shared: best(true) };
}

function waysOf(view: FleetView, span: Span, members: readonly Member[], budget: Budget): Way[] {
  const shared = estimated(view, span, members).flatMap((option, at) => {
    if (at >= LEAST_BUILT && budget.effort <= 0) return [];
    budget.effort -= option.effort;
    return option.build() ?? [];
  });
  const options = [...wholeOptions(view, span, members), ...shared];
  const ways = options.map((option): Way => ({ ...option, held: holdingsOf(option.step) }));
  return ways.filter(
    (way, at) => !ways.some((other, position) => other !== way && beats(other, way, position < at)),
  );
}

/** Shared options of a span that may be worked out, those that seem fastest first. */
const MOST_BUILT = 48;

function estimated(view: FleetView, span: Span, members: readonly Member[]): Estimated[] {
  const options = sharedOptions(view, span, members).flatMap((option) => option.estimate() ?? []);
  return options.sort((a, b) => a.ms - b.ms).slice(0, MOST_BUILT);
}

/** Whether a way is as good as another on the same devices: no slower, no larger. */
function beats(a: Way, b: Way, first: boolean): boolean {
  const isShared = (way: Way): boolean => way.step.mode !== 'whole';
  if (isShared(a) !== isShared(b) || a.ms > b.ms || !within(a.held, b.held)) return false;
  return a.ms < b.ms || !within(b.held, a.held) || first;
}

function extend(view: FleetView, before: readonly Label[], ways: readonly Way[], found: Label[]): void {
  for (const label of before) {
    const tried = new Set<string>();
    for (const { step, ms, held } of ways) {
      // A device like another that holds as much is as good as that.
      if (step.mode === 'whole') {
        const key = likeness(view, label, step.parts[0]?.on[0] as number);
        if (tried.has(key)) continue;
        tried.add(key);
      }
      const both = together([label.held, held]);
      if (!fits(view, both)) continue;
      found.push({
        ms: label.ms + ms,
        shared: label.shared || step.mode !== 'whole',
        held: both,
        before: label,
        step,
      });
    }
  }
}

function likeness({ members }: FleetView, { held }: Label, index: number): string {
  const { kind, device } = members[index] as Member;
  const { weights = 0, activations = 0, subModels = 0 } = held.get(index) ?? {};
  return `${kind} ${device.memoryBytes - device.idleBytes} ${weights} ${activations} ${subModels}`;
}

function undominated(labels: Label[]): Label[] {
  labels.sort((a, b) => a.ms - b.ms);
  const found: Label[] = [];
  for (const label of labels) {
    if (!found.some((other) => other.shared === label.shared && within(other.held, label.held)))
      found.push(label);
    if (found.length >= MOST_CHECKED) break;
  }
  return found;
}

function kept(view: FleetView, labels: readonly Label[], times: number): Label[] {
  const [fast, roomiest] = [times * MOST_FAST, times * MOST_ROOMY];
  if (labels.length <= fast + roomiest) return [...labels];
  const rest = labels.slice(fast).map((label) => ({ label, fullest: fullest(view, label) }));
  rest.sort((a, b) => a.fullest - b.fullest || a.label.ms - b.label.ms);
  const roomy = rest.slice(0, roomiest).map(({ label }) => label);
  return [...labels.slice(0, fast), ...roomy].sort((a, b) => a.ms - b.ms);
}

/** Share of its memory that the fullest device uses. */
function fullest({ members }: FleetView, { held }: Label): number {
  let most = 0;
  for (const [index, holding] of held) {
    const member = members[index] as Member;
    most = Math.max(most, bytesOn(member, holding) / member.device.memoryBytes);
  }
  return most;
}

/** Whether one holds no more than the other on any device. */
function within(a: ReadonlyMap<number, Holding>, b: ReadonlyMap<number, Holding>): boolean {
  for (const [index, { weights, activations, subModels }] of a) {
    const other = b.get(index);
    if (other === undefined || weights > other.weights || activations > other.activations) return false;
    if (subModels > other.subModels) return false;
  }
  return true;
}
