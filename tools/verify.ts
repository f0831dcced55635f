/** Proves that cutting changes nothing: every geometry through real services over MQTT, compared with the uncut model. */

import {
  type OpenedModel,
  type PreparedPlan,
  prepareKept,
  preparePlan,
} from '../services/controller/prepare.ts';
import { Connections } from '../services/core/bus/connections.ts';
import type { Graph } from '../services/core/graph/types.ts';
import { type ChosenBlock, chooseBlocks, everything } from '../services/core/planning/choose-blocks.ts';
import type { Grid } from '../services/core/planning/grid.ts';
import { haloBlocks } from '../services/core/planning/halo-blocks.ts';
import type { PlacedBlock } from '../services/core/planning/plan-document.ts';
import { tileableShare } from '../services/core/planning/summary.ts';
import { BlobCache } from '../services/core/runtime/blobs.ts';
import { cacheFolder } from '../services/core/runtime/paths.ts';
import type { Plan } from '../services/core/schema/generated/plan.ts';
import type { VerifyReport } from '../services/core/schema/generated/verify-report.ts';
import type { Analysis } from '../services/core/tiling/analyse.ts';
import { coverSize, gridCover } from '../services/core/tiling/cover.ts';
import type { Cover } from '../services/core/tiling/types.ts';
import type { Settings } from '../services/core/vision/settings.ts';
import type { TensorData } from '../services/core/wire/message.ts';
import { Client } from './client.ts';
import { compare } from './compare.ts';
import { interruption } from './interrupt.ts';
import { LocalCluster, workerId } from './local-cluster.ts';
import { referenceOf } from './reference.ts';

export interface VerifyOptions {
  readonly model: OpenedModel;
  readonly path: string;
  /** Whether constant-filled weights were replaced: then the file itself is no reference. */
  readonly filled: boolean;
  readonly settings: Settings;
  /** Inputs in order of preference: the first on which the uncut model's own numbers are steady is taken. */
  readonly inputs: readonly (readonly TensorData[])[];
  readonly grids: readonly { readonly text: string; readonly grid: Grid }[];
  /** A process per block and tile instead of four that hold everything. */
  readonly pinned: boolean;
  /** Tiles stay on their workers and fetch from one another what they lack. */
  readonly halo: boolean;
  readonly progress: (text: string) => void;
}

type Case = VerifyReport['cases'][number];

const WORKERS = 4;
const FRAME_MS = 120_000;
const TOLERANCE = { float32: 1e-4, float16: 1e-3 } as const;
const PIPELINE = 'verify';
/** Raw outputs come back; one frame at a time, and no second attempt that would hide a lost tile. */
const FRAMES = { maxInFlight: 1, maxWaiting: 1, deadlineMs: FRAME_MS, attempts: 1 } as const;

export async function verify(options: VerifyOptions): Promise<VerifyReport> {
  const { model, grids, progress } = options;
  const blobs = new BlobCache({ folder: cacheFolder('blobs') });
  const half = [...model.graph.tensors.values()].some(({ dtype }) => dtype === 'float16');
  const tolerance = half ? TOLERANCE.float16 : TOLERANCE.float32;
  progress('running the uncut model');
  const { inputs, outputs: reference, floor } = await referenceOf(options, blobs, tolerance);
  const cluster = new LocalCluster({ blobs, workers: options.pinned ? 0 : WORKERS });
  const cases: Case[] = [];
  const interrupted = interruption();
  const runAll = async (): Promise<void> => {
    for (const { text, grid } of grids) {
      progress(`${text}: cutting`);
      const started = performance.now();
      const cover = gridCover(grid.rows, grid.columns);
      const chosen = chooseBlocks(model.graph, model.analysis, cover, options.halo);
      const prepared = options.halo
        ? await prepareKept(model, PIPELINE, keptBlocks(model, chosen, cover), blobs)
        : await preparePlan(model, PIPELINE, cover, blobs);
      if (options.pinned) await pin(cluster, prepared.plan);
      progress(`${text}: workers are loading ${prepared.plan.models.length} sub-models`);
      await cluster.deploy(
        prepared,
        { ...options.settings, answer: { ...options.settings.answer, task: 'tensors' } },
        FRAMES,
      );
      progress(`${text}: running`);
      const outcome = await throughMqtt(cluster, inputs);
      const difference = compare(outcome, reference);
      const reason =
        difference.reason ?? untiledBlock(model, chosen, grid) ?? shortBlock(prepared.plan, grid);
      cases.push({
        grid: text,
        ...countsOf(prepared),
        ...(options.halo ? { keptTasks: keptTasks(prepared.plan) } : {}),
        maxAbsDiff: difference.maxAbsDiff,
        maxRelDiff: difference.maxRelDiff,
        pass: reason === undefined && difference.maxRelDiff !== null && difference.maxRelDiff <= tolerance,
        milliseconds: performance.now() - started,
        ...(reason === undefined ? {} : { reason }),
      });
    }
  };
  try {
    // Started whole even when a signal comes, so that everything it started is known when it is stopped.
    await cluster.start();
    await interrupted.race(runAll());
  } finally {
    await cluster.stop();
    interrupted.end();
  }
  return {
    model: model.name,
    inputShape: [...(model.graph.inputs[0]?.shape ?? [])],
    macs: model.analysis.blockMacs(everything(model.graph)),
    tileableMacShare: tileableShare(model.graph, model.analysis),
    tolerance,
    ...(floor === null ? {} : { numericFloor: floor }),
    cases,
    whole: [...model.analysis.refusals.values()].map(({ node, op, reason }) => ({ node, op, reason })),
    pass: cases.every(({ pass }) => pass),
  };
}

/** Tile `i` on worker `i`, and so on from the first where there are more. */
function keptBlocks(
  { graph, analysis }: OpenedModel,
  chosen: readonly ChosenBlock[],
  cover: Cover,
): PlacedBlock[] {
  const devices = Array.from({ length: coverSize(cover) }, (_, at) => workerId(at % WORKERS));
  const blocks = chosen.map(({ block }) => block);
  return haloBlocks(graph, analysis, blocks, cover, devices);
}

/** Tasks whose workers fetch what they lack from those who make it. */
function keptTasks({ tasks }: Plan): number {
  return tasks.filter(({ gather }) => gather === 'worker').length;
}

type Counts = Pick<Case, 'blocks' | 'tiles' | 'tiledMacShare' | 'wholeBlocks'>;

function countsOf({ plan, tiledShare }: PreparedPlan): Counts {
  return {
    blocks: plan.blocks.length,
    tiles: plan.tasks.filter(({ shape }) => shape === 'tile').length,
    tiledMacShare: tiledShare,
    wholeBlocks: plan.blocks.filter(({ kind }) => kind === 'whole').length,
  };
}

/** The first block that is in fewer tiles than the grid has: then the numbers do not prove all of it. */
function shortBlock({ blocks, tasks }: Plan, { rows, columns }: Grid): string | undefined {
  const short = blocks.find(
    ({ id, kind }) => kind === 'tile' && tasks.filter(({ block }) => block === id).length < rows * columns,
  );
  return short && `block ${short.id} ran in fewer tiles than ${rows * columns}`;
}

/**
 * The first block that runs whole for no other reason than that the grid does not fit its maps: then the numbers prove
 * nothing of the grid. A map of one position is no grid's to tile.
 */
function untiledBlock(
  { graph, analysis }: OpenedModel,
  chosen: readonly ChosenBlock[],
  { rows, columns }: Grid,
): string | undefined {
  if (rows * columns === 1) return undefined;
  const untiled = chosen.find(
    ({ block, reason }) =>
      block.kind === 'whole' &&
      reason !== undefined &&
      !block.nodes.some(({ index }) => analysis.refusals.has(index)) &&
      block.outputs.some((name) => positions(analysis, graph, name) > 1),
  );
  return untiled && `block ${untiled.block.id} ran whole: ${untiled.reason}`;
}

/** Rows times columns of a tensor. */
function positions(analysis: Analysis, graph: Graph, tensor: string): number {
  const { row = 0, column = 0 } = analysis.axes.get(tensor) ?? {};
  const { shape = [] } = graph.tensors.get(tensor) ?? {};
  return (shape[row] ?? 1) * (shape[column] ?? 1);
}

/** Sends the frame over a real MQTT connection, as a camera would, and takes the raw outputs off one. */
async function throughMqtt(
  cluster: LocalCluster,
  inputs: readonly TensorData[],
): Promise<readonly TensorData[]> {
  const channels = new Connections({ ...cluster.address, service: 'verify' });
  await channels.start();
  const client = new Client(channels, PIPELINE, `verify-${Date.now()}`);
  try {
    await client.start();
    const { result, tensors } = await client.send(inputs, FRAME_MS);
    if (result.error !== undefined) throw new Error(`${result.error.code}: ${result.error.message}`);
    return tensors;
  } finally {
    await client.stop();
    await channels.stop();
  }
}

/** Replaces the workers by one process per block and tile. */
async function pin(cluster: LocalCluster, plan: Plan): Promise<void> {
  await cluster.stopWorkers();
  const tasks = plan.tasks.filter(({ kind }) => kind === 'run');
  cluster.addWorkers(
    tasks.map(({ id, block = 0, index = 0 }) => ({ id: `pinned-${id}`, block, tile: index })),
  );
}
