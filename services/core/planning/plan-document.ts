/** Writes a plan: the dataflow graph of a cut model, every transfer from the intersection of two regions. */

import type { CodedCut } from '../graph/cut-codecs.ts';
import type { Graph } from '../graph/types.ts';
import type { Plan } from '../schema/generated/plan.ts';
import { intersect, type Region, whole } from '../tensor/region.ts';
import type { FusedBlock, SpatialAxes, Tile } from '../tiling/types.ts';
import type { Mode, Prediction } from './draft.ts';

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
  /** Whose turn it is, where whole frames go by turns; absent: every frame's. */
  readonly replica?: number;
  /** Weights and activations, in bytes. */
  readonly memoryBytes?: number;
  /** On the preferred device. */
  readonly predictedMs?: number;
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

/** The plan of one pipeline: everything through the merger, tasks bound to their devices, or late to any that holds their sub-model. */
export function planDocument(input: PlanInput): Plan {
  const { graph } = input;
  const names = new Set<string>();
  const standsFor = new Map<string, string>();
  const tasks: Task[] = [sourceTask(graph)];
  for (const planned of input.blocks) {
    for (const part of planned.parts) {
      tasks.push(runTask(planned.block, part));
      for (const [name, { tensor }] of part.tile.strips ?? []) standsFor.set(name, tensor);
      for (const [name, tensor] of part.tile.sums ?? []) standsFor.set(name, tensor);
    }
  }
  tasks.push(sinkTask(graph));
  const transfers = connect(tasks, input.packed ?? new Set());
  for (const task of tasks) {
    for (const piece of [...task.inputs, ...task.outputs]) names.add(piece.tensor);
  }
  return {
    format: 1,
    pipeline: input.pipeline,
    model: { ...input.model },
    inputs: graph.inputs.map((tensor) => tensor.name),
    outputs: graph.outputs.map((tensor) => tensor.name),
    tensors: Object.fromEntries([...names].map((name) => [name, describeTensor(input, name, standsFor)])),
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
  standsFor: ReadonlyMap<string, string>,
): Plan['tensors'][string] {
  const described = standsFor.get(name) ?? name;
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

/** A transfer for every producer whose region meets what a consumer needs; covers are exact, so together they fill it. */
function connect(tasks: readonly Task[], packed: ReadonlySet<string>): Transfer[] {
  const makers = new Map<string, { id: string; region: Region; replica: number | undefined }[]>();
  for (const { id, outputs, replica } of tasks) {
    for (const { tensor, region } of outputs) {
      const list = makers.get(tensor) ?? [];
      list.push({ id, region, replica });
      makers.set(tensor, list);
    }
  }
  const transfers: Transfer[] = [];
  for (const consumer of tasks) {
    for (const need of consumer.inputs) {
      for (const maker of makers.get(need.tensor) ?? []) {
        if (!sameFrames(maker.replica, consumer.replica)) continue;
        const common = intersect(maker.region, need.region);
        if (common === undefined) continue;
        transfers.push({
          from: maker.id,
          to: consumer.id,
          tensor: need.tensor,
          region: mutable(common),
          ...(packed.has(need.tensor) ? { codec: 'deflate' } : {}),
        });
      }
    }
  }
  return transfers;
}

/** Whether there are frames in which both take part. */
function sameFrames(a: number | undefined, b: number | undefined): boolean {
  return a === undefined || b === undefined || a === b;
}
