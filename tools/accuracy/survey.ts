/** What a codec saves and loses at each place where one tensor alone crosses, the others left as they are. */

import { deflateRawSync } from 'node:zlib';
import type { OpenedModel } from '../../services/controller/prepare.ts';
import { type CutCodec, codecRefusal, withCutCodecs } from '../../services/core/graph/cut-codecs.ts';
import { openSpace } from '../../services/core/planning/search/search.ts';
import type { VerifyReport } from '../../services/core/schema/generated/verify-report.ts';
import { tensorBytes } from '../../services/core/tensor/dtype.ts';
import type { Settings } from '../../services/core/vision/settings.ts';
import { accuracyOf } from './accuracy.ts';
import { calibrate } from './calibrate.ts';
import { openGraph, type RunnerDeps } from './graph-runner.ts';
import type { Sample } from './samples.ts';

export type CodecSurvey = NonNullable<VerifyReport['codec']>;
type CutLoss = CodecSurvey['cuts'][number];

export interface SurveyInput {
  readonly model: OpenedModel;
  readonly codec: Exclude<CutCodec, 'raw'>;
  readonly samples: readonly Sample[];
  readonly settings: Pick<Settings, 'answer'>;
  readonly progress: (text: string) => void;
}

/** As the wire deflates. */
const LEVEL = 1;

/** Cuts in the order of the network; none where no tensor can have the codec. */
export async function surveyCodec(deps: RunnerDeps, input: SurveyInput): Promise<CodecSurvey> {
  const { model, codec, samples, settings, progress } = input;
  const { graph } = model;
  const places = placesOf(model, codec);
  const tensors = [...places.keys()];
  progress('calibrating');
  const { ranges } = await calibrate(deps, graph, tensors, samples);
  const cuts: CutLoss[] = [];
  for (const [at, tensor] of tensors.entries()) {
    progress(`cut ${at + 1} of ${tensors.length}`);
    const coded = withCutCodecs(graph, { [tensor]: codec }, ranges);
    const { relativeRms, maxRelDiff, labels } = await accuracyOf(deps, graph, coded, samples, settings);
    const wire = coded.cuts.get(tensor)?.wire ?? '';
    const { dtype, shape } = coded.graph.tensors.get(wire) ?? { dtype: 'float32', shape: [] };
    cuts.push({
      tensor,
      macShare: places.get(tensor) ?? 0,
      bytes: tensorBytes('float32', shape),
      codedBytes: tensorBytes(dtype, shape),
      deflatedBytes: await deflatedBytes(deps, coded.graph, wire, samples),
      relativeRms: finite(relativeRms),
      maxRelDiff: finite(maxRelDiff),
      ...(labels === undefined ? {} : { labels }),
    });
  }
  return { name: codec, samples: samples.length, cuts };
}

/** Tensors that cross alone, and the share of the multiply-accumulates before each. */
function placesOf({ graph, analysis }: OpenedModel, codec: CutCodec): Map<string, number> {
  const space = openSpace(graph, analysis);
  const all = analysis.blockMacs(graph);
  const places = new Map<string, number>();
  let done = 0;
  for (let at = 0; at < space.end; at++) {
    const block = space.span(at, at + 1)?.block;
    if (block === undefined) continue;
    done += analysis.blockMacs(block);
    const [tensor, another] = block.outputs;
    if (tensor !== undefined && another === undefined && codecRefusal(graph, tensor, codec) === undefined)
      places.set(tensor, all === 0 ? 0 : Math.min(1, done / all));
  }
  return places;
}

/** Of the short form, deflated; the mean of the samples. */
async function deflatedBytes(
  deps: RunnerDeps,
  graph: OpenedModel['graph'],
  wire: string,
  samples: readonly Sample[],
): Promise<number> {
  const runner = await openGraph(deps, graph, [wire]);
  let bytes = 0;
  try {
    for (const { inputs } of samples) {
      const tensor = (await runner.run(inputs)).find(({ name }) => name === wire);
      bytes += deflateRawSync(tensor?.bytes ?? new Uint8Array(), { level: LEVEL }).length;
    }
  } finally {
    await runner.close();
  }
  return Math.round(bytes / samples.length);
}

/** JSON has no infinity. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
