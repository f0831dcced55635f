/** How the model of a pipeline is opened: plain values, so that another process can open it alike. */

import { resolve } from 'node:path';
import { type OpenedModel, openAnalysed } from '../../services/controller/prepare.ts';
import type { Pipeline } from '../../services/core/schema/generated/pipeline.ts';
import type { PipelineConfig } from '../config.ts';
import { checkPipeline } from '../pipeline-file.ts';
import { modelProbe } from '../probe.ts';

export interface ModelSource {
  readonly path: string;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly fillSeed?: number;
  /** Whether the input takes pixels. */
  readonly pixels: boolean;
  /** What is configured of reading and answering frames. */
  readonly configured: Pipeline;
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
