/** The pipelines of a configuration: each model opened, cut or planned, and rolled out by the controller. */

import { dirname, resolve } from 'node:path';
import type { ControllerPart } from '../services/controller/part.ts';
import { preparePlan } from '../services/controller/prepare.ts';
import { parseGrid } from '../services/core/planning/grid.ts';
import type { BlobCache } from '../services/core/runtime/blobs.ts';
import { TilepipeError } from '../services/core/runtime/errors.ts';
import type { Log } from '../services/core/runtime/log.ts';
import { gridCover } from '../services/core/tiling/cover.ts';
import { FRAMES_IN_FLIGHT, type FullConfig, type PipelineConfig } from './config.ts';
import { modelSource, openSource } from './planned/model-source.ts';
import { PlannedPipeline } from './planned/planned-pipeline.ts';
import { modelSettings } from './settings.ts';

export interface DeploymentsDeps {
  readonly config: FullConfig;
  /** Of the configuration: model paths are relative to its folder. */
  readonly file: string;
  /** Started before, stopped after. */
  readonly part: ControllerPart;
  readonly blobs: BlobCache;
  readonly log: Log;
  /** Workers started here that publish their profiles, and which of them are on the hub. */
  readonly workers: number;
  readonly local: ReadonlySet<string>;
}

export class Deployments {
  readonly #deps: DeploymentsDeps;
  readonly #planned: PlannedPipeline[] = [];
  #stopped = false;

  constructor(deps: DeploymentsDeps) {
    this.#deps = deps;
  }

  /** Rolls out every pipeline; those of a fixed grid first, for they wait for no profiles. */
  async start(): Promise<void> {
    const { config, file } = this.#deps;
    const folder = dirname(resolve(file));
    for (const pipeline of config.pipelines)
      if (pipeline.grid !== undefined) await this.#cut(pipeline, pipeline.grid, folder);
    for (const pipeline of config.pipelines) {
      if (pipeline.grid !== undefined) continue;
      if (this.#stopped) throw new TilepipeError('interrupted', 'stopped before everything was rolled out');
      const planned = new PlannedPipeline({ ...this.#deps, pipeline, folder });
      this.#planned.push(planned);
      await planned.start();
    }
  }

  /** Nothing is planned from then on; what has been rolled out stays. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#planned.map((planned) => planned.stop()));
  }

  async #cut(pipeline: PipelineConfig, grid: string, folder: string): Promise<void> {
    const { part, blobs, log } = this.#deps;
    const { name, maxInFlight = FRAMES_IN_FLIGHT, maxWaiting, deadlineMs, attempts } = pipeline;
    const source = modelSource(pipeline, folder);
    const model = await openSource(source);
    const { settings, because } = modelSettings(model, source.configured);
    const { rows, columns } = parseGrid(grid);
    const plan = await preparePlan(model, name, gridCover(rows, columns), blobs);
    await part.controller.rollOut({
      plan,
      settings: { ...settings },
      frames: { maxInFlight, maxWaiting, deadlineMs, attempts },
    });
    const share = `${(100 * plan.tiledShare).toFixed(1)} %`;
    log.info(
      { pipeline: name, model: model.name, blocks: plan.plan.blocks.length, grid, tiled: share },
      because,
    );
  }
}
