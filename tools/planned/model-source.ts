/** How the model of a pipeline is opened: plain values, so that another process can open it alike. */

import { resolve } from 'node:path';
import { type OpenedModel, openAnalysed } from '../../services/controller/prepare.ts';
import type { CodecCheck } from '../../services/controller/replan/codec-check.ts';
import type { BlobCache } from '../../services/core/runtime/blobs.ts';
import type { Pipeline } from '../../services/core/schema/generated/pipeline.ts';
import { type AccuracyBudget, CodecBudget, DEFAULT_BUDGET } from '../accuracy/budget.ts';
import { readSamples, samplePictures } from '../accuracy/samples.ts';
import type { PipelineConfig } from '../config.ts';
import { withExecutor } from '../executor.ts';
import { checkPipeline } from '../pipeline-file.ts';
import { modelProbe } from '../probe.ts';
import { modelSettings } from '../settings.ts';

export interface ModelSource {
  readonly path: string;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly fillSeed?: number;
  /** Whether the input takes pixels. */
  readonly pixels: boolean;
  /** What is configured of reading and answering frames. */
  readonly configured: Pipeline;
  /** Where plans may lose something, and how much: a folder of sample frames and a budget. */
  readonly accuracy?: AccuracyBudget & { readonly samples: string };
}

/** `folder` is where the path of the model is relative to. Throws `config-invalid`. */
export function modelSource(pipeline: PipelineConfig, folder: string): ModelSource {
  const { name, model, shapes = {}, fillSeed, preprocess, answer, limits, plan } = pipeline;
  const configured = checkPipeline(
    {
      ...(preprocess === undefined ? {} : { preprocess }),
      ...(answer === undefined ? {} : { answer }),
      ...(limits === undefined ? {} : { limits }),
    },
    `pipeline ${name}`,
  );
  return {
    path: resolve(folder, model),
    shapes,
    ...(fillSeed === undefined ? {} : { fillSeed }),
    pixels: plan?.pixels ?? false,
    configured,
    ...budgeted(plan?.accuracy, folder),
  };
}

function budgeted(
  accuracy: NonNullable<PipelineConfig['plan']>['accuracy'],
  folder: string,
): Pick<ModelSource, 'accuracy'> {
  if (accuracy === undefined || accuracy === 'exact') return {};
  const { samples, ...budget } = accuracy;
  return { accuracy: { ...DEFAULT_BUDGET, ...budget, samples: resolve(folder, samples) } };
}

/** What lets a planner use codecs that change values; undefined where plans are exact. */
export function codecCheck(
  { accuracy, configured }: ModelSource,
  model: OpenedModel,
  blobs: BlobCache,
): CodecCheck | undefined {
  if (accuracy === undefined) return undefined;
  const { settings } = modelSettings(model, configured);
  // Frames are read for every check, not kept: they take more memory than the hub has to spare.
  return async (draft) => {
    const samples = await readSamples(model, settings, await samplePictures(accuracy.samples));
    return withExecutor((executor) =>
      new CodecBudget({ executor, blobs, model, samples, settings, budget: accuracy }).check(draft),
    );
  };
}

export function openSource({
  path,
  shapes,
  fillSeed,
  pixels,
  configured,
}: ModelSource): Promise<OpenedModel> {
  return openAnalysed(path, {
    shapes: new Map(Object.entries(shapes)),
    probe: modelProbe(),
    ...(fillSeed === undefined ? {} : { fillSeed }),
    pixels: pixels && configured,
  });
}
