/** From a model file to a plan: opened, analysed, cut, written into the store. */

import { planDigest, validatePlan } from '../core/flow/plan-index.ts';
import type { ReadOptions } from '../core/graph/read-graph.ts';
import type { Graph } from '../core/graph/types.ts';
import { type ChosenBlock, chooseBlocks } from '../core/planning/choose-blocks.ts';
import { planDocument } from '../core/planning/plan-document.ts';
import { tiledShare } from '../core/planning/summary.ts';
import type { BlobCache } from '../core/runtime/blobs.ts';
import type { Plan } from '../core/schema/generated/plan.ts';
import { type Analysis, analyse } from '../core/tiling/analyse.ts';
import type { Cover } from '../core/tiling/types.ts';
import { openModel } from './model-file.ts';
import { writeSubModels } from './plan-files.ts';

export interface OpenedModel {
  readonly name: string;
  readonly digest: string;
  readonly graph: Graph;
  readonly analysis: Analysis;
}

/** How a model file is opened: open dimensions, seeded weights, and the executor's help with unknown operators. */
export type OpenOptions = Pick<ReadOptions, 'shapes' | 'fillSeed' | 'probe'>;

export async function openAnalysed(path: string, options: OpenOptions): Promise<OpenedModel> {
  const { graph, digest, name } = await openModel(path, options);
  return { name, digest, graph, analysis: analyse(graph) };
}

export interface PreparedPlan {
  readonly plan: Plan;
  readonly digest: string;
  readonly chosen: readonly ChosenBlock[];
  /** Share of the multiply-accumulates in blocks that run tiled. */
  readonly tiledShare: number;
}

/** Cuts a model by a cover and writes its sub-models; the plan is checked before anybody sees it. */
export async function preparePlan(
  model: OpenedModel,
  pipeline: string,
  cover: Cover,
  blobs: BlobCache,
  progress: (done: number, total: number) => void = () => {},
): Promise<PreparedPlan> {
  const { graph, analysis } = model;
  const chosen = chooseBlocks(graph, analysis, cover);
  const { blocks, files } = await writeSubModels(graph, analysis, chosen, blobs, progress);
  const plan = planDocument({
    pipeline,
    model: { digest: model.digest, name: model.name },
    graph,
    axes: analysis.axes,
    blocks,
    files,
  });
  validatePlan(plan);
  return {
    plan,
    digest: planDigest(plan),
    chosen,
    tiledShare: tiledShare(
      analysis,
      chosen.map(({ block }) => block),
    ),
  };
}
