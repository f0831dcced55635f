/** What a plan's schema cannot say: that its tasks and transfers make sense together. */

import { TilepipeError } from '../runtime/errors.ts';
import type { Plan } from '../schema/generated/plan.ts';
import { MAX_RANK } from '../tensor/copy.ts';
import { contains, extents, intersect, type Range, type Region, volume, whole } from '../tensor/region.ts';
import { CODEC_NAMES, CODECS, isLossless, isPictureCodec, valueCodec } from '../wire/codecs.ts';
import { MAX_TENSORS } from '../wire/limits.ts';
import { MOST_SIDE, pictureLayout } from '../wire/picture.ts';

type Task = Plan['tasks'][number];
type Transfer = Plan['transfers'][number];
type Piece = Task['inputs'][number];

/**
 * Checks a plan that has passed its schema: ids, regions, transfers, coverage of every input, partial sums, order,
 * replicas, devices, models. Throws `plan-invalid` with the place of the first fault.
 */
export function validatePlan(plan: Plan): void {
  const tasks = byId(plan);
  checkTensors(plan);
  checkEnds(plan);
  const digests = new Set(plan.models.map(({ digest }) => digest));
  const blocks = new Set(plan.blocks.map(({ id }) => id));
  for (const task of plan.tasks) checkTask(plan, task, digests, blocks);
  for (const [index, transfer] of plan.transfers.entries()) checkTransfer(plan, tasks, transfer, index);
  checkSums(plan);
  checkOrder(plan, tasks);
  for (let turn = 0; turn < (plan.replicas ?? 1); turn++) checkCoverage(plan, tasks, turn);
}

function fail(where: string, what: string): never {
  throw new TilepipeError('plan-invalid', `${where}: ${what}`);
}

function byId({ tasks }: Plan): Map<string, Task> {
  const map = new Map<string, Task>();
  for (const task of tasks) {
    if (map.has(task.id)) fail(`task ${task.id}`, 'the id is used twice');
    map.set(task.id, task);
  }
  return map;
}

function checkTensors(plan: Plan): void {
  for (const [name, { shape, codec }] of Object.entries(plan.tensors)) {
    if (shape.length > MAX_RANK)
      fail(`tensor ${name}`, `${shape.length} axes; at most ${MAX_RANK} can travel`);
    if (codec !== undefined && plan.accuracy !== 'budgeted')
      fail(`tensor ${name}`, `codec ${codec.codec} changes values, and the plan's accuracy is exact`);
  }
}

/** One source that supplies the inputs whole, one sink that collects the outputs whole. */
function checkEnds(plan: Plan): void {
  const ends = [
    { kind: 'source', own: 'outputs', other: 'inputs', wanted: plan.inputs },
    { kind: 'sink', own: 'inputs', other: 'outputs', wanted: plan.outputs },
  ] as const;
  for (const { kind, own, other, wanted } of ends) {
    const found = plan.tasks.filter((task) => task.kind === kind);
    const [task] = found;
    if (task === undefined || found.length > 1)
      fail('tasks', `${found.length} of kind ${kind}; there must be one`);
    if (task[other].length > 0) fail(`task ${task.id}`, `a ${kind} has no ${other}`);
    if (task.replica !== undefined) fail(`task ${task.id}`, `a ${kind} takes part in every frame`);
    for (const name of wanted) {
      const piece = task[own].find(({ tensor }) => tensor === name);
      const shape = plan.tensors[name]?.shape;
      if (piece === undefined || shape === undefined || !contains(piece.region, whole(shape))) {
        fail(`task ${task.id}`, `${own} must have the whole of "${name}"`);
      }
    }
  }
}

function checkTask(plan: Plan, task: Task, models: ReadonlySet<string>, blocks: ReadonlySet<number>): void {
  const where = `task ${task.id}`;
  checkPieces(plan, where, 'inputs', task.inputs);
  checkPieces(plan, where, 'outputs', task.outputs);
  if (task.replica !== undefined && task.replica >= (plan.replicas ?? 1)) {
    fail(where, `replica ${task.replica} of ${plan.replicas ?? 1}`);
  }
  if (task.kind !== 'run') {
    if (task.gather === 'worker') fail(where, `a ${task.kind} is gathered by no worker`);
    return;
  }
  if (task.model === undefined || !models.has(task.model))
    fail(where, `model ${task.model ?? '(none)'} is not listed`);
  if (task.block !== undefined && !blocks.has(task.block)) fail(where, `block ${task.block} is not listed`);
  if (task.outputs.length === 0) fail(where, 'has no outputs');
  if (task.gather === 'worker' && task.devices?.length !== 1) {
    fail(where, `a task gathered by its worker names one device, not ${task.devices?.length ?? 0}`);
  }
}

function checkPieces(plan: Plan, where: string, side: 'inputs' | 'outputs', pieces: readonly Piece[]): void {
  if (pieces.length > MAX_TENSORS)
    fail(where, `${pieces.length} ${side}; a message carries ${MAX_TENSORS} tensors`);
  const seen = new Set<string>();
  for (const { tensor, region } of pieces) {
    const known = Object.hasOwn(plan.tensors, tensor) ? plan.tensors[tensor] : undefined;
    if (known === undefined) fail(where, `${side}: tensor "${tensor}" is not listed`);
    if (seen.has(tensor))
      fail(where, `${side}: tensor "${tensor}" stands twice; its regions must be one box`);
    seen.add(tensor);
    const ordered = region.every(([begin, end]) => begin <= end);
    if (!ordered || !contains(whole(known.shape), region)) {
      fail(where, `${side}: region ${show(region)} is not inside "${tensor}" of ${known.shape.join('x')}`);
    }
  }
}

function checkTransfer(
  plan: Plan,
  tasks: ReadonlyMap<string, Task>,
  transfer: Transfer,
  index: number,
): void {
  const where = `transfer ${index} (${transfer.from} -> ${transfer.to})`;
  const from = tasks.get(transfer.from);
  const to = tasks.get(transfer.to);
  if (from === undefined) fail(where, `there is no task ${transfer.from}`);
  if (to === undefined) fail(where, `there is no task ${transfer.to}`);
  const made = from.outputs.find(({ tensor }) => tensor === transfer.tensor);
  const wanted = to.inputs.find(({ tensor }) => tensor === transfer.tensor);
  const region: Region = transfer.region;
  if (made === undefined || !contains(made.region, region)) {
    fail(where, `${from.id} does not make ${show(region)} of "${transfer.tensor}"`);
  }
  if (wanted === undefined || !contains(wanted.region, region)) {
    fail(where, `${to.id} does not read ${show(region)} of "${transfer.tensor}"`);
  }
  if (region.some(([begin, end]) => begin > end)) fail(where, `region ${show(region)} ends before it begins`);
  checkEndpoint(where, transfer, to);
  checkCodec(plan, where, transfer, from);
}

/** A codec there is, that fits the tensor, and keeps its values where the plan is exact. */
function checkCodec(
  plan: Plan,
  where: string,
  { codec = 'raw', tensor, region }: Transfer,
  from: Task,
): void {
  if (!CODECS.has(codec)) fail(where, `codec ${codec} is not one of ${CODEC_NAMES.join(', ')}`);
  if (!isLossless(codec) && plan.accuracy !== 'budgeted')
    fail(where, `codec ${codec} changes values, and the plan's accuracy is exact`);
  const { dtype } = plan.tensors[tensor] as Plan['tensors'][string];
  if (valueCodec(codec) !== 'raw' && dtype !== 'float32')
    fail(where, `codec ${codec} is for float32, "${tensor}" is ${dtype}`);
  if (!isPictureCodec(codec)) return;
  if (from.kind !== 'source') fail(where, `codec ${codec} is for what the source supplies`);
  if (dtype !== 'uint8' || pictureLayout(extents(region), codec) === undefined)
    fail(
      where,
      `codec ${codec} is for uint8 of 1 or 3 channels, sides up to ${MOST_SIDE[codec]}, not ${show(region)} of ${dtype}`,
    );
}

/** A worker's own broker carries what that worker gathers, and nothing else. */
function checkEndpoint(where: string, { endpoint }: Transfer, { id, gather, devices }: Task): void {
  if (endpoint === undefined) return;
  if (gather !== 'worker') fail(where, `endpoint ${endpoint}, but no worker gathers ${id} by itself`);
  if (endpoint !== devices?.[0]) fail(where, `endpoint ${endpoint}, but ${devices?.[0]} gathers ${id}`);
}

/** Who reads one of a block's partial sums reads all of them: only together they are the tensor. */
function checkSums({ tasks }: Plan): void {
  const sums = new Map<number, string[]>();
  for (const { block = -1, shape, outputs } of tasks) {
    if (shape !== 'partial') continue;
    const list = sums.get(block) ?? [];
    sums.set(block, [...list, ...outputs.map(({ tensor }) => tensor)]);
  }
  for (const { id, inputs } of tasks) {
    const read = new Set(inputs.map(({ tensor }) => tensor));
    for (const [block, list] of sums) {
      const missing = list.find((tensor) => !read.has(tensor));
      if (missing !== undefined && list.some((tensor) => read.has(tensor)))
        fail(`task ${id}`, `reads partial sums of block ${block}, but not "${missing}"`);
    }
  }
}

/** Every task can run once those it reads from have: takes away what is ready until nothing is left (Kahn 1962). */
function checkOrder(plan: Plan, tasks: ReadonlyMap<string, Task>): void {
  const waitsFor = new Map([...tasks.keys()].map((id) => [id, 0]));
  const readers = new Map<string, string[]>();
  for (const { from, to } of plan.transfers) {
    waitsFor.set(to, (waitsFor.get(to) ?? 0) + 1);
    const list = readers.get(from);
    if (list === undefined) readers.set(from, [to]);
    else list.push(to);
  }
  const ready = [...waitsFor].filter(([, count]) => count === 0).map(([id]) => id);
  for (let id = ready.pop(); id !== undefined; id = ready.pop()) {
    waitsFor.delete(id);
    for (const reader of readers.get(id) ?? []) {
      const count = (waitsFor.get(reader) ?? 0) - 1;
      waitsFor.set(reader, count);
      if (count === 0) ready.push(reader);
    }
  }
  const [stuck] = waitsFor.keys();
  if (stuck !== undefined) fail(`task ${stuck}`, `waits for itself: ${circleFrom(plan, waitsFor, stuck)}`);
}

/** Of tasks that can never run each waits for another of them: whoever is met twice on the way back closes the circle. */
function circleFrom({ transfers }: Plan, stuck: ReadonlyMap<string, number>, first: string): string {
  const path: string[] = [];
  let at = first;
  while (!path.includes(at)) {
    path.push(at);
    at = transfers.find(({ from, to }) => to === at && stuck.has(from))?.from ?? first;
  }
  return [at, ...path.slice(path.indexOf(at)).reverse()].join(' -> ');
}

/** In the frames of one turn, the transfers into every input cover it; they may overlap. */
function checkCoverage(plan: Plan, tasks: ReadonlyMap<string, Task>, turn: number): void {
  const applies = (task: Task | undefined): boolean => task?.replica === undefined || task.replica === turn;
  const incoming = new Map<string, Transfer[]>();
  for (const transfer of plan.transfers) {
    if (!applies(tasks.get(transfer.from))) continue;
    const list = incoming.get(transfer.to);
    if (list === undefined) incoming.set(transfer.to, [transfer]);
    else list.push(transfer);
  }
  for (const task of plan.tasks.filter(applies)) {
    if (task.gather === 'worker' && !incoming.has(task.id))
      fail(`task ${task.id}`, `nothing is sent to the worker that gathers it${inFrames(plan, turn)}`);
    for (const { tensor, region } of task.inputs) {
      const parts = (incoming.get(task.id) ?? []).filter((transfer) => transfer.tensor === tensor);
      const holes = uncovered(
        region,
        parts.map((part) => part.region),
      );
      if (holes === undefined)
        fail(`task ${task.id}`, `${parts.length} transfers of "${tensor}" overlap in too many ways`);
      const [hole] = holes;
      if (hole !== undefined) {
        fail(`task ${task.id}`, `nothing brings ${show(hole)} of "${tensor}"${inFrames(plan, turn)}`);
      }
    }
  }
}

function inFrames({ replicas }: Plan, turn: number): string {
  return replicas === undefined ? '' : ` in frames of replica ${turn}`;
}

/** Boxes that what is left of an input falls into while it is checked: tiles, which do not overlap, leave far fewer. */
const MOST_BOXES = 512;

/** What is left of `region` without `parts`, as disjoint boxes; undefined where that is too much to work out. */
function uncovered(region: Region, parts: readonly Region[]): Region[] | undefined {
  let rest: Region[] = volume(region) === 0 ? [] : [region];
  for (const part of parts) {
    rest = rest.flatMap((box) => subtract(box, part));
    if (rest.length > MOST_BOXES) return undefined;
  }
  return rest;
}

/** `box` without `part`: on each axis, what lies before and after the common box, the axis then narrowed to it. */
function subtract(box: Region, part: Region): Region[] {
  const common = intersect(box, part);
  if (common === undefined) return [box];
  const left: Region[] = [];
  const core: Range[] = [...box];
  for (const [axis, [begin, end]] of common.entries()) {
    const [from, to] = core[axis] as Range;
    if (from < begin) left.push(core.with(axis, [from, begin]));
    if (end < to) left.push(core.with(axis, [end, to]));
    core[axis] = [begin, end];
  }
  return left;
}

function show(region: Region): string {
  return region.map(([begin, end]) => `${begin}:${end}`).join(',');
}
