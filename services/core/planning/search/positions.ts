/** Where a graph may be cut: the narrow places of one line through all its nodes. */

import type { Graph, GraphNode } from '../../graph/types.ts';
import type { Analysis } from '../../tiling/analyse.ts';
import { readsOf } from '../../tiling/constant-nodes.ts';
import { partialRefusal } from '../../tiling/partial.ts';
import { type CutCandidate, cutCandidates, partition, splitBlock } from '../../tiling/partition.ts';
import { blockWeightBytes } from '../cost/memory.ts';

/** A graph's nodes in an order in which they can run, and the places at which blocks may begin and end. */
export interface Line {
  readonly nodes: readonly GraphNode[];
  /** Nodes before each place, rising, from 0 to all of them. */
  readonly positions: readonly number[];
  /** For each node the number of its stretch. */
  readonly stretch: readonly number[];
  /** Whether the nodes of a stretch can be tiled, by its number. */
  readonly tileable: readonly boolean[];
}

/** Cuts considered in one stretch: the search is quadratic in them. */
const MOST_IN_STRETCH = 20;
/** Cuts considered in all, ends of stretches among them. */
const MOST_IN_ALL = 36;
/** Nodes times cuts: every span between two cuts is walked through, so that huge graphs get fewer. */
const MOST_STEPS = 6000;
/** Weights from which on a layer is worth a block of its own, to be spread by channels. */
const HEAVY_BYTES = 1 << 20;

/** The line of a graph: stretches one after the other, and their narrowest cuts. */
export function lineOf(graph: Graph, analysis: Analysis): Line {
  const stretches = partition(graph, analysis);
  const nodes = stretches.flatMap((stretch) => stretch.nodes);
  const cuts = allowedCuts(graph, nodes);
  const total = Math.max(4, Math.min(MOST_IN_ALL, Math.floor(MOST_STEPS / Math.max(nodes.length, 1))));
  const work = workAlong(analysis, nodes);
  const chosen = new Set<number>();
  const choose = (position: number): void => {
    if (chosen.size < total && cuts.has(position)) chosen.add(position);
  };
  let begin = 0;
  const ranges = stretches.map(({ nodes: own, kind }) => {
    const range = { begin, end: begin + own.length, tileable: kind === 'tile' };
    begin = range.end;
    return range;
  });
  const weight = (range: { begin: number; end: number }): number =>
    (work[range.end] as number) - (work[range.begin] as number);
  // The largest stretches first: where there are too many, the ends of the small ones are given up.
  const bySize = [...ranges].sort((a, b) => weight(b) - weight(a) || a.begin - b.begin);
  for (const range of bySize) {
    if (!range.tileable) continue;
    choose(range.begin);
    choose(range.end);
  }
  for (const [first, last] of heavyLayers(graph, analysis, nodes)) {
    choose(first);
    choose(last);
  }
  for (const range of ranges) {
    const end = range.tileable ? undefined : contractionEnd(graph, analysis, nodes, range);
    if (end !== undefined) choose(end);
  }
  const free = total - chosen.size;
  for (const range of bySize) {
    const most = Math.min(MOST_IN_STRETCH, Math.round(free * weight(range)));
    for (const position of narrowest(nodes, cuts, work, range, most)) choose(position);
  }
  return {
    nodes,
    positions: [0, ...[...chosen].sort((a, b) => a - b), nodes.length],
    stretch: ranges.flatMap((range, at) => new Array<number>(range.end - range.begin).fill(at)),
    tileable: ranges.map(({ tileable }) => tileable),
  };
}

/** Share of the work done before each position: multiplications, and a little for every node. */
function workAlong(analysis: Analysis, nodes: readonly GraphNode[]): number[] {
  const macs = nodes.reduce((sum, node) => sum + analysis.nodeMacs(node), 0);
  let done = 0;
  const along = [0];
  for (const node of nodes) {
    done += macs === 0 ? 1 / nodes.length : 0.7 * (analysis.nodeMacs(node) / macs) + 0.3 / nodes.length;
    along.push(done);
  }
  return along;
}

/** Places inside the line where what is alive can travel, by position. */
function allowedCuts(graph: Graph, nodes: readonly GraphNode[]): Map<number, CutCandidate> {
  const block = { id: 0, kind: 'whole' as const, nodes, inputs: [], outputs: [] };
  const cuts = cutCandidates(graph, block).filter(
    ({ tensors }) => tensors.length > 0 && !tensors.some((name) => isFixed(graph, name)),
  );
  return new Map(cuts.map((cut) => [cut.position, cut]));
}

/** Whether a tensor must stay inside a block: its extents depend on the data, or an executor fuses around it. */
function isFixed(graph: Graph, name: string): boolean {
  if (graph.tensors.get(name)?.dynamic) return true;
  if (graph.producers.get(name)?.op === 'DequantizeLinear') return true;
  return (graph.consumers.get(name) ?? []).some(({ op }) => op === 'QuantizeLinear');
}

/** First and last position of every layer with many weights, with the cheap operators after it. */
function heavyLayers(graph: Graph, analysis: Analysis, nodes: readonly GraphNode[]): [number, number][] {
  const layers: [number, number, number][] = [];
  for (const [at, node] of nodes.entries()) {
    if (node.op !== 'Gemm' && node.op !== 'MatMul') continue;
    const bytes = blockWeightBytes(graph, { nodes: [node] });
    if (bytes < HEAVY_BYTES) continue;
    let end = at + 1;
    while (end < nodes.length && follows(analysis, nodes, end)) end++;
    layers.push([at, end, bytes]);
  }
  layers.sort((a, b) => b[2] - a[2] || a[0] - b[0]);
  return layers.slice(0, MOST_IN_STRETCH / 2).map(([first, last]) => [first, last]);
}

/** Nodes looked at for a layer that reads all of the map before it. */
const MOST_BEFORE = 4;

/** Where a range that begins with a layer over a whole map can be cut behind it: its parts are summed there. */
function contractionEnd(
  graph: Graph,
  analysis: Analysis,
  nodes: readonly GraphNode[],
  { begin, end }: { readonly begin: number; readonly end: number },
): number | undefined {
  for (let at = begin + 1; at <= Math.min(end, begin + MOST_BEFORE); at++) {
    const block = { id: 0, kind: 'whole' as const, nodes: nodes.slice(begin, at), inputs: [], outputs: [] };
    const [first] = splitBlock(graph, block, []);
    if (first !== undefined && partialRefusal(graph, analysis, first) === undefined) return at;
  }
  return undefined;
}

const isActivation = new Set(['Relu', 'Add', 'LeakyRelu', 'Sigmoid', 'Tanh', 'Clip', 'HardSwish', 'Gelu']);

/** Whether the node at a position does nothing but change what the one before it made, element by element. */
function follows(analysis: Analysis, nodes: readonly GraphNode[], at: number): boolean {
  const node = nodes[at] as GraphNode;
  const before = nodes[at - 1] as GraphNode;
  return (
    isActivation.has(node.op) &&
    analysis.nodeMacs(node) === 0 &&
    readsOf(node).some((name) => before.outputs.includes(name))
  );
}

/** The narrowest local minimum of each part of a range, in parts of equal work. */
function narrowest(
  nodes: readonly GraphNode[],
  cuts: ReadonlyMap<number, CutCandidate>,
  work: readonly number[],
  { begin, end }: { readonly begin: number; readonly end: number },
  most: number,
): number[] {
  if (most < 1) return [];
  const from = work[begin] as number;
  const span = (work[end] as number) - from;
  const found: CutCandidate[] = [];
  for (let position = begin + 1; position < end; position++) {
    const cut = cuts.get(position);
    if (cut === undefined) continue;
    const before = cuts.get(position - 1)?.bytes ?? Number.POSITIVE_INFINITY;
    const after = cuts.get(position + 1)?.bytes ?? Number.POSITIVE_INFINITY;
    // Of cuts as narrow around an operator that multiplies nothing, the one after it leaves it with its maker.
    const later = after === cut.bytes && isCheap(nodes[position] as GraphNode);
    if (cut.bytes <= before && cut.bytes <= after && !later) found.push(cut);
  }
  if (found.length <= most) return found.map(({ position }) => position);
  const parts = new Map<number, CutCandidate>();
  for (const cut of found) {
    const part = Math.min(most - 1, Math.floor((((work[cut.position] as number) - from) / span) * most));
    const best = parts.get(part);
    // The last of equals: it leaves what follows a layer with it.
    if (best === undefined || cut.bytes <= best.bytes) parts.set(part, cut);
  }
  return [...parts.values()].map(({ position }) => position);
}

function isCheap({ op }: GraphNode): boolean {
  return isActivation.has(op) || op === 'BatchNormalization' || op === 'Mul' || op === 'Dropout';
}
