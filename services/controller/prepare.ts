/** From a model file to a plan: opened, analysed, cut, written into the store. */

import { planDigest, validatePlan } from '../core/flow/plan-index.ts';
import { type CodedCut, type ValueRange, withCutCodecs } from '../core/graph/cut-codecs.ts';
import type { ReadOptions } from '../core/graph/read-graph.ts';
import type { Graph } from '../core/graph/types.ts';
import { chooseBlocks } from '../core/planning/choose-blocks.ts';
import { checkCodecs, codedBlock, codedTile, wireName } from '../core/planning/coded-blocks.ts';
import type { CutCodec, Draft, DraftBlock, DraftPart } from '../core/planning/draft.ts';
import {
  type PartPlacement,
  type PlacedBlock,
  type PlanInput,
  planDocument,
} from '../core/planning/plan-document.ts';
import { tiledShare } from '../core/planning/summary.ts';
import type { BlobCache } from '../core/runtime/blobs.ts';
import { TilepipeError } from '../core/runtime/errors.ts';
import type { CodecLoss } from '../core/schema/generated/announcement.ts';
import type { Pipeline } from '../core/schema/generated/pipeline.ts';
import type { Plan } from '../core/schema/generated/plan.ts';
import { type Analysis, analyse } from '../core/tiling/analyse.ts';
import type { Cover, FusedBlock, Tile } from '../core/tiling/types.ts';
import { takePixels } from '../core/vision/pixels.ts';
import type { PreprocessSettings } from '../core/vision/settings.ts';
import { openModel } from './model-file.ts';
import { writeSubModels } from './plan-files.ts';

export interface OpenedModel {
  readonly name: string;
  readonly digest: string;
  readonly graph: Graph;
  readonly analysis: Analysis;
  /** Of a model that takes pixels: how pictures become its input; it goes over what is recognised or configured. */
  readonly preprocess?: PreprocessSettings;
}

/** How a model file is opened: open dimensions, seeded weights, and the executor's help with unknown operators. */
export interface OpenOptions extends Pick<ReadOptions, 'shapes' | 'fillSeed' | 'probe'> {
  /** The input takes bytes and the workers normalise them; with what is configured of the pipeline, where anything is. */
  readonly pixels?: boolean | Pipeline;
}

export async function openAnalysed(path: string, options: OpenOptions): Promise<OpenedModel> {
  const { pixels = false, ...reading } = options;
  const { graph, digest, name } = await openModel(path, reading);
  if (pixels === false) return { name, digest, graph, analysis: analyse(graph) };
  const taken = takePixels(graph, name, pixels === true ? {} : pixels);
  return { name, digest, ...taken, analysis: analyse(taken.graph) };
}

export interface PreparedPlan {
  readonly plan: Plan;
  readonly digest: string;
  /** Share of the multiply-accumulates in blocks that run tiled. */
  readonly tiledShare: number;
  /** What frames go on with where an attempt under the plan fails. */
  readonly fallback?: Pick<PreparedPlan, 'plan' | 'digest'> & { readonly draft?: Draft };
  /** Where codecs change values, and that was measured. */
  readonly loss?: CodecLoss;
}

type Progress = (done: number, total: number) => void;

/** Cuts a model by a cover and writes its sub-models; the plan is checked before anybody sees it. */
export function preparePlan(
  model: OpenedModel,
  pipeline: string,
  cover: Cover,
  blobs: BlobCache,
  progress?: Progress,
): Promise<PreparedPlan> {
  const placed = chooseBlocks(model.graph, model.analysis, cover).map(
    ({ parts, ...block }): PlacedBlock => ({ ...block, parts: parts.map((tile) => ({ tile })) }),
  );
  return prepare(model, pipeline, placed, blobs, progress);
}

/** Writes the sub-models of blocks whose tiles stay on their devices; the plan is checked before anybody sees it. */
export function prepareKept(
  model: OpenedModel,
  pipeline: string,
  kept: readonly PlacedBlock[],
  blobs: BlobCache,
  progress?: Progress,
): Promise<PreparedPlan> {
  return prepare(model, pipeline, kept, blobs, progress);
}

/** A draft to be carried out; of blocks in one piece with several devices, `replicasByTurns` says how they share. */
export interface PreparableDraft extends Pick<Draft, 'blocks' | 'predicted' | 'codecs' | 'packed' | 'wire'> {
  /** Of each tensor whose codec is `uint8`, by name: what it took on sample frames. */
  readonly ranges?: Readonly<Record<string, ValueRange>>;
  /**
   * Frame by frame in turn, one task per device: needs no choice at run time, but waits for its device, and a frame
   * whose device is gone waits for it or for the next plan. Absent or false: late, whoever is free first.
   */
  readonly replicasByTurns?: boolean;
}

/**
 * Writes the sub-models of a draft; the plan is checked before anybody sees it. Parts are bound to the devices the
 * draft lists for them, to any worker where it lists none. Cut tensors with a codec travel in their short form. Throws
 * `tiling-refused` where a block cannot run in its mode, `usage` where blocks have different numbers of replicas by
 * turns or a codec is for no cut, `config-invalid` where a tensor cannot have its codec.
 */
export async function prepareDraft(
  model: OpenedModel,
  pipeline: string,
  {
    blocks,
    predicted,
    codecs = {},
    ranges = {},
    packed = [],
    wire = {},
    replicasByTurns = false,
  }: PreparableDraft,
  blobs: BlobCache,
  progress?: Progress,
): Promise<PreparedPlan> {
  const replicas = replicasByTurns ? countTurns(blocks) : 1;
  checkCodecs(blocks, codecs);
  const coded = openCoded(model, codecs, ranges);
  const placed = blocks.map(({ block, mode, entry, parts, reason }, id): PlacedBlock => {
    const own = coded.block({ ...block, id, kind: mode });
    const placements = parts.map((part) => {
      const { tile, ...placement } = placementOf(part, id);
      return {
        ...placement,
        ...(entry === undefined ? {} : { gather: 'worker' as const }),
        ...(part.strips?.some(({ direct }) => direct) ? { direct: true } : {}),
        tile: coded.tile(own, tile),
      };
    });
    return {
      block: own,
      parts: replicas > 1 && mode === 'whole' ? placements.flatMap(byTurns) : placements,
      ...(reason === undefined ? {} : { reason }),
    };
  });
  return prepare(coded.model, pipeline, placed, blobs, progress, {
    predicted,
    codecs: coded.cuts,
    packed: new Set(packed.map((tensor) => wireName(coded.cuts, tensor))),
    wire: new Map(Object.entries(wire)),
    ...(replicas > 1 ? { replicas } : {}),
  });
}

/** A model with its cut tensors coded, and what its blocks and their parts become. */
interface CodedModel {
  readonly model: OpenedModel;
  readonly cuts: ReadonlyMap<string, CodedCut>;
  block(block: FusedBlock): FusedBlock;
  tile(block: FusedBlock, tile: Tile): Tile;
}

/** Of each graph, by codecs and ranges: what has been written of a coded graph is known by the graph. */
const opened = new WeakMap<Graph, Map<string, CodedModel>>();
/** Coded graphs remembered of one graph; the oldest is forgotten. */
const MOST_CODED = 8;

function openCoded(
  model: OpenedModel,
  codecs: Readonly<Record<string, CutCodec>>,
  ranges: Readonly<Record<string, ValueRange>>,
): CodedModel {
  const used = Object.entries(codecs).filter(([, codec]) => codec !== 'raw');
  if (used.length === 0) return { model, cuts: new Map(), block: (block) => block, tile: (_, tile) => tile };
  const known = opened.get(model.graph) ?? new Map<string, CodedModel>();
  opened.set(model.graph, known);
  const key = JSON.stringify(used.sort().map(([tensor, codec]) => [tensor, codec, ranges[tensor]]));
  const found = known.get(key) ?? codedModel(model, codecs, ranges);
  known.set(key, found);
  if (known.size > MOST_CODED) known.delete(known.keys().next().value as string);
  return found;
}

function codedModel(
  model: OpenedModel,
  codecs: Readonly<Record<string, CutCodec>>,
  ranges: Readonly<Record<string, ValueRange>>,
): CodedModel {
  const coded = withCutCodecs(model.graph, codecs, ranges);
  const analysis = analyse(coded.graph);
  return {
    model: { ...model, graph: coded.graph, analysis },
    cuts: coded.cuts,
    block: (block) => codedBlock(coded, block),
    tile: (block, tile) => codedTile(coded, analysis, block, tile),
  };
}

function placementOf(part: DraftPart, block: number): PartPlacement {
  const { tile, devices, activationBytes, weightBytes, predictedMs } = part;
  return {
    tile: { ...tile, block },
    devices,
    memoryBytes: activationBytes + weightBytes,
    ...(predictedMs === undefined ? {} : { predictedMs }),
  };
}

/** How many devices take turns: as many for every block in one piece that has several. */
function countTurns(blocks: readonly DraftBlock[]): number {
  const counts = blocks
    .filter(({ mode }) => mode === 'whole')
    .flatMap(({ parts }) => parts.map(({ devices }) => devices.length));
  const several = new Set(counts.filter((count) => count > 1));
  if (several.size > 1)
    throw new TilepipeError(
      'usage',
      `blocks with ${[...several].join(' and ')} devices cannot take turns: the numbers must be equal.`,
    );
  return Math.max(1, ...several);
}

/** One task for each device; where there is but one, it takes every turn. */
function byTurns(part: PartPlacement): PartPlacement[] {
  const { devices = [] } = part;
  if (devices.length < 2) return [part];
  return devices.map((device, replica) => ({ ...part, devices: [device], replica }));
}

async function prepare(
  { graph, analysis, digest, name }: OpenedModel,
  pipeline: string,
  placed: readonly PlacedBlock[],
  blobs: BlobCache,
  progress: Progress = () => {},
  more: Pick<PlanInput, 'replicas' | 'predicted' | 'codecs' | 'packed' | 'wire'> = {},
): Promise<PreparedPlan> {
  const { blocks, files } = await writeSubModels(graph, analysis, placed, blobs, progress);
  const plan = planDocument({
    pipeline,
    model: { digest, name },
    graph,
    axes: analysis.axes,
    blocks,
    files,
    ...more,
  });
  validatePlan(plan);
  return {
    plan,
    digest: planDigest(plan),
    tiledShare: tiledShare(
      analysis,
      placed.map(({ block }) => block),
    ),
  };
}
