/** What travels on data topics: message kinds, their metadata, and tensors as bytes. */

import type { DType } from '../graph/types.ts';
import type { Region } from '../tensor/region.ts';
import type { PictureCodec } from './codecs.ts';
import type { Scale } from './quantise.ts';

/**
 * `frame`  an input tensor for the splitter (instead of a JPEG);
 * `open`   splitter -> merger: a frame has started, with its deadline and what the answer needs;
 * `task`   splitter or merger -> worker: every input of one task, ready to run;
 * `data`   pieces of tensors one task made: worker -> merger, worker -> worker, splitter -> merger;
 * `done`   worker -> dispatcher: a task has run (its data went elsewhere);
 * `error`  worker -> dispatcher: a task failed;
 * `close`  merger -> splitter: the frame's result is out, or the attempt at it failed; splitter -> merger: the attempt
 *          is over;
 * `result` merger -> anybody: the raw output tensors of one frame;
 * `want`   worker -> worker: pieces of `data` that have not come, to be sent again.
 */
export const MESSAGE_KINDS = [
  'frame',
  'open',
  'task',
  'data',
  'done',
  'error',
  'close',
  'result',
  'want',
] as const;
export type MessageKind = (typeof MESSAGE_KINDS)[number];

/** One tensor, or a box of one, as little-endian bytes. `bytes.byteLength` = product(shape) x element size. */
export interface TensorData {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
  /** Where it is there, `bytes` are a picture file that nobody has read yet: the inbox does. */
  readonly picture?: PictureCodec;
}

/** What a deflated tensor unpacks to before its codec, or the tensor a picture is of; `dtype` is a safetensors name. */
export interface PackedTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** A piece of a plan's tensor: `tensor.shape` equals the extents of `region`. */
export interface Piece {
  readonly tensor: TensorData;
  readonly region: Region;
}

/** Metadata of a message; every field but `kind` is optional on the wire, unknown ones are ignored. */
export interface MessageMeta {
  readonly kind: MessageKind;
  /** Service id of the sender. */
  readonly sender?: string;
  readonly pipeline?: string;
  /** Digest of the plan the message belongs to. */
  readonly plan?: string;
  /** Frame id, unique in its pipeline. */
  readonly frame?: string;
  /** Running number of the frame at its splitter: replicas take turns by it. */
  readonly sequence?: number;
  /** Camera or program the frame came from. */
  readonly source?: string;
  /** Task to run (`task`), or that made the data (`data`, `done`, `error`). */
  readonly task?: string;
  /** Inbox topic of the dispatcher that gets `done` or `error`. */
  readonly reply?: string;
  /** Inbox topic of the merger that gets the task's outputs. */
  readonly merger?: string;
  /** Inbox topic of the splitter that keeps the frame. */
  readonly splitter?: string;
  /** Time left, in milliseconds; no wall clock crosses devices. */
  readonly deadlineMs?: number;
  /** Worker stamps, in milliseconds of its own monotonic clock. */
  readonly receivedMs?: number;
  readonly startedMs?: number;
  readonly endedMs?: number;
  /** Where each tensor of the message lies in the plan's tensor; absent: the whole. */
  readonly regions?: Readonly<Record<string, Region>>;
  /** Codec of each tensor's bytes; absent: raw. */
  readonly codecs?: Readonly<Record<string, string>>;
  /** Of each tensor whose values are bytes (`uint8`). */
  readonly scales?: Readonly<Record<string, Scale>>;
  /** Of each tensor that is deflated or a picture. */
  readonly packed?: Readonly<Record<string, PackedTensor>>;
  /** Error code of the table in runtime/errors.ts. */
  readonly code?: string;
  readonly message?: string;
  /** Anything a pair of roles agrees on: the letterbox of a frame, for one. */
  readonly extra?: unknown;
}

export interface Message {
  readonly meta: MessageMeta;
  readonly tensors: readonly TensorData[];
}
