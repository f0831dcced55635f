/** What can be tiled and what cannot: axes of every tensor, and a bound rule or a reason for every node. */

import { readElements } from '../graph/dtype.ts';
import { nodeMacs, typeOf } from '../graph/macs.ts';
import { operatorKey } from '../graph/operators/table.ts';
import type { Graph, GraphNode } from '../graph/types.ts';
import { TilepipeError } from '../runtime/errors.ts';
import { type AxesInput, assumeAxes, inferAxes, sameAxes } from './axes.ts';
import { constantNodes, isConstant, readsOf } from './constant-nodes.ts';
import { refusedReason } from './rules/refused.ts';
import { type Bound, inputAxis, type Layout, type RuleContext } from './rules/rule.ts';
import { RULES } from './rules/table.ts';
import type { FusedBlock, Refusal, SpatialAxes } from './types.ts';

export interface Analysis {
  /** Rows and columns of the tensors that have them. */
  readonly axes: ReadonlyMap<string, SpatialAxes>;
  /** By node index: why a node cannot be tiled. */
  readonly refusals: ReadonlyMap<number, Refusal>;
  /** By node index: the rules of the nodes that can. */
  readonly rules: ReadonlyMap<number, Bound>;
  /** Nodes that depend on no frame; every block that reads them gets copies. */
  readonly constantNodes: ReadonlySet<number>;
  /** Remarks on the whole graph, for people. */
  readonly notes: readonly string[];
  /** Multiply-accumulates of a node's whole output. */
  nodeMacs(node: GraphNode): number;
  /** Multiply-accumulates of a block run in one piece. */
  blockMacs(block: Pick<FusedBlock, 'nodes'>): number;
}

/** Constants longer than this are no parameters of a rule. */
const MOST_VALUES = 4096;

interface Verdicts {
  readonly axes: ReadonlyMap<string, SpatialAxes>;
  readonly refusals: Map<number, Refusal>;
  readonly rules: Map<number, Bound>;
}

/** Never fails on a graph that was read: what is not understood runs whole, with the reason. */
export function analyse(graph: Graph): Analysis {
  return new Analyser(graph).run();
}

class Analyser {
  private readonly graph: Graph;
  private readonly constant: ReadonlySet<number>;
  private readonly contexts = new Map<number, RuleContext>();
  private readonly layouts = new Map<number, Layout>();
  private readonly macs: readonly number[];
  private readonly quantised: ReadonlySet<string>;

  constructor(graph: Graph) {
    this.graph = graph;
    this.constant = constantNodes(graph);
    this.macs = graph.nodes.map((node) => nodeMacs(graph, node));
    this.quantised = quantisedTensors(graph, this.constant);
  }

  run(): Analysis {
    for (const node of this.graph.nodes) {
      const context = this.contextOf(node);
      this.contexts.set(node.index, context);
      const layout = guarded(() => RULES.get(operatorKey(node.op, node.domain))?.layout(context));
      if (layout !== undefined && typeof layout !== 'string') this.layouts.set(node.index, layout);
    }
    const { axes, refusals, rules } = this.bestVerdicts();
    return {
      axes,
      refusals,
      rules,
      constantNodes: this.constant,
      notes: this.notes(),
      nodeMacs: (node) => this.macs[node.index] ?? 0,
      blockMacs: ({ nodes }) => nodes.reduce((sum, node) => sum + (this.macs[node.index] ?? 0), 0),
    };
  }

  private contextOf(node: GraphNode): RuleContext {
    const { graph, constant } = this;
    return {
      node,
      opset: graph.opsets.get(node.domain) ?? graph.opset,
      inputs: node.inputs.map((name) => typeOf(graph, name)),
      outputs: node.outputs.map((name) => graph.tensors.get(name)),
      isConstant: (position) => isConstant(graph, constant, node.inputs[position] ?? ''),
      values(position) {
        const found = graph.constants.get(node.inputs[position] ?? '');
        if (found === undefined || found.byteLength > MOST_VALUES * 8) return undefined;
        return Array.from(readElements(found.dtype, found.bytes()));
      },
    };
  }

  /** Tries rows and columns of inputs that no operator fixes, and keeps what tiles more. */
  private bestVerdicts(): Verdicts {
    const input: AxesInput = {
      graph: this.graph,
      layouts: this.layouts,
      varies: (tensor) => !isConstant(this.graph, this.constant, tensor),
    };
    let best = this.verdicts(inferAxes(input));
    for (const { name, shape } of this.graph.inputs) {
      if (best.axes.has(name) || shape.length !== 4) continue;
      const choices = [
        { row: 2, column: 3 },
        { row: 1, column: 2 },
      ].map((axes) => this.verdicts(assumeAxes(input, best.axes, name, axes)));
      const [first, ...others] = choices as [Verdicts, ...Verdicts[]];
      // Even where nothing can be tiled, axes make the reasons tell more.
      best = others.reduce((a, b) => (this.score(b) > this.score(a) ? b : a), first);
    }
    return best;
  }

  /** Work that can be tiled, then nodes. */
  private score({ rules }: Verdicts): number {
    let macs = 0;
    for (const index of rules.keys()) macs += this.macs[index] ?? 0;
    return macs + rules.size * 1e-6;
  }

  private verdicts(axes: ReadonlyMap<string, SpatialAxes>): Verdicts {
    const refusals = new Map<number, Refusal>();
    const rules = new Map<number, Bound>();
    for (const node of this.graph.nodes) {
      if (this.constant.has(node.index)) continue;
      const verdict = this.judge(node, axes);
      if (typeof verdict === 'string')
        refusals.set(node.index, { node: node.name, op: node.op, reason: verdict });
      else rules.set(node.index, verdict);
    }
    return { axes, refusals, rules };
  }

  private judge(node: GraphNode, axes: ReadonlyMap<string, SpatialAxes>): Bound | string {
    const rule = RULES.get(operatorKey(node.op, node.domain));
    if (rule === undefined) return refusedReason(node.op, operatorKey(node.op, node.domain));
    const obstacle = this.obstacle(node, rule.many === true);
    if (obstacle !== undefined) return obstacle;
    const context = this.contexts.get(node.index) as RuleContext;
    const layout = this.layouts.get(node.index);
    if (layout === undefined) return 'its parameters are not constants';
    const own = axes.get(node.outputs[0] ?? '');
    if (own === undefined) {
      const had = node.inputs.some((name) => axes.has(name));
      return rule.lost?.(context, had) ?? 'its output has no rows and columns';
    }
    if (node.outputs.some((name) => name !== '' && !sameAxes(axes.get(name) ?? own, own)))
      return 'its outputs differ in layout';
    if (!node.inputs.every((name, position) => this.fits(axes.get(name), own, layout, position))) {
      return 'an input has its rows and columns elsewhere';
    }
    const bound = guarded(() => rule.bind({ ...context, layout, axes: own }));
    if (typeof bound === 'string') return bound;
    const shape = this.graph.tensors.get(node.outputs[0] ?? '')?.shape ?? [];
    return shape[own.row] === 1 && shape[own.column] === 1 ? 'its output is a single row and column' : bound;
  }

  /** Whether an input's rows and columns are where the node's own axes put them. */
  private fits(found: SpatialAxes | undefined, own: SpatialAxes, layout: Layout, position: number): boolean {
    if (found === undefined || layout.maps[position] === undefined) return true;
    return (
      inputAxis(layout, position, own.row) === found.row &&
      inputAxis(layout, position, own.column) === found.column
    );
  }

  /** What keeps a node from being tiled whatever its operator. */
  private obstacle(node: GraphNode, many: boolean): string | undefined {
    const { graph } = this;
    const names = [...readsOf(node), ...node.outputs];
    if (names.some((name) => graph.tensors.get(name)?.dynamic)) return 'its shapes depend on the data';
    if (names.some((name) => graph.tensors.get(name)?.shape.includes(0))) return 'a tensor is empty';
    if (names.some((name) => this.quantised.has(name))) {
      return 'it lies between QuantizeLinear and DequantizeLinear; cutting there changes which kernels the executor fuses';
    }
    if (readsOf(node).every((name) => isConstant(graph, this.constant, name)))
      return 'it does not depend on the input';
    if (!many && node.outputs.slice(1).some((name) => this.isUsed(name)))
      return 'more than its first output is used';
    return undefined;
  }

  private isUsed(tensor: string): boolean {
    if (tensor === '') return false;
    return this.graph.consumers.has(tensor) || this.graph.outputs.some(({ name }) => name === tensor);
  }

  private notes(): string[] {
    const has = (op: string) =>
      this.graph.nodes.some((node) => node.op === op && !this.constant.has(node.index));
    const notes: string[] = [];
    if (this.quantised.size > 0)
      notes.push('quantised graph (QuantizeLinear, DequantizeLinear): its groups run whole');
    if (has('DynamicQuantizeLinear'))
      notes.push('dynamic quantisation takes its range over whole tensors: those parts run whole');
    return notes;
  }
}

/** Tensors that QuantizeLinear reads or DequantizeLinear makes of the frame's data. */
function quantisedTensors(graph: Graph, constant: ReadonlySet<number>): ReadonlySet<string> {
  const found = new Set<string>();
  for (const node of graph.nodes) {
    if (constant.has(node.index)) continue;
    if (node.op === 'QuantizeLinear') found.add(node.inputs[0] ?? '');
    if (node.op === 'DequantizeLinear') found.add(node.outputs[0] ?? '');
  }
  return found;
}

/** A node whose attributes contradict its shapes runs whole, and the executor says what it thinks of it. */
function guarded<T>(step: () => T): T | string {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof TilepipeError)) throw error;
    return error.message;
  }
}
