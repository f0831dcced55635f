/** What a re-planning needs of the planner: search, prediction and preparation of one model on changing fleets. */

import { setImmediate } from 'node:timers/promises';
import type { Fleet } from '../../core/planning/cost/fleet.ts';
import type { Draft, LossyCodec, RefusedCodec } from '../../core/planning/draft.ts';
import { type Cuts, KnownCuts } from '../../core/planning/replan/known-cuts.ts';
import { likelyFleets, nearbyFleets } from '../../core/planning/replan/likely-fleets.ts';
import { sameDraft } from '../../core/planning/replan/present-draft.ts';
import { type SearchResult, type SearchSpace, search } from '../../core/planning/search/search.ts';
import { lazySpace } from '../../core/planning/search/space.ts';
import { simulate } from '../../core/planning/simulate/simulate.ts';
import type { BlobCache } from '../../core/runtime/blobs.ts';
import { monotonicMs } from '../../core/runtime/clock.ts';
import { TilepipeError } from '../../core/runtime/errors.ts';
import { isLossless } from '../../core/wire/codecs.ts';
import { type OpenedModel, type PreparedPlan, prepareDraft } from '../prepare.ts';
import { type WrittenModel, WrittenModels } from '../written-models.ts';
import { type CheckedCodecs, type CodecCheck, CodecsRefused } from './codec-check.ts';
import { fallbackDraft } from './fallback-draft.ts';
import { type PackedDraft, packed, unpacked } from './packed-draft.ts';
import type { ReplanOptions } from './replanning.ts';

export interface PlannerOptions {
  readonly model: OpenedModel;
  readonly pipeline: string;
  readonly blobs: BlobCache;
  readonly objective: ReplanOptions['objective'];
  /** Frames under way at once, as the pipeline allows them; absent: as many as pay, for throughput. */
  readonly inFlight?: number;
  /** How tasks are handed out: `frames.binding` of the roll-out. */
  readonly binding?: 'late' | 'static';
  /** Where it is there, plans may use codecs that change values, as far as it lets them. */
  readonly check?: CodecCheck;
}

/** What sample frames have said so far. */
export interface Checked {
  /** Look by look. */
  readonly refused: readonly (readonly RefusedCodec[])[];
  /** By what `checkKey` makes of a draft. */
  readonly drafts: readonly (readonly [key: string, checked: CheckedCodecs])[];
}

/** A draft without its blocks. */
export type Outline = Pick<Draft, 'strategy' | 'inFlight' | 'predicted'>;

/** What a rehearsal found out, as it passes from one process to another. */
export interface Rehearsed {
  readonly cuts: Cuts;
  readonly written: readonly WrittenModel[];
  /** The best plan of each strategy for the fleet just rehearsed, the best first. */
  readonly outlines: readonly Outline[];
  readonly checked: Checked;
  /** The best of them; absent for fleets whose plans are too much like others to be compared with the best one day. */
  readonly best?: PackedDraft;
}

export interface RehearseOptions {
  /** Ends it early, between two plans. */
  readonly signal?: AbortSignal;
  /** Told after every plan, the first of them that of the fleet as it is. */
  readonly told?: (rehearsed: Rehearsed) => void;
}

/** Frames simulated per prediction: enough for a steady state, and a few milliseconds of work. */
const FRAMES = 24;

/** Likely fleets practised with: a device slow, and the same one away. */
const PRACTISED = 2;

/** A look at sample frames, where none was timed. */
const CHECK_MS = 10_000;
/** To write a byte of weights, on a quarter of a processor. */
const WRITE_MS = 1e-4;
/** Rehearsed plans that are compared with the best when links change. */
const REHEARSED = 6;

const LOSSY: readonly LossyCodec[] = ['fp16', 'uint8', 'jpeg'];

export class Planner {
  readonly #options: PlannerOptions;
  readonly #all: SearchSpace;
  readonly #cuts: KnownCuts;
  readonly #checked = new Map<string, CheckedCodecs>();
  /** Of each draft found: what else there was, and for which fleet. */
  readonly #found = new WeakMap<Draft, { readonly others: readonly Draft[]; readonly fleet: Fleet }>();
  /** The same of the best plan made last: for drafts made elsewhere. */
  #latest: { readonly others: readonly Draft[]; readonly fleet: Fleet } | undefined;
  /** The plans rehearsed, for the fleet as it was and for what may become of it. */
  #rehearsed: readonly Draft[] = [];
  /** Of the last look at sample frames. */
  #checkMs = CHECK_MS;
  #refused: Checked['refused'] = [];
  /** The first plan, and the fleet it is for. */
  #settled: { readonly fleet: Fleet; readonly draft: Draft } | undefined;
  /** The cuts between which all is known of blocks. */
  #workedOut: SearchSpace | undefined;

  constructor(options: PlannerOptions) {
    this.#options = options;
    // Where another process rehearses, hardly any of it is ever asked for.
    this.#all = lazySpace(options.model.graph, options.model.analysis);
    this.#cuts = new KnownCuts(this.#all);
  }

  get objective(): ReplanOptions['objective'] {
    return this.#options.objective;
  }

  /** The best plan for a fleet: among all cuts for devices that are new, else among those known. Throws `plan-impossible`. */
  readonly plan = (fleet: Fleet): Draft => {
    const known = this.#cuts.spaceFor(fleet);
    const { best } = known === undefined ? this.#survey(fleet) : this.#search(known, fleet);
    this.#latest = this.#found.get(best);
    return best;
  };

  /** Both the running plan and the new one by the simulator, so that what it gets wrong it gets wrong for both. */
  readonly predict = ({ blocks, inFlight }: Draft, fleet: Fleet) => {
    const { objective, binding = 'late' } = this.#options;
    const options =
      objective === 'latency'
        ? { frames: 1, inFlight: 1, binding }
        : { frames: Math.max(FRAMES, 3 * inFlight), inFlight, binding };
    const { latency, framesPerSecond } = simulate(blocks, fleet, options);
    return { latencyMs: latency.median, framesPerSecond };
  };

  /**
   * With its fallback, where it needs one that fits. Rejects with `accuracy-refused` where the draft's codecs lose too much;
   * later plans do without those that lose most.
   */
  readonly prepare = async (draft: Draft): Promise<PreparedPlan> => {
    const { model, pipeline, blobs } = this.#options;
    const { ranges, loss } = await this.#check(draft);
    const written = await prepareDraft(model, pipeline, { ...draft, ranges }, blobs);
    const prepared = loss === undefined ? written : { ...written, loss };
    const { others = [], fleet } = this.#found.get(draft) ?? this.#latest ?? {};
    const second = fleet && fallbackDraft(draft, others.map(exact), fleet);
    if (second === undefined) return prepared;
    const fallback = await prepareDraft(model, pipeline, second, blobs);
    return { ...prepared, fallback: { ...fallback, draft: second } };
  };

  /** What is compared with the best plan: the best of the other strategies, and plans rehearsed for whatever devices. */
  readonly others = (best: Draft): readonly Draft[] => [
    ...(this.#found.get(best)?.others.filter((other) => other !== best) ?? []),
    ...this.#rehearsed,
  ];

  /**
   * Milliseconds until a draft can be announced, as far as more than moments: nobody has seen what its codecs lose, or its
   * weights are not in the store.
   */
  readonly prepareMs = (draft: Draft): number => {
    const checkMs = this.#isChecked(draft) || this.#checked.has(checkKey(draft)) ? 0 : this.#checkMs;
    return checkMs + WRITE_MS * this.#unwritten(draft);
  };

  /** The best plan for a fleet whose codecs keep to the accuracy asked for, prepared. Rejects with `plan-impossible`. */
  async settle(fleet: Fleet): Promise<{ readonly draft: Draft; readonly plan: PreparedPlan }> {
    const found = await this.#kept(() => this.plan(fleet));
    const settled = found as NonNullable<typeof found>;
    this.#settled = { fleet, draft: settled.draft };
    return settled;
  }

  /**
   * Goes through a change of the plan settled on, for nobody: code that has run is compiled, and what blocks and cuts come
   * to is known. On a slow hub that takes most of a second, which frames would wait for when a device has become slow; so
   * its time is when workers still load the first plan.
   */
  async practise(): Promise<void> {
    if (this.#settled === undefined) return;
    const { fleet, draft } = this.#settled;
    for (const other of [...likelyFleets(fleet)].slice(1, 1 + PRACTISED)) {
      await setImmediate();
      // All cuts are looked at for somebody only.
      const known = this.#cuts.spaceFor(other);
      const found = known && this.#possible(other, known);
      if (found !== undefined) this.predict(found.best, other);
    }
    await setImmediate();
    await this.prepare(draft);
  }

  /** The cuts of the best of all plans are known from then on. */
  #survey(fleet: Fleet): SearchResult {
    const found = this.#search(this.#all, fleet);
    this.#cuts.learn(found.best, fleet);
    return found;
  }

  /**
   * Plans ahead for a fleet in which one device is slow or away: their cuts are known then, and their sub-models in the
   * store. Takes a search of all cuts for each: meant for the time before frames come, or for another process.
   */
  async rehearse(fleet: Fleet, { signal, told }: RehearseOptions = {}): Promise<void> {
    for (const likely of likelyFleets(fleet)) {
      if (signal?.aborted) return;
      let found: SearchResult | undefined;
      await this.#kept(() => {
        found = this.#possible(likely);
        return found?.best;
      });
      if (found !== undefined) this.#tell(found, told, found.best);
    }
    for (const nearby of nearbyFleets(fleet)) {
      const known = this.#cuts.spaceFor(nearby);
      if (signal?.aborted || known === undefined) return;
      let found: SearchResult | undefined;
      await this.#kept(() => {
        found = this.#possible(nearby, known);
        return found?.best;
      });
      if (found !== undefined) this.#tell(found, told);
    }
  }

  #tell({ alternatives }: SearchResult, told: RehearseOptions['told'], best?: Draft): void {
    const outlines = alternatives.map(({ blocks: _, ...outline }) => outline);
    told?.({
      cuts: this.#cuts.cuts,
      written: this.#written.entries(),
      outlines,
      checked: this.checked,
      ...(best === undefined ? {} : { best: packed(best) }),
    });
  }

  /** What sample frames have said so far, here and elsewhere. */
  get checked(): Checked {
    return { refused: this.#refused, drafts: [...this.#checked] };
  }

  /** What sample frames said elsewhere, of the same model. */
  learn({ refused, drafts }: Checked): void {
    for (const look of refused) this.#refuse(look);
    for (const [key, known] of drafts) this.#checked.set(key, known);
  }

  /** What was rehearsed elsewhere, with the same model and the same store. */
  adopt({ cuts, written, checked, best }: Rehearsed): void {
    const fleet = this.#settled?.fleet;
    const before = fleet && this.#cuts.spaceFor(fleet);
    this.#cuts.adopt(cuts);
    this.#written.adopt(written);
    this.learn(checked);
    if (best !== undefined) this.#keep(unpacked(best, this.#options.model.graph));
    // No more cuts have come: what lies between them is worked out now, not when a device has become slow.
    if (fleet === undefined || before === undefined || before !== this.#cuts.spaceFor(fleet)) return;
    if (before === this.#workedOut) return;
    this.#workedOut = before;
    this.#possible(fleet, before);
  }

  /** Every refusal leaves fewer codecs to search with, at last none. */
  async #kept(
    find: () => Draft | undefined,
  ): Promise<{ readonly draft: Draft; readonly plan: PreparedPlan } | undefined> {
    for (;;) {
      const draft = find();
      if (draft === undefined) return undefined;
      const before = this.#refused;
      try {
        return { draft, plan: await this.prepare(draft) };
      } catch (error) {
        // Where nothing new is refused the same draft would be found for ever.
        if (!(error instanceof CodecsRefused) || this.#refused === before) throw error;
      }
    }
  }

  /** Bytes of weights to be written. Those that write cut tensors in a short form are of another graph: not counted. */
  #unwritten({ blocks, codecs = {} }: Draft): number {
    if (Object.values(codecs).some((codec) => codec !== 'raw')) return 0;
    const written = this.#written;
    const bytes = new Map<string, number>();
    for (const [id, { block, mode, parts }] of blocks.entries())
      for (const { tile, weightBytes } of parts)
        if (written.find({ ...block, kind: mode }, tile.pattern) === undefined)
          bytes.set(mode === 'tile' ? `${id}` : `${id} ${tile.pattern}`, weightBytes);
    return [...bytes.values()].reduce((sum, each) => sum + each, 0);
  }

  /** The one rehearsed last stays longest: they are told from the likeliest to the rarest, and links change the furthest. */
  #keep(draft: Draft): void {
    const others = this.#rehearsed.filter((other) => !sameDraft(other, draft));
    this.#rehearsed = [...others, draft].slice(-REHEARSED);
  }

  /** Whether no sample frames need be looked at for it, whatever they say. */
  #isChecked(draft: Draft): boolean {
    return this.#options.check === undefined || isExact(draft);
  }

  async #check(draft: Draft): Promise<CheckedCodecs> {
    const { check } = this.#options;
    if (check === undefined || this.#isChecked(draft)) return { ranges: {} };
    const key = checkKey(draft);
    const known = this.#checked.get(key);
    if (known !== undefined) return known;
    const began = monotonicMs();
    try {
      const checked = await check(draft);
      this.#checked.set(key, checked);
      return checked;
    } catch (error) {
      if (error instanceof CodecsRefused) this.#refuse(error.refused);
      throw error;
    } finally {
      this.#checkMs = monotonicMs() - began;
    }
  }

  #refuse(look: readonly RefusedCodec[]): void {
    const key = JSON.stringify(look);
    if (this.#refused.some((known) => JSON.stringify(known) === key)) return;
    this.#refused = [...this.#refused, look];
  }

  get #written(): WrittenModels {
    const { model, blobs } = this.#options;
    return new WrittenModels(model.graph, blobs);
  }

  /** Nothing may fit without the one device that has the memory for it. */
  #possible(fleet: Fleet, known?: SearchSpace): SearchResult | undefined {
    try {
      return known === undefined ? this.#survey(fleet) : this.#search(known, fleet);
    } catch (error) {
      if (error instanceof TilepipeError && error.code === 'plan-impossible') return undefined;
      throw error;
    }
  }

  #search(space: SearchSpace, fleet: Fleet): SearchResult {
    const { objective, inFlight } = this.#options;
    const found = search(space, fleet, {
      objective,
      ...(inFlight === undefined ? {} : { inFlight }),
      ...(this.#options.check === undefined ? {} : { wire: { lossy: LOSSY, refused: this.#refused } }),
    });
    for (const each of [found.best, ...found.alternatives])
      this.#found.set(each, { others: found.alternatives, fleet });
    return found;
  }
}

/**
 * Equal for drafts that lose about the same: the same tensors by the same codecs between as many parts. Where exactly a
 * tile ends changes when a device is slower, and is no reason to look at sample frames again.
 */
function checkKey({ blocks, codecs = {}, wire = {} }: Draft): string {
  const parts = blocks.map(({ mode, entry = 'merge', parts }) => `${mode} ${entry} ${parts.length}`);
  return JSON.stringify([parts, ...[codecs, wire].map((all) => Object.entries(all).sort())]);
}

/** Without codecs that change values: a fallback is no reason to look at sample frames again. */
function exact({ codecs: _, wire = {}, ...draft }: Draft): Draft {
  return {
    ...draft,
    wire: Object.fromEntries(Object.entries(wire).filter(([, codec]) => isLossless(codec))),
  };
}

function isExact({ codecs = {}, wire = {} }: Draft): boolean {
  return [...Object.values(codecs), ...Object.values(wire)].every(isLossless);
}
