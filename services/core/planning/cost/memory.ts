/** Memory of a task: activations at their peak, and weights. */

import type { Graph } from '../../graph/types.ts';
import { elementBytes } from '../../tensor/dtype.ts';
import type { Analysis } from '../../tiling/analyse.ts';
import { area, wholeRectangle } from '../../tiling/range.ts';
import type { BlockRegions } from '../../tiling/regions.ts';
import type { FusedBlock, Rectangle } from '../../tiling/types.ts';
import { type GraphRecords, inPlace, type NodeRecord, recordsOf } from './records.ts';

type Block = Pick<FusedBlock, 'nodes' | 'inputs' | 'outputs'>;

/** Position of the last reader of each tensor of the task, by tensor number; the module is single-threaded. */
let lastUse = new Int32Array(0);
/** Bytes of each tensor that is alive. */
let alive = new Float64Array(0);

/** A node of the task and the share of its outputs that is made. */
interface Made {
  readonly record: NodeRecord;
  readonly share: number;
}

/**
 * Bytes of the largest set of tensors of a tile alive at once: its inputs and outputs are held to the end, others are
 * freed at their last use, and what the executor computes in place counts once.
 */
export function tilePeak(
  graph: Graph,
  analysis: Analysis,
  block: Block,
  regions: Pick<BlockRegions, 'steps' | 'inputs'>,
): number {
  const records = recordsOf(graph);
  const made = regions.steps.map(({ node, step }): Made => {
    const record = records.nodes[node.index] as NodeRecord;
    const share = shareOf(graph, analysis, node.outputs[0] ?? '', step.made);
    return { record, share };
  });
  const inputs = [...regions.inputs].map(
    ([name, rectangle]) => bytesOf(graph, name) * shareOf(graph, analysis, name, rectangle),
  );
  return peak(records, made, inputs, block.outputs);
}

/** The same of a block in one piece; of a graph that is one block, what a single device needs beside the weights. */
export function wholePeak(graph: Graph, block: Block): number {
  const records = recordsOf(graph);
  const made = block.nodes.map(
    ({ index }): Made => ({ record: records.nodes[index] as NodeRecord, share: 1 }),
  );
  const inputs = block.inputs.map((name) => bytesOf(graph, name));
  return peak(records, made, inputs, block.outputs);
}

function peak(
  records: GraphRecords,
  nodes: readonly Made[],
  inputs: readonly number[],
  outputs: readonly string[],
): number {
  if (lastUse.length < records.tensors.size) {
    lastUse = new Int32Array(2 * records.tensors.size);
    alive = new Float64Array(2 * records.tensors.size);
  }
  for (const [at, { record }] of nodes.entries()) {
    for (const { tensor } of record.outputs) lastUse[tensor] = at;
    for (const tensor of record.tensors) if (tensor >= 0) lastUse[tensor] = at;
  }
  for (const name of outputs) lastUse[records.tensors.get(name) ?? 0] = nodes.length;
  let total = inputs.reduce((sum, bytes) => sum + bytes, 0);
  let highest = total;
  // Inputs are counted above, and what is not made here has 0 bytes alive.
  for (const { record } of nodes) for (const tensor of record.tensors) if (tensor >= 0) alive[tensor] = 0;
  for (const [at, { record, share }] of nodes.entries()) {
    const early = inPlace(record);
    if (early) total -= free(record, at);
    for (const { tensor, bytes } of record.outputs) {
      alive[tensor] = bytes * share;
      total += bytes * share;
    }
    if (total > highest) highest = total;
    if (!early) total -= free(record, at);
    for (const { tensor } of record.outputs) if (lastUse[tensor] === at) total -= take(tensor);
  }
  return Math.ceil(highest);
}

/** Frees what a node reads last; returns the bytes. */
function free(record: NodeRecord, at: number): number {
  let freed = 0;
  for (const tensor of record.tensors) if (tensor >= 0 && lastUse[tensor] === at) freed += take(tensor);
  return freed;
}

function take(tensor: number): number {
  const bytes = alive[tensor] as number;
  alive[tensor] = 0;
  return bytes;
}

/** Bytes of the constants a block reads, each once. */
export function blockWeightBytes(graph: Graph, block: Pick<FusedBlock, 'nodes'>): number {
  const records = recordsOf(graph);
  const seen = new Uint8Array(records.constants);
  let total = 0;
  for (const { index } of block.nodes) {
    for (const { constant, bytes } of records.nodes[index]?.weights ?? []) {
      if (seen[constant] === 1) continue;
      seen[constant] = 1;
      total += bytes;
    }
  }
  return total;
}

function bytesOf(graph: Graph, name: string): number {
  const info = graph.tensors.get(name);
  return info === undefined
    ? 0
    : info.shape.reduce((product, extent) => product * extent, elementBytes(info.dtype));
}

function shareOf(graph: Graph, analysis: Analysis, name: string, rectangle: Rectangle | undefined): number {
  const axes = analysis.axes.get(name);
  const shape = graph.tensors.get(name)?.shape;
  return axes === undefined || shape === undefined || rectangle === undefined
    ? 1
    : area(rectangle) / area(wholeRectangle(shape, axes));
}
