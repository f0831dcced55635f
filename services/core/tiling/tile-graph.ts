/** The graph one tile runs: the block's nodes with the tile's own pads, and the crops between them. */

import { createHash } from 'node:crypto';
import { constantOf } from '../graph/constant.ts';
import type { Constant, DType, Graph, GraphNode } from '../graph/types.ts';
import type { NodeSpec, ValueSpec } from '../graph/write.ts';
import type { Range } from '../tensor/region.ts';
import type { Analysis } from './analyse.ts';
import { sameRectangle } from './range.ts';
import type { BlockRegions, NodeStep } from './regions.ts';
import type { Exchange, Join, NamedStrip } from './reuse-joins.ts';
import type { Cut, EmittedNode, NodeEmitter, SlicePart } from './rules/rule.ts';
import { sliceNode } from './rules/slice.ts';
import type { Rectangle, SpatialAxes } from './types.ts';
import { isInline } from './weights.ts';

/** A sub-model before it is written: weights by name only. */
export interface TileGraph {
  readonly nodes: readonly NodeSpec[];
  readonly inputs: readonly ValueSpec[];
  readonly outputs: readonly ValueSpec[];
  /** Constants that lie in the sub-model. */
  readonly inline: readonly Constant[];
  /** Names of the graph's constants in the block's weights file. */
  readonly external: ReadonlySet<string>;
}

/** Where a tensor lies in the sub-model: its name there, and what of it (undefined: all). */
interface Held {
  readonly name: string;
  readonly rectangle: Rectangle | undefined;
}

/**
 * Builds the graph of one tile. Nothing in it depends on the tile's size unless an operator needs it to: crops are
 * amounts off both ends, so all tiles with the same pads and crops have equal graphs.
 */
export function tileGraph(
  graph: Graph,
  analysis: Analysis,
  regions: BlockRegions,
  outputs: ReadonlyMap<string, Rectangle>,
  exchange?: Exchange,
): TileGraph {
  const writer = new TileWriter(graph, analysis, outputs, exchange);
  for (const [tensor, rectangle] of regions.inputs) writer.hold(tensor, { name: tensor, rectangle });
  for (const [tensor, join] of exchange?.joins ?? []) if (join.own === undefined) writer.borrow(tensor, join);
  for (const step of regions.steps) writer.write(step);
  return {
    nodes: writer.nodes,
    inputs: [
      ...[...regions.inputs.keys()].map((tensor) => openValue(graph, analysis, tensor)),
      ...[...(exchange?.taken ?? [])].flatMap(([tensor, names]) =>
        [...names.values()].map((name) => openValue(graph, analysis, tensor, name)),
      ),
    ],
    outputs: [
      ...[...outputs.keys()].map((tensor) => openValue(graph, analysis, tensor)),
      ...[...(exchange?.given ?? [])].flatMap(([tensor, strips]) =>
        strips.map(({ name }) => openValue(graph, analysis, tensor, name)),
      ),
    ],
    inline: [...writer.inline.values()],
    external: writer.external,
  };
}

/** A tensor, or a strip of it with a name of its own, with its rows and columns left open. */
function openValue(graph: Graph, analysis: Analysis, tensor: string, name = tensor): ValueSpec {
  const info = graph.tensors.get(tensor);
  const axes = analysis.axes.get(tensor);
  const shape = (info?.shape ?? []).map((extent, axis) => {
    if (extent === 1 || axes === undefined) return extent;
    return axis === axes.row ? `${name}/rows` : axis === axes.column ? `${name}/columns` : extent;
  });
  return { name, dtype: info?.dtype ?? 'float32', shape };
}

class TileWriter {
  readonly nodes: NodeSpec[] = [];
  readonly inline = new Map<string, Constant>();
  readonly external = new Set<string>();
  private readonly held = new Map<string, Held>();
  private readonly copied = new Set<number>();
  private readonly crops = new Map<string, string>();
  private readonly shared = new Map<string, string>();
  private readonly graph: Graph;
  private readonly analysis: Analysis;
  private readonly outputs: ReadonlyMap<string, Rectangle>;
  private readonly exchange: Exchange | undefined;
  private fresh = 0;

  constructor(
    graph: Graph,
    analysis: Analysis,
    outputs: ReadonlyMap<string, Rectangle>,
    exchange: Exchange | undefined,
  ) {
    this.graph = graph;
    this.analysis = analysis;
    this.outputs = outputs;
    this.exchange = exchange;
  }

  hold(tensor: string, held: Held): void {
    this.held.set(tensor, held);
  }

  /** Writes a node, the crop of what it makes beyond what is asked, and what goes out of it. */
  write({ node, asked, step }: NodeStep): void {
    const joins = node.outputs.map((tensor) => this.exchange?.joins.get(tensor));
    const names = node.outputs.map((tensor, i) => this.place(tensor, joins[i]?.held ?? asked));
    const made = names.map((name, i) =>
      name === '' || (joins[i] === undefined && sameRectangle(step.made, asked))
        ? name
        : this.freshName(name),
    );
    step.emit(this.emitter(node, step.inputs, made));
    for (const [i, tensor] of node.outputs.entries()) {
      const [name, join] = [names[i] as string, joins[i]];
      if (name === '') continue;
      if (join === undefined) {
        if (made[i] !== name) this.cropTo(made[i] as string, tensor, step.made, asked, name);
        this.keep(tensor, name, asked);
      } else if (join.own !== undefined) {
        let own = made[i] as string;
        if (!sameRectangle(step.made, join.own)) {
          own = this.freshName(name);
          this.cropTo(made[i] as string, tensor, step.made, join.own, own);
        }
        this.joinTo(tensor, own, name);
        this.keep(tensor, name, join.held);
      }
    }
  }

  /** Holds a tensor of which neighbours make all that is asked. */
  borrow(tensor: string, { held }: Join): void {
    const strips = [...(this.exchange?.taken.get(tensor)?.values() ?? [])];
    const name = strips.length === 1 ? (strips[0] as string) : this.place(tensor, held);
    if (strips.length > 1) this.joinTo(tensor, undefined, name);
    this.keep(tensor, name, held);
  }

  /** The strips a tile takes of a tensor, and its own part between them, in one. */
  private joinTo(tensor: string, own: string | undefined, to: string): void {
    const { along, taken } = this.exchange as Exchange;
    const axes = this.analysis.axes.get(tensor) as SpatialAxes;
    const strips = taken.get(tensor);
    const inputs = [strips?.get('before'), own, strips?.get('after')].filter((name) => name !== undefined);
    const axis = along === 'rows' ? axes.row : axes.column;
    this.nodes.push({ op: 'Concat', inputs, outputs: [to], attributes: new Map([['axis', axis]]) });
  }

  /** Takes note of where a tensor lies, and puts out what the tile makes of it: its output, strips for neighbours. */
  private keep(tensor: string, name: string, held: Rectangle): void {
    this.hold(tensor, { name, rectangle: held });
    const output = this.outputs.get(tensor);
    if (output !== undefined && name !== tensor) this.cropTo(name, tensor, held, output, tensor);
    for (const strip of this.exchange?.given.get(tensor) ?? []) this.give(tensor, name, held, strip);
  }

  /** Strips lie by one end of what the tile holds: counted from there they are the same for tiles of any size. */
  private give(tensor: string, from: string, held: Rectangle, strip: NamedStrip): void {
    const axes = this.analysis.axes.get(tensor) as SpatialAxes;
    const { along } = this.exchange as Exchange;
    const axis = { rows: axes.row, columns: axes.column } as const;
    const across = along === 'rows' ? 'columns' : 'rows';
    const [begin, end] = strip.rectangle[along];
    // What lies before the reader's own part is at the maker's end.
    const anchor = held[along][strip.side === 'before' ? 1 : 0];
    const node = sliceNode(this.tools(), from, [
      { axis: axis[along], begin: begin - anchor, end: end === anchor ? undefined : end - anchor },
      amounts(axis[across], held[across], strip.rectangle[across]),
    ]);
    this.nodes.push({ ...node, outputs: [strip.name] });
  }

  /** The name a tensor gets: its own, unless the tile puts out another part of it than it uses inside. */
  private place(tensor: string, asked: Rectangle): string {
    if (tensor === '') return '';
    const output = this.outputs.get(tensor);
    return output === undefined || sameRectangle(output, asked) ? tensor : this.freshName(tensor);
  }

  private freshName(base: string): string {
    const { graph } = this;
    for (;;) {
      this.fresh += 1;
      const name = `${base}~${this.fresh}`;
      if (!graph.tensors.has(name) && !graph.constants.has(name)) return name;
    }
  }

  private cropTo(from: string, tensor: string, held: Rectangle, wanted: Rectangle, to: string): void {
    const axes = this.analysis.axes.get(tensor);
    if (axes === undefined) return;
    const parts = [
      amounts(axes.row, held.rows, wanted.rows),
      amounts(axes.column, held.columns, wanted.columns),
    ];
    const node = sliceNode(this.tools(), from, parts);
    this.nodes.push({ ...node, outputs: [to] });
  }

  private tools() {
    const opset = this.graph.opset;
    return {
      opset,
      constant: (dtype: DType, shape: readonly number[], values: readonly number[]) =>
        this.constant(dtype, shape, values),
    };
  }

  /** Range of a tensor along an axis as it lies in the sub-model. */
  private heldRange(tensor: string, axis: number): Range {
    const axes = this.analysis.axes.get(tensor);
    const rectangle = this.held.get(tensor)?.rectangle;
    if (rectangle !== undefined && axis === axes?.row) return rectangle.rows;
    if (rectangle !== undefined && axis === axes?.column) return rectangle.columns;
    const info = this.graph.tensors.get(tensor) ?? this.graph.constants.get(tensor);
    return [0, info?.shape[axis] ?? 1];
  }

  private nameOf(tensor: string): string {
    const held = this.held.get(tensor);
    if (held !== undefined) return held.name;
    this.useConstant(tensor);
    return tensor;
  }

  /** Makes a constant available: inline, from the weights file, or by the nodes that compute it. */
  private useConstant(tensor: string): void {
    const constant = this.graph.constants.get(tensor);
    if (constant !== undefined) {
      if (isInline(constant)) this.inline.set(tensor, constant);
      else this.external.add(tensor);
      return;
    }
    const maker = this.graph.producers.get(tensor);
    if (maker === undefined || this.copied.has(maker.index)) return;
    this.copied.add(maker.index);
    for (const name of maker.inputs) if (name !== '') this.useConstant(name);
    this.nodes.push(maker);
  }

  private cut(tensor: string, cut: Cut | undefined): string {
    const name = this.nameOf(tensor);
    const parts = [cut?.row, cut?.column].flatMap((along) =>
      along === undefined ? [] : [amounts(along.axis, this.heldRange(tensor, along.axis), along.range)],
    );
    return this.slice(name, parts);
  }

  slice(name: string, parts: readonly SlicePart[]): string {
    const real = parts.filter(({ begin, end, step = 1 }) => begin !== 0 || end !== undefined || step !== 1);
    if (real.length === 0) return name;
    const key = `${name} ${JSON.stringify(real)}`;
    const known = this.crops.get(key);
    if (known !== undefined) return known;
    const made = this.freshName(name);
    this.nodes.push({ ...sliceNode(this.tools(), name, real), outputs: [made] });
    this.crops.set(key, made);
    return made;
  }

  constant(dtype: DType, shape: readonly number[], values: readonly number[]): string {
    const key = `${dtype} ${shape.join('x')} ${values.join(' ')}`;
    const known = this.shared.get(key);
    if (known !== undefined) return known;
    const name = this.freshName('');
    this.inline.set(name, constantOf(name, dtype, shape, values));
    this.shared.set(key, name);
    return name;
  }

  private constantLike(constant: Constant): string {
    const name = this.freshName('');
    this.inline.set(name, { ...constant, name });
    return name;
  }

  private emitter(
    node: GraphNode,
    cuts: readonly (Cut | undefined)[],
    outputs: readonly string[],
  ): NodeEmitter {
    const { graph } = this;
    const operand = (position: number): string => {
      const tensor = node.inputs[position] ?? '';
      return tensor === '' ? '' : this.cut(tensor, cuts[position]);
    };
    const push = (made: EmittedNode, to: readonly string[]) => {
      this.nodes.push({ ...made, outputs: to });
    };
    return {
      node,
      opset: graph.opset,
      operand,
      uncut: (position) => {
        const tensor = node.inputs[position] ?? '';
        const { row, column } = cuts[position] ?? {};
        return {
          name: this.nameOf(tensor),
          held: {
            ...(row === undefined ? {} : { row: this.heldRange(tensor, row.axis) }),
            ...(column === undefined ? {} : { column: this.heldRange(tensor, column.axis) }),
          },
        };
      },
      keep: ({ attributes = {}, inputs } = {}) => {
        const changed = new Map(node.attributes);
        for (const [name, value] of Object.entries(attributes)) {
          if (value === undefined) changed.delete(name);
          else changed.set(name, value);
        }
        const operands = inputs ?? node.inputs.map((_, position) => operand(position));
        const floats = node.floats === undefined ? {} : { floats: node.floats };
        push({ op: node.op, domain: node.domain, inputs: operands, attributes: changed, ...floats }, outputs);
      },
      replace: (made) => push(made, [outputs[0] ?? '']),
      add: (made) => {
        const name = this.freshName(node.outputs[0] ?? '');
        push(made, [name]);
        return name;
      },
      constant: (dtype, shape, values) => this.constant(dtype, shape, values),
      constantLike: (constant) => this.constantLike(constant),
      slice: (name, parts) => this.slice(name, parts),
    };
  }
}

/** What to take off the front and the back of a held range. */
function amounts(axis: number, held: Range, wanted: Range): SlicePart {
  const rest = wanted[1] - held[1];
  return { axis, begin: wanted[0] - held[0], end: rest === 0 ? undefined : rest };
}

/**
 * Identity of a pad pattern: equal for tiles whose sub-models are equal. A hash of everything that goes into the
 * file but the weights.
 */
export function patternOf(graph: TileGraph): string {
  const hash = createHash('sha256');
  const text = (value: unknown) => hash.update(JSON.stringify(value)).update('\n');
  for (const { op, domain = '', inputs, outputs, attributes } of graph.nodes) {
    text([op, domain, inputs, outputs]);
    for (const [name, value] of attributes ?? []) {
      if (typeof value === 'object' && 'bytes' in value) text([name, value.dtype, value.shape, value.name]);
      else if (typeof value === 'object' && 'proto' in value) hash.update(name).update(value.proto);
      else text([name, value]);
    }
  }
  for (const constant of graph.inline) {
    text([constant.name, constant.dtype, constant.shape]);
    hash.update(constant.bytes());
  }
  text([graph.inputs, graph.outputs, [...graph.external]]);
  return hash.digest('hex').slice(0, 32);
}
