/** Sub-models: the ONNX files workers run, for a tile or for a block in one piece. */

import type { Constant, Graph } from '../graph/types.ts';
import { encodeModel, type ModelSpec, type ValueSpec } from '../graph/write.ts';
import type { Analysis } from './analyse.ts';
import { readsOf, withConstantNodes } from './constant-nodes.ts';
import { rectangleOf } from './range.ts';
import { blockRegions } from './regions.ts';
import { reuseGraph } from './reuse-graph.ts';
import { joiningSums } from './sums.ts';
import { tileGraph } from './tile-graph.ts';
import type { FusedBlock, Rectangle, SpatialAxes, Tile } from './types.ts';
import { externalWeights, isInline, type WeightsLayout } from './weights.ts';

/** Operator sets of a sub-model: those of the graph, the standard one always among them. */
function opsetsOf(graph: Graph): ReadonlyMap<string, number> {
  return new Map([...graph.opsets, ['', graph.opset]]);
}

/** The rectangles of the block's outputs a tile makes. */
export function outputRectangles(
  analysis: Analysis,
  tile: Pick<Tile, 'outputs' | 'strips'>,
): ReadonlyMap<string, Rectangle> {
  return new Map(
    [...tile.outputs].flatMap(([tensor, region]) =>
      tile.strips?.has(tensor)
        ? []
        : [[tensor, rectangleOf(region, analysis.axes.get(tensor) as SpatialAxes)] as const],
    ),
  );
}

/**
 * The sub-model of a tile, and of every tile with its pattern: tensors have the graph's names, rows and columns are
 * open, and each padded operator has the pads the region arithmetic says. Weights lie in the file `location`, at the
 * places of `layout`; `location` may be anything where the layout is empty. Throws `tiling-refused`.
 */
export function subModel(
  graph: Graph,
  analysis: Analysis,
  block: FusedBlock,
  tile: Tile,
  layout: WeightsLayout,
  location: string,
): Uint8Array {
  const outputs = outputRectangles(analysis, tile);
  const made =
    tile.strips === undefined
      ? tileGraph(graph, analysis, blockRegions(graph, analysis, block, outputs), outputs)
      : reuseGraph(graph, analysis, block, tile, outputs);
  const model: ModelSpec = {
    name: `block ${block.id}`,
    nodes: made.nodes,
    inputs: made.inputs,
    outputs: made.outputs,
    initializers: made.inline,
    externalInitializers: externalWeights(layout, location, (name) => made.external.has(name)),
    opsets: opsetsOf(graph),
    irVersion: graph.irVersion,
  };
  return encodeModel(joiningSums(model, tile));
}

/** The sub-model of a block in one piece, with static shapes; `tile` says which of its inputs come as partial sums. */
export function wholeModel(
  graph: Graph,
  block: Pick<FusedBlock, 'nodes' | 'inputs' | 'outputs'>,
  layout: WeightsLayout,
  location: string,
  tile?: Pick<Tile, 'inputs' | 'sums'>,
): Uint8Array {
  const nodes = withConstantNodes(graph, block.nodes);
  const read = new Set(nodes.flatMap(readsOf));
  const inline: Constant[] = [];
  for (const name of read) {
    const constant = graph.constants.get(name);
    if (constant !== undefined && isInline(constant)) inline.push(constant);
  }
  const model: ModelSpec = {
    name: 'whole',
    nodes,
    inputs: block.inputs.map((name) => staticValue(graph, name)),
    outputs: block.outputs.map((name) => staticValue(graph, name)),
    initializers: inline,
    externalInitializers: externalWeights(layout, location, (name) => read.has(name)),
    opsets: opsetsOf(graph),
    irVersion: graph.irVersion,
  };
  return encodeModel(tile === undefined ? model : joiningSums(model, tile));
}

function staticValue(graph: Graph, name: string): ValueSpec {
  const info = graph.tensors.get(name);
  const shape = info?.shape ?? [];
  return {
    name,
    dtype: info?.dtype ?? 'float32',
    shape: info?.dynamic === true ? shape.map((_, axis) => `${name}/${axis}`) : shape,
  };
}
