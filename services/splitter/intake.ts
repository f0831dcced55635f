/** From a camera's message to a frame: a picture is decoded, a wire message of kind `frame` brings the tensors themselves. */

import type { AnnouncedPlan } from '../core/control/plan-watch.ts';
import type { DType, TensorInfo } from '../core/graph/types.ts';
import { TilepipeError } from '../core/runtime/errors.ts';
import { identity } from '../core/vision/letterbox.ts';
import { imageAxes } from '../core/vision/preprocess.ts';
import { type Settings, settle } from '../core/vision/settings.ts';
import { readTensorFrame } from '../core/vision/tensor-frame.ts';
import type { Message, TensorData } from '../core/wire/message.ts';
import { decodeFrame, type FrameReader, frameReader } from './decode.ts';

/** What a frame consists of once it is read. */
export interface FrameContent {
  readonly tensors: readonly TensorData[];
  /** For the merger: where the picture lies in the input, and how long decoding took. */
  readonly extra: { readonly letterbox: unknown; readonly decodeMs?: number };
}

/** Tensors come as wire messages; everything else is taken for a picture file. */
export function isWireMessage(payload: Buffer): boolean {
  return payload.length >= 4 && payload.toString('latin1', 0, 4) === 'TPIP';
}

/** Reads the frames of one plan. */
export class Intake {
  /** Names everything that reading depends on: frames read alike fit each other's plans. */
  readonly reading: string;
  /** Pictures decoded at once: more would only pile up where `maxWaiting` does not see them. */
  readonly #mostDecoding: number;
  #decoding = 0;
  readonly #inputs: readonly TensorInfo[];
  readonly #settings: Settings;
  #reader: FrameReader | undefined;

  constructor({ index: { plan }, announcement }: AnnouncedPlan) {
    this.#inputs = plan.inputs.map((name) => ({
      name,
      ...(plan.tensors[name] as { dtype: DType; shape: number[] }),
    }));
    this.#settings = settle(announcement.settings);
    this.#mostDecoding = announcement.frames.maxWaiting;
    this.reading = JSON.stringify([this.#inputs, this.#settings.preprocess]);
  }

  /** Decodes a JPEG, PNG or WebP file; rejects with `image-invalid`, `image-too-large` or, where too many wait, `frame-dropped`. */
  async picture(payload: Buffer): Promise<FrameContent> {
    const [input] = this.#inputs;
    if (input === undefined || this.#inputs.length > 1) {
      throw new TilepipeError(
        'tensor-invalid',
        `the model has ${this.#inputs.length} inputs: send frames as tensors`,
      );
    }
    this.#reader ??= frameReader(input, this.#settings);
    if (this.#decoding >= this.#mostDecoding)
      throw new TilepipeError('frame-dropped', `${this.#decoding} pictures are being decoded already`);
    const before = performance.now();
    this.#decoding++;
    try {
      const { tensor, letterbox } = await decodeFrame(this.#reader, payload);
      return { tensors: [tensor], extra: { letterbox, decodeMs: performance.now() - before } };
    } finally {
      this.#decoding--;
    }
  }

  /** Takes the tensors of a `frame` message; throws `tensor-invalid`. */
  tensors({ tensors }: Message): FrameContent {
    const checked = readTensorFrame(tensors, this.#inputs);
    const { width = 1, height = 1 } =
      imageAxes(checked[0]?.shape ?? [], this.#settings.preprocess.layout) ?? {};
    return { tensors: checked, extra: { letterbox: identity({ width, height }) } };
  }
}
