/**
 * A pipeline that is planned for the devices that are there: waits for their profiles, searches, rolls out, and lets
 * the plan follow its devices.
 */

import { resolve } from 'node:path';
import type { Rollout } from '../../services/controller/controller.ts';
import type { ControllerPart } from '../../services/controller/part.ts';
import { type OpenedModel, preparePlan } from '../../services/controller/prepare.ts';
import { type Outline, Planner } from '../../services/controller/replan/planner.ts';
import type { Replanning, ReplanOptions } from '../../services/controller/replan/replanning.ts';
import { devicesOf } from '../../services/core/planning/advise/block-rows.ts';
import { sharedMediaText } from '../../services/core/planning/advise/shared-media-text.ts';
import { verdictText } from '../../services/core/planning/advise/words.ts';
import type { Fleet } from '../../services/core/planning/cost/fleet.ts';
import type { Draft } from '../../services/core/planning/draft.ts';
import type { BlobCache } from '../../services/core/runtime/blobs.ts';
import { monotonicMs } from '../../services/core/runtime/clock.ts';
import { asTilepipeError, TilepipeError } from '../../services/core/runtime/errors.ts';
import type { Log } from '../../services/core/runtime/log.ts';
import type { CodecLoss } from '../../services/core/schema/generated/announcement.ts';
import type { Devices } from '../../services/core/schema/generated/devices.ts';
import { gridCover } from '../../services/core/tiling/cover.ts';
import { understoodBy } from '../../services/core/wire/codecs.ts';
import { FRAMES_IN_FLIGHT, type PipelineConfig } from '../config.ts';
import { readDevicesFile } from '../devices-file.ts';
import { modelSettings } from '../settings.ts';
import { LinkWatch } from './link-watch.ts';
import { liveFleet, presentFleet } from './live-fleet.ts';
import { codecCheck, type ModelSource, modelSource, openSource } from './model-source.ts';
import { Rehearsal } from './rehearsal.ts';
import { leftOver, type Sharing, sharingText } from './shared-devices.ts';
import { untilEnough } from './until-enough.ts';

export interface PlannedDeps {
  readonly pipeline: PipelineConfig;
  /** What paths of the configuration are relative to. */
  readonly folder: string;
  readonly part: ControllerPart;
  readonly blobs: BlobCache;
  readonly log: Log;
  /** Workers started here that publish their profiles. */
  readonly workers: number;
  /** Ids of workers on the hub. */
  readonly local: ReadonlySet<string>;
  /** Told of every change of plan. */
  readonly changed?: ReplanOptions['changed'];
}

const WAIT_SECONDS = 120;
/** Where no device says what it can do. */
const FALLBACK = { rows: 2, columns: 2 };

interface Opened {
  readonly model: OpenedModel;
  readonly settings: Rollout['settings'];
  readonly because: string;
  readonly given: Devices | undefined;
}

export class PlannedPipeline {
  readonly #deps: PlannedDeps;
  readonly #plan: NonNullable<PipelineConfig['plan']>;
  readonly #objective: 'latency' | 'throughput';
  readonly #ended = new AbortController();
  #background: Promise<void> | undefined;
  /** The start of its replanning. */
  #following: Promise<void> | undefined;
  #rehearsal: Rehearsal | undefined;
  #replanning: Replanning | undefined;
  /** Plans of this pipeline, by digest. */
  readonly #own = new Set<string>();
  #unhear: (() => void) | undefined;
  #linkWatch: LinkWatch | undefined;
  /** Once the plan follows its devices. */
  #linksAsked: (() => void) | undefined;

  constructor(deps: PlannedDeps) {
    this.#deps = deps;
    this.#plan = deps.pipeline.plan ?? {};
    this.#objective = this.#plan.objective ?? 'latency';
  }

  /** Resolves when a plan has been rolled out. Rejects with `plan-impossible` where none fits, `interrupted` when it is stopped. */
  async start(): Promise<void> {
    const { pipeline, folder } = this.#deps;
    const { devices, waitForWorkers = 0, waitSeconds = WAIT_SECONDS } = this.#plan;
    const given = devices === undefined ? undefined : readDevicesFile(resolve(folder, devices));
    const source = modelSource(pipeline, folder);
    const model = await openSource(source);
    const { settings, because } = modelSettings(model, source.configured);
    const opened = { model, settings: { ...settings }, because, given };
    const expected = Math.max(1, (given?.devices.length ?? this.#deps.workers) + waitForWorkers);
    const came = await this.#wait(opened, expected, 1000 * waitSeconds);
    const missing = `of ${expected} workers with a profile ${this.#present(opened).devices.length} came within ${waitSeconds} s`;
    if (came || this.#present(opened).devices.length > 0) {
      if (!came)
        this.#deps.log.warn({ pipeline: pipeline.name }, `planned without waiting any longer: ${missing}`);
      await this.#links(opened).now();
      this.#ended.signal.throwIfAborted();
      await this.#rollOut(opened, source);
      return;
    }
    await this.#rollOutFallback(opened, missing);
    if (this.#plan.replan !== false) this.#background = this.#rollOutLater(opened, source);
  }

  async stop(): Promise<void> {
    this.#ended.abort(new TilepipeError('interrupted', 'stopped before the plan was made'));
    this.#linkWatch?.stop();
    await this.#rehearsal?.stop();
    await this.#following?.catch(() => undefined);
    await this.#background;
    this.#unhear?.();
    await this.#replanning?.stop();
  }

  #wait(opened: Opened, expected: number, limitMs?: number): Promise<boolean> {
    return untilEnough(this.#deps.part, {
      enough: () => this.#present(opened).devices.length >= expected,
      ...(limitMs === undefined ? {} : { limitMs }),
      signal: this.#ended.signal,
    });
  }

  /** Links of devices on the hub, and of those a file names, need not be measured. */
  #links({ given }: Opened): LinkWatch {
    const { part, log, local } = this.#deps;
    const named = given?.devices.map(({ name }) => name) ?? [];
    this.#linkWatch ??= new LinkWatch({
      part,
      log,
      known: new Set([...local, ...named]),
      asked: () => this.#linksAsked?.(),
    });
    return this.#linkWatch;
  }

  #fleet({ given }: Opened): Fleet {
    const { part, local } = this.#deps;
    const workers = part.controller.workers();
    const listening = workers.filter(({ endpoint }) => endpoint !== undefined);
    return liveFleet({
      given,
      profiles: part.profiles.all(),
      local,
      endpoints: new Set(listening.map(({ id }) => id)),
      codecs: new Map(workers.map((worker) => [worker.id, [...understoodBy(worker)]])),
    });
  }

  #present(opened: Opened): Fleet {
    const online = this.#deps.part.controller.workers().map(({ id }) => id);
    return presentFleet(this.#fleet(opened), online);
  }

  /** With the other pipelines, as they are now. */
  #sharing(): Sharing {
    const { pipeline, part } = this.#deps;
    const others = part.controller.pipelines.filter((name) => name !== pipeline.name).length;
    return { others, met: (device) => part.telemetry.contention(device, (plan) => this.#own.has(plan)) };
  }

  async #rollOutFallback({ model, settings, because }: Opened, missing: string): Promise<void> {
    const { pipeline, part, blobs, log } = this.#deps;
    const { rows, columns } = FALLBACK;
    const plan = await preparePlan(model, pipeline.name, gridCover(rows, columns), blobs);
    this.#ended.signal.throwIfAborted();
    this.#own.add(plan.digest);
    await part.controller.rollOut({ plan, settings, frames: this.#frames() });
    log.warn(
      { pipeline: pipeline.name, model: model.name, blocks: plan.plan.blocks.length, because },
      `not planned, cut ${rows}x${columns} for any worker: ${missing}`,
    );
  }

  /** The first workers with profiles that a plan fits end the makeshift. */
  async #rollOutLater(opened: Opened, source: ModelSource): Promise<void> {
    let tried = '';
    const news = (fleet: Fleet): boolean => fleet.devices.length > 0 && memoryText(fleet) !== tried;
    for (;;) {
      try {
        await untilEnough(this.#deps.part, {
          enough: () => news(this.#present(opened)),
          signal: this.#ended.signal,
        });
        tried = memoryText(this.#present(opened));
        await this.#rollOut(opened, source);
        return;
      } catch (error) {
        const { code, message } = asTilepipeError(error);
        if (code === 'interrupted') return;
        this.#deps.log.warn({ pipeline: this.#deps.pipeline.name, code }, message);
        if (code !== 'plan-impossible') return;
      }
    }
  }

  async #rollOut(opened: Opened, source: ModelSource): Promise<void> {
    const { pipeline, part, blobs } = this.#deps;
    const options = {
      pipeline: pipeline.name,
      objective: this.#objective,
      // One frame after the other is all that a plan for latency looks at.
      ...(this.#objective === 'latency' || pipeline.maxInFlight === undefined
        ? {}
        : { inFlight: pipeline.maxInFlight }),
    };
    const check = codecCheck(source, opened.model, blobs);
    const planner = new Planner({
      ...options,
      model: opened.model,
      blobs,
      ...(check === undefined ? {} : { check }),
    });
    let outlines: readonly Outline[] | undefined;
    // One that found nothing that fits may be at it still.
    await this.#rehearsal?.stop();
    this.#rehearsal = new Rehearsal({
      order: { ...options, source, blobs: blobs.folder },
      checked: () => planner.checked,
      told: (rehearsed) => {
        planner.adopt(rehearsed);
        outlines ??= rehearsed.outlines;
      },
      log: this.#deps.log,
    });
    const sharing = this.#sharing();
    const fleet = leftOver(this.#present(opened), sharing);
    await this.#rehearsal.begin(fleet);
    this.#ended.signal.throwIfAborted();
    const { draft, plan } = await planner.settle(fleet);
    this.#ended.signal.throwIfAborted();
    const running = { plan, settings: opened.settings, frames: this.#frames(draft), at: monotonicMs() };
    await part.controller.rollOut(running);
    this.#say(opened, draft, outlines ?? [draft], { fleet, sharing, loss: plan.loss });
    if (this.#plan.replan === false) return this.#rehearsal.stop();
    this.#ended.signal.throwIfAborted();
    this.#following = this.#follow(opened, planner, { ...running, draft });
    await this.#following;
  }

  async #follow(opened: Opened, planner: Planner, running: ReplanOptions['running']): Promise<void> {
    const { sensitivity } = this.#plan;
    const { changed } = this.#deps;
    // While workers load what was rolled out.
    await planner.practise();
    this.#ended.signal.throwIfAborted();
    this.#replanning = await this.#deps.part.replan({
      fleet: this.#fleet(opened),
      objective: this.#objective,
      plan: planner.plan,
      predict: planner.predict,
      prepare: planner.prepare,
      others: planner.others,
      prepareMs: planner.prepareMs,
      frames: (draft) => this.#frames(draft),
      ...(sensitivity === undefined ? {} : { policy: { sensitivity } }),
      ...(changed === undefined ? {} : { changed }),
      running,
    });
    this.#tellProfiles(opened, this.#replanning);
    this.#links(opened).start();
  }

  #tellProfiles(opened: Opened, replanning: Replanning): void {
    const planned = new Set(this.#fleet(opened).devices.map(({ id }) => id));
    const { profiles, links } = this.#deps.part;
    this.#unhear = profiles.onProfile(({ device }) => {
      // Half a round says nothing of what is shared, and would undo what the one before said.
      if (links.asking && planned.has(device)) return;
      void this.#tell(opened, replanning, { fresh: !planned.has(device), planned });
    });
    this.#linksAsked = () => void this.#tell(opened, replanning, { fresh: true, planned });
  }

  /** A device that was never planned for, or other links, are rehearsed first, for the search takes seconds. */
  async #tell(
    opened: Opened,
    replanning: Replanning,
    { fresh, planned }: { fresh: boolean; planned: Set<string> },
  ): Promise<void> {
    const fleet = this.#fleet(opened);
    // Where another has come meanwhile, that one's turn is for both.
    if (fresh && !(await this.#rehearsal?.begin(fleet))) return;
    for (const { id } of fleet.devices) planned.add(id);
    replanning.profiled(fleet);
  }

  #frames(draft?: Draft): Rollout['frames'] {
    const { maxInFlight, maxWaiting, deadlineMs, attempts } = this.#deps.pipeline;
    const wanted = this.#objective === 'throughput' ? draft?.inFlight : undefined;
    return { maxInFlight: maxInFlight ?? wanted ?? FRAMES_IN_FLIGHT, maxWaiting, deadlineMs, attempts };
  }

  #say(
    { model, because }: Opened,
    best: Draft,
    outlines: readonly Outline[],
    {
      fleet,
      sharing,
      loss,
    }: { readonly fleet: Fleet; readonly sharing: Sharing; readonly loss: CodecLoss | undefined },
  ): void {
    const others = outlines.map((outline) => ({
      name: outline.strategy,
      draft: { ...outline, blocks: [] },
      fits: true,
      framesPerSecond: outline.predicted.framesPerSecond,
    }));
    const alone = outlines.find(({ strategy }) => strategy === 'one-device')?.predicted;
    const { latencyMs, framesPerSecond } = best.predicted;
    this.#deps.log.info(
      {
        pipeline: this.#deps.pipeline.name,
        model: model.name,
        because,
        strategy: best.strategy,
        blocks: best.blocks.length,
        devices: devicesOf(best, fleet),
        of: fleet.devices.length,
        latencyMs: rounded(latencyMs),
        framesPerSecond: rounded(framesPerSecond),
        ...(loss === undefined ? {} : { loss }),
        ...(alone === undefined
          ? {}
          : {
              oneDeviceMs: rounded(alone.latencyMs),
              oneDeviceFramesPerSecond: rounded(alone.framesPerSecond),
            }),
      },
      [verdictText(best, others, fleet, this.#objective), mediaText(fleet)].join(' ').trim() +
        sharingText(fleet, sharing),
    );
  }
}

/** What devices share, as a sentence. */
function mediaText(fleet: Fleet): string {
  const text = sharedMediaText(fleet);
  return text === '' ? '' : `${text}.`;
}

/** Who is there, with how much memory: all that decides whether anything fits. */
function memoryText({ devices }: Fleet): string {
  return devices.map(({ id, memoryBytes }) => `${id} ${memoryBytes}`).join('\n');
}

function rounded(value: number): number {
  return Math.round(10 * value) / 10;
}
