/**
 * What the codecs of a plan lose one by one. The sub-models of all these runs are those of the plan without codecs, written
 * and loaded once; of a frame, tasks that a codec does not reach are run once for all codecs.
 */

import { type OpenedModel, type PreparableDraft, prepareDraft } from '../../services/controller/prepare.ts';
import { PlanIndex } from '../../services/core/flow/plan-index.ts';
import type { DType } from '../../services/core/graph/types.ts';
import type { RefusedCodec } from '../../services/core/planning/draft.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import { tensorBytes } from '../../services/core/tensor/dtype.ts';
import type { Settings } from '../../services/core/vision/settings.ts';
import { CODECS, type Codec, isLossless } from '../../services/core/wire/codecs.ts';
import type { TensorData } from '../../services/core/wire/message.ts';
import { OutputComparison } from './accuracy.ts';
import type { RunnerDeps } from './graph-runner.ts';
import { type CarryOut, openPlan, runFrame } from './plan-runner.ts';
import type { Sample } from './samples.ts';

export interface CodecsAloneDeps extends RunnerDeps {
  readonly model: OpenedModel;
  readonly settings: Pick<Settings, 'answer'>;
  readonly progress?: (text: string) => void;
}

export interface CodedPlan {
  readonly draft: PreparableDraft;
  /** Of the draft, all codecs in it. */
  readonly plan: Plan;
  /** Of the draft: those to be measured, at least one. */
  readonly codecs: readonly RefusedCodec[];
}

/** How sub-models write a tensor, as the plan of the draft says it for people. */
type InsideCodec = NonNullable<Plan['tensors'][string]['codec']>;

interface LoneCodec {
  /** Of the draft without codecs, but for this one where messages write it. */
  readonly index: PlanIndex;
  /** Where sub-models write it: what they make is changed in their stead. */
  readonly inside: InsideCodec | undefined;
  /** Tasks whose inputs it changes. */
  readonly reached: ReadonlySet<string>;
}

/** The `relativeRms` of each codec, in their order; `expected` are the uncut model's outputs, sample by sample. */
export async function lossesAlone(
  deps: CodecsAloneDeps,
  coded: CodedPlan,
  samples: readonly Sample[],
  expected: readonly (readonly TensorData[])[],
): Promise<readonly number[]> {
  const lone: LoneCodec[] = [];
  for (const codec of coded.codecs) lone.push(await openCodec(deps, coded, codec));
  const { index } = lone[0] as LoneCodec;
  const compared = lone.map(() => new OutputComparison(deps.settings));
  const runner = await openPlan(deps, index.plan);
  try {
    for (const [at, sample] of samples.entries()) {
      deps.progress?.(`each codec alone on sample ${at + 1} of ${samples.length}`);
      const made = await runEach(runner.carryOut, lone, sample.inputs);
      for (const [of, outputs] of made.entries()) compared[of]?.add(sample, expected[at] ?? [], outputs);
    }
  } finally {
    await runner.close();
  }
  return compared.map((each) => each.result().relativeRms);
}

async function openCodec(
  { model, blobs }: CodecsAloneDeps,
  { draft, plan: all }: CodedPlan,
  { tensor, codec }: RefusedCodec,
): Promise<LoneCodec> {
  const wire = draft.wire?.[tensor] === codec ? { [tensor]: codec } : {};
  const { plan } = await prepareDraft(model, 'samples', { ...draft, codecs: {}, packed: [], wire }, blobs);
  const index = new PlanIndex(plan);
  const inside = Object.values(all.tensors).find((each) => each.codec?.of === tensor)?.codec;
  return { index, inside, reached: reachedBy(index, inside) };
}

/** Tasks stand in a plan after those that they read from. */
function reachedBy(index: PlanIndex, inside: InsideCodec | undefined): ReadonlySet<string> {
  const reached = new Set<string>();
  for (const { id } of index.plan.tasks) {
    const isChanged = index
      .transfersTo(id)
      .some(({ from, tensor, codec }) => reached.has(from) || tensor === inside?.of || !isLossless(codec));
    if (isChanged) reached.add(id);
  }
  return reached;
}

/** Outputs of one frame by each codec alone. */
async function runEach(
  carryOut: CarryOut,
  codecs: readonly LoneCodec[],
  inputs: readonly TensorData[],
): Promise<(readonly TensorData[])[]> {
  const kept = new Map<string, Awaited<ReturnType<CarryOut>>>();
  const made: (readonly TensorData[])[] = [];
  try {
    for (const { index, inside, reached } of codecs) {
      const run: CarryOut = async (task, given) => {
        if (reached.has(task.id)) return carryOut(task, given);
        const known = kept.get(task.id) ?? (await carryOut(task, given));
        kept.set(task.id, known);
        const outputs = known.outputs.map((tensor) =>
          tensor.name === inside?.of ? writtenAndRead(tensor, inside) : tensor,
        );
        return { outputs, release: () => {} };
      };
      made.push(await runFrame(index, run, inputs));
    }
  } finally {
    for (const { release } of kept.values()) release();
  }
  return made;
}

/** A tensor as it comes back from a codec of sub-models. */
function writtenAndRead(tensor: TensorData, { codec, scale = 1, zeroPoint = 0 }: InsideCodec): TensorData {
  const { wireType, encode, decode } = CODECS.get(codec) as Codec;
  const wire = wireType(tensor.dtype) as DType;
  const target = new Uint8Array(tensorBytes(wire, tensor.shape));
  encode(tensor.dtype, tensor.bytes, target, [scale, zeroPoint]);
  return { ...tensor, bytes: decode(wire, target, [scale, zeroPoint]) };
}
