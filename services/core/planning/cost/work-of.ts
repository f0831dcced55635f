/** The work of a task: every node as the executor runs it, fusions left out, summed by kind. */

import type { Graph } from '../../graph/types.ts';
import type { Analysis } from '../../tiling/analyse.ts';
import { area, length, wholeRectangle } from '../../tiling/range.ts';
import type { BlockRegions, NodeStep } from '../../tiling/regions.ts';
import type { Cut } from '../../tiling/rules/rule.ts';
import type { FusedBlock, Rectangle } from '../../tiling/types.ts';
import {
  CACHE_BYTES,
  type GraphRecords,
  KIND_NAMES,
  type NodeRecord,
  REORDER,
  recordsOf,
  SPILL,
  TASK,
} from './records.ts';
import type { KindWork, Work } from './work.ts';

/** Sums of one task, in flat arrays by kind; used again for every task. */
class Sums {
  readonly runs = new Float64Array(KIND_NAMES.length);
  readonly macs = new Float64Array(KIND_NAMES.length);
  readonly bytes = new Float64Array(KIND_NAMES.length);
  readonly weights = new Float64Array(KIND_NAMES.length);

  clear(): void {
    this.runs.fill(0);
    this.macs.fill(0);
    this.bytes.fill(0);
    this.weights.fill(0);
  }

  add(kind: number, runs: number, macs: number, bytes: number, weights: number): void {
    this.runs[kind] = (this.runs[kind] as number) + runs;
    this.macs[kind] = (this.macs[kind] as number) + macs;
    this.bytes[kind] = (this.bytes[kind] as number) + bytes;
    this.weights[kind] = (this.weights[kind] as number) + weights;
  }

  take(): Work {
    const work: KindWork[] = [];
    for (const [kind, name] of KIND_NAMES.entries()) {
      const bytes = this.bytes[kind] as number;
      const runs = this.runs[kind] as number;
      if (runs === 0 && bytes === 0) continue;
      const [macs, weights] = [this.macs[kind] as number, this.weights[kind] as number];
      work.push({ kind: name, runs, macs, bytes, weights });
    }
    return work;
  }
}

/** The module is single-threaded and nothing here waits: one of each will do. */
const sums = new Sums();
let inTask = new Int32Array(0);
let task = 0;

/** Marks the nodes of a task, so that fusions and borders are found without sets. */
function enter(records: GraphRecords): void {
  if (inTask.length < records.nodes.length) inTask = new Int32Array(2 * records.nodes.length);
  task++;
  sums.clear();
}

/**
 * The work of one tile, its halo included. `regions`: those of `blockRegions` for what the tile makes. The same
 * features are measured by a profile, so that a device's time is a sum of products.
 */
export function tileWork(
  graph: Graph,
  analysis: Analysis,
  block: Pick<FusedBlock, 'nodes' | 'inputs' | 'outputs'>,
  regions: Pick<BlockRegions, 'steps' | 'inputs'>,
): Work {
  const records = recordsOf(graph);
  enter(records);
  for (const { node } of regions.steps) inTask[node.index] = task;
  let moved = 0;
  for (const [name, rectangle] of regions.inputs)
    moved += rectangleBytes(graph, analysis, records, name, rectangle);
  for (const { node, asked, step } of regions.steps) {
    const record = records.nodes[node.index] as NodeRecord;
    const name = node.outputs[0] ?? '';
    const axes = analysis.axes.get(name);
    const shape = graph.tensors.get(name)?.shape;
    const extent = axes === undefined || shape === undefined ? undefined : area(wholeRectangle(shape, axes));
    const share = extent === undefined ? 1 : area(step.made) / extent;
    for (const output of node.outputs) {
      if (!block.outputs.includes(output)) continue;
      moved += bytesOf(records, output) * (extent === undefined ? 1 : area(asked) / extent);
    }
    addNode(graph, records, record, node.outputs, step.inputs, step.share ?? share, share, 1);
  }
  sums.add(TASK, 1, 0, moved, 0);
  return sums.take();
}

/** The work of a block in one piece; of nothing but copies, where all of it is folded away. */
export function wholeWork(
  graph: Graph,
  analysis: Analysis,
  block: Pick<FusedBlock, 'nodes' | 'inputs' | 'outputs'>,
): Work {
  return shardWork(graph, analysis, block, 1);
}

/** The work of `share` of a block's output channels: inputs are read whole, weights and outputs in part. */
export function shardWork(
  graph: Graph,
  analysis: Analysis,
  block: Pick<FusedBlock, 'nodes' | 'inputs' | 'outputs'>,
  share: number,
): Work {
  const records = recordsOf(graph);
  enter(records);
  for (const { index } of block.nodes) inTask[index] = task;
  for (const { index, outputs } of block.nodes) {
    if (analysis.constantNodes.has(index)) continue;
    addNode(graph, records, records.nodes[index] as NodeRecord, outputs, NO_CUTS, share, share, share);
  }
  let moved = 0;
  for (const name of block.inputs) moved += bytesOf(records, name);
  for (const name of block.outputs) moved += bytesOf(records, name) * share;
  sums.add(TASK, 1, 0, moved, 0);
  return sums.take();
}

const NO_CUTS: NodeStep['step']['inputs'] = [];

function addNode(
  graph: Graph,
  records: GraphRecords,
  record: NodeRecord,
  outputs: readonly string[],
  cuts: readonly (Cut | undefined)[],
  macShare: number,
  outputShare: number,
  weightShare: number,
): void {
  const { kind, anchor, extra, inputs, shapes, vectors } = record;
  if (kind < 0) return;
  const made = record.output * outputShare;
  if (vectors) addReorders(graph, records, record, outputs, cuts, made);
  if (anchor >= 0 && inTask[anchor] === task) {
    if (extra >= 0) sums.add(kind, 0, 0, (inputs[extra] as number) * cutShare(shapes[extra], cuts[extra]), 0);
    return;
  }
  let read = 0;
  for (let position = 0; position < inputs.length; position++) {
    const bytes = inputs[position] as number;
    if (bytes > 0) read += bytes * cutShare(shapes[position], cuts[position]);
  }
  sums.add(kind, 1, record.macs * macShare, read + made, record.weightBytes * weightShare);
  if (read + made > CACHE_BYTES) sums.add(SPILL, 0, 0, read + made - CACHE_BYTES, 0);
}

/** Copies into and out of the layout of vectors, where a neighbour in the task, or none, has the other. */
function addReorders(
  graph: Graph,
  records: GraphRecords,
  record: NodeRecord,
  outputs: readonly string[],
  cuts: readonly (Cut | undefined)[],
  made: number,
): void {
  if (KIND_NAMES[record.kind] !== 'conv-few') {
    for (let position = 0; position < record.inputs.length; position++) {
      const bytes = record.inputs[position] as number;
      if (bytes === 0) continue;
      const maker = records.makers[record.tensors[position] as number] as number;
      if (maker >= 0 && inTask[maker] === task && records.nodes[maker]?.vectors) continue;
      sums.add(REORDER, 1, 0, 2 * bytes * cutShare(record.shapes[position], cuts[position]), 0);
    }
  }
  for (const name of outputs) {
    const readers = graph.consumers.get(name);
    const stays = readers?.every(({ index }) => inTask[index] === task && records.nodes[index]?.vectors);
    if (stays !== true) {
      sums.add(REORDER, 1, 0, 2 * made, 0);
      return;
    }
  }
}

function bytesOf(records: GraphRecords, name: string): number {
  return records.bytes[records.tensors.get(name) ?? -1] ?? 0;
}

function rectangleBytes(
  graph: Graph,
  analysis: Analysis,
  records: GraphRecords,
  name: string,
  rectangle: Rectangle | undefined,
): number {
  const axes = analysis.axes.get(name);
  const shape = graph.tensors.get(name)?.shape;
  const whole = bytesOf(records, name);
  if (axes === undefined || shape === undefined || rectangle === undefined) return whole;
  return (whole * area(rectangle)) / area(wholeRectangle(shape, axes));
}

/** Share of a tensor that a cut leaves. */
function cutShare(shape: readonly number[] | undefined, cut: Cut | undefined): number {
  if (shape === undefined || cut === undefined) return 1;
  let share = 1;
  if (cut.row !== undefined) share *= length(cut.row.range) / (shape[cut.row.axis] as number);
  if (cut.column !== undefined) share *= length(cut.column.range) / (shape[cut.column.axis] as number);
  return share;
}
