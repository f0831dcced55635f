/**
 * What a graph offers to the search, whatever the fleet: places to cut it, and the spans between them. Everything is
 * worked out when first asked for, and kept, so that a second search of the same space costs less.
 */

import type { Graph } from '../../graph/types.ts';
import type { Analysis } from '../../tiling/analyse.ts';
import { splitBlock } from '../../tiling/partition.ts';
import { mostShards } from '../../tiling/shard.ts';
import type { FusedBlock } from '../../tiling/types.ts';
import { everything } from '../choose-blocks.ts';
import { type Line, lineOf } from './positions.ts';
import { GraphSpan, type Span } from './span.ts';

export interface SearchSpace {
  readonly graph: Graph;
  readonly analysis: Analysis;
  readonly line: Line;
  /** The last position; the first is 0. */
  readonly end: number;
  /** The span between two positions; undefined where it cannot be a task of its own. */
  span(from: number, to: number): Span | undefined;
}

/** A space over other positions of the same line, for a plan made by hand; spans are not shared. */
export function spaceAt(space: SearchSpace, positions: readonly number[]): SearchSpace {
  return new Space(space.graph, space.analysis, { ...space.line, positions });
}

/** A graph whose spans are looked at when they are first asked for: where few may be. */
export function lazySpace(graph: Graph, analysis: Analysis): SearchSpace {
  return new Space(graph, analysis, lineOf(graph, analysis));
}

/** Opens a graph for searching: every span is looked at once, in one piece. */
export function openSpace(graph: Graph, analysis: Analysis): SearchSpace {
  const space = new Space(graph, analysis, lineOf(graph, analysis));
  for (let from = 0; from < space.end; from++)
    for (let to = from + 1; to <= space.end; to++) void space.span(from, to)?.whole;
  return space;
}

/** Nodes of a block that is looked at for shards: one layer, what brings its input into shape, and what follows it. */
const MOST_IN_SHARD = 8;

class Space implements SearchSpace {
  readonly graph: Graph;
  readonly analysis: Analysis;
  readonly line: Line;
  readonly end: number;
  readonly #spans = new Map<number, GraphSpan | undefined>();

  constructor(graph: Graph, analysis: Analysis, line: Line) {
    this.graph = graph;
    this.analysis = analysis;
    this.line = line;
    this.end = line.positions.length - 1;
  }

  span(from: number, to: number): GraphSpan | undefined {
    const key = from * (this.end + 1) + to;
    if (!this.#spans.has(key)) this.#spans.set(key, this.#open(from, to));
    return this.#spans.get(key);
  }

  #open(from: number, to: number): GraphSpan | undefined {
    const { graph, analysis, line } = this;
    const begin = line.positions[from] as number;
    const end = line.positions[to] as number;
    if (begin >= end) return undefined;
    const stretch = line.stretch[begin] as number;
    const tileable = stretch === line.stretch[end - 1] && line.tileable[stretch] === true;
    const block = this.#block(begin, end, tileable ? 'tile' : 'whole');
    if (block === undefined) return undefined;
    const shards = block.nodes.length > MOST_IN_SHARD ? 1 : mostShards(graph, analysis, block);
    return new GraphSpan({ graph, analysis, block, from, to, tileable, mostShards: shards });
  }

  #block(begin: number, end: number, kind: FusedBlock['kind']): FusedBlock | undefined {
    const { graph, line } = this;
    const nodes = line.nodes.slice(begin, end);
    const block = splitBlock(graph, { id: 0, kind, nodes, inputs: [], outputs: [] }, [])[0] as FusedBlock;
    // A task needs something to start it, and something to say.
    if (block.outputs.length > 0 && block.inputs.length > 0) return block;
    return nodes.length === line.nodes.length ? everything(graph) : undefined;
  }
}
