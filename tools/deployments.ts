/** The pipelines of a configuration: each model opened, cut and rolled out by the controller. */

import { dirname, resolve } from 'node:path';
import type { Controller } from '../services/controller/controller.ts';
import { openAnalysed, preparePlan } from '../services/controller/prepare.ts';
import { parseGrid } from '../services/core/planning/grid.ts';
import type { BlobCache } from '../services/core/runtime/blobs.ts';
import type { Log } from '../services/core/runtime/log.ts';
import { gridCover } from '../services/core/tiling/cover.ts';
import type { FullConfig, PipelineConfig } from './config.ts';
import { checkPipeline } from './pipeline-file.ts';
import { modelProbe } from './probe.ts';
import { modelSettings } from './settings.ts';

/** Rolls out every pipeline of a configuration; `file` is where model paths are relative to. */
export async function deployAll(
  config: FullConfig,
  file: string,
  controller: Controller,
  blobs: BlobCache,
  log: Log,
): Promise<void> {
  for (const pipeline of config.pipelines)
    await deploy(pipeline, dirname(resolve(file)), controller, blobs, log);
}

async function deploy(
  pipeline: PipelineConfig,
  folder: string,
  controller: Controller,
  blobs: BlobCache,
  log: Log,
): Promise<void> {
  const { name, grid, shapes, fillSeed, preprocess, answer, limits } = pipeline;
  const path = resolve(folder, pipeline.model);
  const model = await openAnalysed(path, {
    shapes: new Map(Object.entries(shapes ?? {})),
    probe: modelProbe(),
    ...(fillSeed === undefined ? {} : { fillSeed }),
  });
  const configured = checkPipeline(
    {
      ...(preprocess === undefined ? {} : { preprocess }),
      ...(answer === undefined ? {} : { answer }),
      ...(limits === undefined ? {} : { limits }),
    },
    `pipeline ${name}`,
  );
  const { settings, because } = modelSettings(model, configured);
  const { rows, columns } = parseGrid(grid);
  const plan = await preparePlan(model, name, gridCover(rows, columns), blobs);
  const { maxInFlight, maxWaiting, deadlineMs, attempts } = pipeline;
  await controller.rollOut({
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
