/** From a frame's tensors to the tiles of the first block: every rectangle is copied once, straight into its message. */

import { pictureOf } from '../core/control/picture-codec.ts';
import type { AnnouncedPlan } from '../core/control/plan-watch.ts';
import type { Delivery, Task } from '../core/flow/plan-index.ts';
import { copyRegion } from '../core/tensor/copy.ts';
import { elementBytes } from '../core/tensor/dtype.ts';
import { extents, type Region, whole } from '../core/tensor/region.ts';
import type { BodyPool } from '../core/wire/body-pool.ts';
import { DEFLATE, isPictureCodec, type PictureCodec } from '../core/wire/codecs.ts';
import { deflated } from '../core/wire/deflate.ts';
import { type LaidMessage, layoutMessage, type TensorSpec } from '../core/wire/encode.ts';
import type { MessageMeta, TensorData } from '../core/wire/message.ts';
import { type PackedForm, withForms } from '../core/wire/packed-form.ts';
import type { Frame } from './frame-queue.ts';

/** One tensor of a message: which box of which plan tensor. */
interface Box {
  readonly tensor: string;
  readonly region: Region;
}

/** How tensors of a message travel that do not travel raw. */
interface Coding {
  readonly packed: ReadonlySet<string>;
  readonly pictures: ReadonlyMap<string, PictureCodec>;
}

type Indexed = Pick<AnnouncedPlan, 'index'>;
type Tensors = Pick<Frame, 'tensors'>;

/** The `task` message of a task whose inputs all come from the frame. Pictures are written off the event loop. */
export function taskMessage(
  plan: Indexed,
  frame: Tensors,
  task: Task,
  meta: MessageMeta,
  pool?: BodyPool,
): Promise<LaidMessage> {
  const { index } = plan;
  const coding = { packed: index.packedInputs(task.id), pictures: index.pictureInputs(task.id) };
  return fill(plan, frame, { ...meta, kind: 'task', task: task.id }, task.inputs, coding, pool);
}

/**
 * The `data` message that brings the merger what later tasks, or the result, read of the frame itself; or a worker what
 * it gathers. What is for the merger, which is near, is raw.
 */
export function sourceMessage(
  plan: Indexed,
  frame: Tensors,
  { to, pieces }: Delivery,
  meta: MessageMeta,
): Promise<LaidMessage> {
  const regions = Object.fromEntries(pieces.map(({ tensor, region }) => [tensor, region]));
  const sent = to === 'worker' ? pieces : [];
  const coding = {
    packed: new Set(sent.filter(({ codec }) => codec === DEFLATE).map(({ tensor }) => tensor)),
    pictures: new Map(
      sent.flatMap(({ tensor, codec }) => (isPictureCodec(codec) ? [[tensor, codec] as const] : [])),
    ),
  };
  return fill(plan, frame, { ...meta, kind: 'data', task: plan.index.source.id, regions }, pieces, coding);
}

async function fill(
  plan: Indexed,
  frame: Tensors,
  meta: MessageMeta,
  boxes: readonly Box[],
  { packed, pictures }: Coding,
  pool?: BodyPool,
): Promise<LaidMessage> {
  const specs = boxes.map(({ tensor, region }) => ({
    name: tensor,
    dtype: (plan.index.plan.tensors[tensor] as { dtype: TensorData['dtype'] }).dtype,
    shape: extents(region),
  }));
  const message = layoutMessage(meta, specs, pool);
  for (const { tensor, region } of boxes) {
    const from = frame.tensors.find((candidate) => candidate.name === tensor) as TensorData;
    const all = whole(from.shape);
    copyRegion(from.bytes, all, message.bytes(tensor), region, region, elementBytes(from.dtype));
  }
  const smaller = deflated(message, specs, packed, pool);
  return pictures.size === 0 ? smaller : withPictures(smaller, specs, pictures, pool);
}

/** The message with these tensors as picture files, where that makes them smaller. */
async function withPictures(
  message: LaidMessage,
  specs: readonly TensorSpec[],
  pictures: ReadonlyMap<string, PictureCodec>,
  pool: BodyPool | undefined,
): Promise<LaidMessage> {
  const files = new Map<string, PackedForm>();
  const wanted = specs.filter(({ name }) => pictures.has(name));
  const made = wanted.map(async ({ name, shape }) => {
    const codec = pictures.get(name) as PictureCodec;
    const bytes = await pictureOf(message.bytes(name), shape, codec);
    if (bytes !== undefined) files.set(name, { codec, bytes, dtype: 'uint8' });
  });
  await Promise.all(made);
  return withForms(message, specs, files, pool);
}
