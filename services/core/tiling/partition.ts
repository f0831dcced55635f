/** The graph as blocks: stretches that can be tiled and stretches that run whole, and where a stretch can be cut. */

import type { Graph, GraphNode } from '../graph/types.ts';
import { elementBytes } from '../tensor/dtype.ts';
import type { Analysis } from './analyse.ts';
import { constantNodes, readsOf } from './constant-nodes.ts';
import type { FusedBlock } from './types.ts';

type Kind = FusedBlock['kind'];

/**
 * Stretches of nodes that can be tiled, alternating with those that cannot, in an order in which they can run. A
 * node's level is that of its predecessors, one more where it is of the other kind: so every stretch is convex, and
 * as long as it can be. Stretches without multiplications beside whole nodes run with these: sending their maps
 * about costs more than they do.
 */
export function partition(graph: Graph, analysis: Analysis): FusedBlock[] {
  const nodes = graph.nodes.filter((node) => !analysis.constantNodes.has(node.index));
  const kinds = new Map<number, Kind>(
    nodes.map((node) => [node.index, analysis.rules.has(node.index) ? 'tile' : 'whole']),
  );
  for (;;) {
    const blocks = stretches(graph, nodes, kinds);
    const idle = blocks.filter((block) => isIdle(graph, analysis, block, kinds));
    if (idle.length === 0) return blocks;
    for (const { nodes: list } of idle) for (const node of list) kinds.set(node.index, 'whole');
  }
}

/** A stretch of cheap nodes that reads from or feeds a whole one. */
function isIdle(
  graph: Graph,
  analysis: Analysis,
  block: FusedBlock,
  kinds: ReadonlyMap<number, Kind>,
): boolean {
  if (block.kind !== 'tile' || analysis.blockMacs(block) > 0) return false;
  return block.nodes.some((node) =>
    neighbours(graph, node).some((other) => kinds.get(other.index) === 'whole'),
  );
}

function neighbours(graph: Graph, node: GraphNode): GraphNode[] {
  const makers = readsOf(node).flatMap((name) => graph.producers.get(name) ?? []);
  return [...makers, ...node.outputs.flatMap((name) => graph.consumers.get(name) ?? [])];
}

function stretches(
  graph: Graph,
  nodes: readonly GraphNode[],
  kinds: ReadonlyMap<number, Kind>,
): FusedBlock[] {
  const levels = levelsOf(graph, nodes, kinds);
  const groups = new Map<string, { level: number; kind: Kind; nodes: GraphNode[] }>();
  for (const node of nodes) {
    const level = levels.get(node.index) ?? 0;
    const kind = kinds.get(node.index) ?? 'whole';
    const key = `${level} ${kind}`;
    const group = groups.get(key);
    if (group !== undefined) group.nodes.push(node);
    else groups.set(key, { level, kind, nodes: [node] });
  }
  return [...groups.values()]
    .sort((a, b) => a.level - b.level || a.kind.localeCompare(b.kind))
    .map((group, id) => blockOf(graph, id, group.kind, group.nodes));
}

function levelsOf(
  graph: Graph,
  nodes: readonly GraphNode[],
  kinds: ReadonlyMap<number, Kind>,
): Map<number, number> {
  const levels = new Map<number, number>();
  const raised = new Map<number, number>();
  const settle = () => {
    for (const node of nodes) {
      let level = raised.get(node.index) ?? 0;
      for (const name of readsOf(node)) {
        const maker = graph.producers.get(name);
        const before = maker && levels.get(maker.index);
        if (maker === undefined || before === undefined) continue;
        level = Math.max(level, kinds.get(maker.index) === kinds.get(node.index) ? before : before + 1);
      }
      levels.set(node.index, level);
    }
  };
  settle();
  // What reads nothing of the frame runs beside what does: a task needs something to start it.
  const started = nodes.filter(
    (node) => kinds.get(node.index) === 'whole' && readsOf(node).some((name) => isCutTensor(graph, name)),
  );
  const join = levels.get(started[0]?.index ?? -1) ?? 0;
  for (const node of nodes)
    if (!readsOf(node).some((name) => isCutTensor(graph, name))) raised.set(node.index, join);
  if (join > 0) settle();
  // Regions of a tensor whose extents depend on the data cannot be planned: its maker waits for its reader.
  for (let rounds = 0; rounds < nodes.length; rounds++) {
    const waiting = nodes.filter((node) => {
      const wanted = Math.max(
        ...dynamicReaders(graph, node).map((reader) => levels.get(reader.index) ?? 0),
        -1,
      );
      if (wanted <= (levels.get(node.index) ?? 0)) return false;
      raised.set(node.index, wanted);
      return true;
    });
    if (waiting.length === 0) break;
    settle();
  }
  return levels;
}

function dynamicReaders(graph: Graph, node: GraphNode): readonly GraphNode[] {
  return node.outputs.flatMap((name) =>
    graph.tensors.get(name)?.dynamic ? (graph.consumers.get(name) ?? []) : [],
  );
}

/** A block of the given nodes, with exactly the tensors that enter and leave it. */
function blockOf(graph: Graph, id: number, kind: Kind, nodes: readonly GraphNode[]): FusedBlock {
  const inside = new Set(nodes.map((node) => node.index));
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const results = new Set(graph.outputs.map(({ name }) => name));
  const inputs = new Set<string>();
  const outputs: string[] = [];
  for (const node of nodes) {
    for (const name of readsOf(node)) if (!made.has(name) && isCutTensor(graph, name)) inputs.add(name);
    for (const name of node.outputs) {
      const leaves = (graph.consumers.get(name) ?? []).some((reader) => !inside.has(reader.index));
      if (name !== '' && (leaves || results.has(name))) outputs.push(name);
    }
  }
  return { id, kind, nodes, inputs: [...inputs], outputs };
}

/** Whether a tensor depends on the frame: copies of the nodes that make the others go into each block. */
function isCutTensor(graph: Graph, name: string): boolean {
  return graph.tensors.has(name) && !dependsOnNothing(graph, name);
}

const memo = new WeakMap<Graph, ReadonlySet<string>>();

function dependsOnNothing(graph: Graph, name: string): boolean {
  let names = memo.get(graph);
  if (names === undefined) {
    const constant = constantNodes(graph);
    names = new Set(graph.nodes.filter((node) => constant.has(node.index)).flatMap((node) => node.outputs));
    memo.set(graph, names);
  }
  return names.has(name);
}

/**
 * A block cut after its first `positions[0]`, `positions[1]`, ... nodes; positions rise and lie inside. Ids count up
 * from the block's own.
 */
export function splitBlock(graph: Graph, block: FusedBlock, positions: readonly number[]): FusedBlock[] {
  const cuts = [0, ...positions, block.nodes.length];
  return cuts
    .slice(1)
    .map((end, index) => blockOf(graph, block.id + index, block.kind, block.nodes.slice(cuts[index], end)));
}

/** A place to cut a block, and what would travel there. */
export interface CutCandidate {
  /** Nodes before the cut. */
  readonly position: number;
  /** Bytes of the tensors made before it and read after it within the block. */
  readonly bytes: number;
  /** Their names. */
  readonly tensors: readonly string[];
}

/** Every place inside a block, in order. */
export function cutCandidates(graph: Graph, block: FusedBlock): CutCandidate[] {
  const lastRead = new Map<string, number>();
  for (const [at, node] of block.nodes.entries()) for (const name of readsOf(node)) lastRead.set(name, at);
  const candidates: CutCandidate[] = [];
  let alive: string[] = [];
  for (let position = 1; position < block.nodes.length; position++) {
    const node = block.nodes[position - 1] as GraphNode;
    alive = [...alive, ...node.outputs].filter((name) => (lastRead.get(name) ?? -1) >= position);
    candidates.push({
      position,
      bytes: alive.reduce((sum, name) => sum + bytesOf(graph, name), 0),
      tensors: alive,
    });
  }
  return candidates;
}

function bytesOf(graph: Graph, name: string): number {
  const info = graph.tensors.get(name);
  return info === undefined
    ? 0
    : info.shape.reduce((product, extent) => product * extent, elementBytes(info.dtype));
}
