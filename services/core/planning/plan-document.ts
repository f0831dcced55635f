/** Writes a plan: the dataflow graph of a cut model, every transfer from the intersection of two regions. */

import type { CodedCut } from '../graph/cut-codecs.ts';
import type { Graph } from '../graph/types.ts';
import type { Plan } from '../schema/generated/plan.ts';
import { intersect, type Region, whole } from '../tensor/region.ts';
import type { FusedBlock, SpatialAxes, Tile } from '../tiling/types.ts';
import { deflatedCodec, isLossless } from '../wire/codecs.ts';
import type { Mode, Prediction, WireCodec } from './draft.ts';

/** Ids of the two tasks every plan has: the frame's supply and the result's collection. */
export const SOURCE = 'input';
export const SINK = 'result';

/** One block as it will run: its parts, and for each part the digest of its sub-model. */
export interface PlannedBlock {
  readonly block: FusedBlock;
  readonly parts: readonly PlannedPart[];
  readonly macs: number;
  readonly weightBytes: number;
  /** Why a block runs in one piece. */
  readonly reason?: string;
}

/** A part of a block as a task: where it may run, and what it is expected to take there. */
export interface PartPlacement {
  readonly tile: Tile;
  /** Workers that may run it, the preferred first. Empty or absent: any that holds the sub-model. */
  readonly devices?: readonly string[];
  /** The device named collects the inputs itself, sent by those who make them. */
  readonly gather?: 'worker';
  /** Of such a part: its device's own broker carries what others send it. */
  readonly direct?: boolean;
  /** Whose turn it is, where whole frames go by turns; absent: every frame's. */
  readonly replica?: number;
  /** Weights and activations, in bytes. */
  readonly memoryBytes?: number;
  /** On the preferred device. */
  readonly predictedMs?: number;
}

/** A block with its parts and where they may run; its kind says how. */
export interface PlacedBlock {
  readonly block: FusedBlock;
  readonly parts: readonly PartPlacement[];
  /** Why it runs in one piece. */
  readonly reason?: string;
}

export interface PlannedPart extends PartPlacement {
  readonly shape: Mode;
  /** Digest of its sub-model. */
  readonly model: string;
}

export interface SubModelFile {
  readonly digest: string;
  readonly bytes: number;
  readonly weights: readonly { readonly digest: string; readonly bytes: number }[];
}

export interface PlanInput {
  readonly pipeline: string;
  readonly model: { readonly digest: string; readonly name: string };
  readonly graph: Graph;
  readonly axes: ReadonlyMap<string, SpatialAxes>;
  readonly blocks: readonly PlannedBlock[];
  readonly files: readonly SubModelFile[];
  /** Number of turns, where some tasks are replicas. */
  readonly replicas?: number;
  readonly predicted?: Omit<Prediction, 'memoryBytes'>;
  /** How tensors that travel in a short form stand for those of the model, by the latter's names. */
  readonly codecs?: ReadonlyMap<string, CodedCut>;
  /** Tensors that travel deflated. */
  readonly packed?: ReadonlySet<string>;
  /** Tensors that messages write by a codec, partial sums by the name of what they add up to. */
  readonly wire?: ReadonlyMap<string, WireCodec>;
}

type Task = Plan['tasks'][number];
type Transfer = Plan['transfers'][number];

const mutable = (region: Region): [number, number][] => region.map(([begin, end]) => [begin, end]);
const pieces = (regions: ReadonlyMap<string, Region>): Task['inputs'] =>
  [...regions].map(([tensor, region]) => ({ tensor, region: mutable(region) }));

/** The tile that is the whole of a block. */
export function wholeTile(graph: Graph, block: FusedBlock, macs: number): Tile {
  const all = (names: readonly string[]): Map<string, Region> =>
    new Map(names.map((name) => [name, whole(shapeOf(graph, name))]));
  return {
    block: block.id,
    index: 0,
    inputs: all(block.inputs),
    outputs: all(block.outputs),
    pattern: 'whole',
    macs,
  };
}

function shapeOf(graph: Graph, tensor: string): readonly number[] {
  return graph.tensors.get(tensor)?.shape ?? [];
}

/**
 * The plan of one pipeline: tensors go through the merger or straight to who gathers them, tasks are bound to their
 * devices, or late to any that holds their sub-model.
 */
export function planDocument(input: PlanInput): Plan {
  const { graph } = input;
  const names = new Set<string>();
  const standsFor = new Map<string, string>();
  const tasks: Task[] = [sourceTask(graph)];
  const direct = new Set<string>();
  const sums = new Map<string, string>();
  for (const planned of input.blocks) {
    for (const part of planned.parts) {
      tasks.push(runTask(planned.block, part));
      if (part.direct) direct.add(taskId(planned.block, part));
      for (const [name, { tensor }] of part.tile.strips ?? []) standsFor.set(name, tensor);
      for (const [name, tensor] of part.tile.sums ?? []) sums.set(name, tensor);
    }
  }
  tasks.push(sinkTask(graph));
  const transfers = connect(tasks, (name) => codecOf(input, sums.get(name) ?? name), direct);
  for (const task of tasks) {
    for (const piece of [...task.inputs, ...task.outputs]) names.add(piece.tensor);
  }
  const tensors = [...names].map((name) => {
    const described = describeTensor(input, name, sums.get(name) ?? standsFor.get(name) ?? name);
    return [name, described] as const;
  });
  // Values change on the way, or in the sub-models at either end of it.
  const lossy =
    transfers.some(({ codec }) => !isLossless(codec)) || tensors.some(([, { codec }]) => codec !== undefined);
  return {
    format: 1,
    pipeline: input.pipeline,
    model: { ...input.model },
    inputs: graph.inputs.map((tensor) => tensor.name),
    outputs: graph.outputs.map((tensor) => tensor.name),
    tensors: Object.fromEntries(tensors),
    blocks: input.blocks.map(({ block, macs, weightBytes, reason }) => ({
      id: block.id,
      kind: block.kind,
      nodes: block.nodes.length,
      macs,
      weightBytes,
      ...(reason === undefined ? {} : { reason }),
    })),
    tasks,
    transfers,
    models: input.files.map(({ digest, bytes, weights }) => ({
      digest,
      bytes,
      weights: weights.map((file) => ({ ...file })),
    })),
    ...(input.replicas === undefined ? {} : { replicas: input.replicas }),
    ...(lossy ? { accuracy: 'budgeted' as const } : {}),
    ...(input.predicted === undefined ? {} : { predicted: prediction(input.predicted) }),
  };
}

function prediction({
  latencyMs,
  framesPerSecond,
  bytesPerFrame,
  bottleneck,
}: Omit<Prediction, 'memoryBytes'>): NonNullable<Plan['predicted']> {
  return { latencyMs, framesPerSecond, bytesPerFrame: Math.round(bytesPerFrame), bottleneck };
}

/** A strip is described as the tensor it is of, in whose rows and columns its regions are; so is a partial sum. */
function describeTensor(
  { graph, axes, codecs = new Map() }: PlanInput,
  name: string,
  described: string,
): Plan['tensors'][string] {
  const tensor = graph.tensors.get(described);
  const spatial = axes.get(described);
  return {
    dtype: tensor?.dtype ?? 'float32',
    shape: [...(tensor?.shape ?? [])],
    ...(spatial === undefined ? {} : { spatial: [spatial.row, spatial.column] }),
    ...describeCodec(codecs, name),
  };
}

function describeCodec(
  codecs: ReadonlyMap<string, CodedCut>,
  name: string,
): Pick<Plan['tensors'][string], 'codec'> {
  for (const [of, { codec, wire, scale, zeroPoint }] of codecs) {
    if (wire !== name) continue;
    return {
      codec: {
        of,
        codec,
        ...(scale === undefined ? {} : { scale }),
        ...(zeroPoint === undefined ? {} : { zeroPoint }),
      },
    };
  }
  return {};
}

function sourceTask(graph: Graph): Task {
  const outputs = graph.inputs.map(({ name, shape }) => ({ tensor: name, region: mutable(whole(shape)) }));
  return { id: SOURCE, kind: 'source', inputs: [], outputs };
}

function sinkTask(graph: Graph): Task {
  const inputs = graph.outputs.map(({ name, shape }) => ({ tensor: name, region: mutable(whole(shape)) }));
  return { id: SINK, kind: 'sink', inputs, outputs: [] };
}

/** What tells the parts of a block apart in the ids of their tasks. */
const LETTERS = { tile: 't', shard: 's', partial: 'p' } as const;

function taskId(block: FusedBlock, { shape, tile, replica }: PlannedPart): string {
  const part = shape === 'whole' ? `b${block.id}` : `b${block.id}.${LETTERS[shape]}${tile.index}`;
  return replica === undefined ? part : `${part}.r${replica}`;
}

function runTask(block: FusedBlock, part: PlannedPart): Task {
  const { shape, tile, model, devices = [], gather, replica, memoryBytes, predictedMs } = part;
  return {
    id: taskId(block, part),
    kind: 'run',
    block: block.id,
    index: tile.index,
    shape,
    model,
    inputs: pieces(tile.inputs),
    outputs: pieces(tile.outputs),
    ...(devices.length === 0 ? {} : { devices: [...devices] }),
    ...(gather === undefined ? {} : { gather }),
    ...(replica === undefined ? {} : { replica }),
    macs: tile.macs,
    ...(memoryBytes === undefined ? {} : { memoryBytes: Math.round(memoryBytes) }),
    ...(predictedMs === undefined ? {} : { predictedMs }),
  };
}

/** How messages write a tensor. */
function codecOf({ packed, wire }: PlanInput, tensor: string): Transfer['codec'] {
  const own = wire?.get(tensor);
  return packed?.has(tensor) ? deflatedCodec(own) : own;
}

/** A transfer for every producer whose region meets what a consumer needs; covers are exact, so together they fill it. */
function connect(
  tasks: readonly Task[],
  codecFor: (name: string) => Transfer['codec'],
  direct: ReadonlySet<string>,
): Transfer[] {
  const makers = new Map<string, { task: Task; region: Region }[]>();
  for (const task of tasks) {
    for (const { tensor, region } of task.outputs) {
      const list = makers.get(tensor) ?? [];
      list.push({ task, region });
      makers.set(tensor, list);
    }
  }
  const transfers: Transfer[] = [];
  for (const consumer of tasks) {
    for (const need of consumer.inputs) {
      const codec = codecFor(need.tensor);
      for (const maker of makers.get(need.tensor) ?? []) {
        if (!sameFrames(maker.task.replica, consumer.replica)) continue;
        const common = intersect(maker.region, need.region);
        if (common === undefined) continue;
        transfers.push({
          from: maker.task.id,
          to: consumer.id,
          tensor: need.tensor,
          region: mutable(common),
          ...(codec === undefined ? {} : { codec }),
          ...(direct.has(consumer.id) ? endpointOf(maker.task, consumer) : {}),
        });
      }
    }
  }
  return transfers;
}

/** What another worker made goes to the consumer's own broker; the splitter is at the hub, and what stays does not travel. */
function endpointOf({ kind, devices: makers }: Task, { devices }: Task): Pick<Transfer, 'endpoint'> {
  const [device] = devices ?? [];
  const stays = makers?.length === 1 && makers[0] === device;
  return kind !== 'run' || stays || device === undefined ? {} : { endpoint: device };
}

/** Whether there are frames in which both take part. */
function sameFrames(a: number | undefined, b: number | undefined): boolean {
  return a === undefined || b === undefined || a === b;
}
