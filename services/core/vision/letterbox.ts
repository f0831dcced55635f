/** Where a picture lies in the network's input, and back. */

import { TilepipeError } from '../runtime/errors.ts';
import type { PreprocessSettings } from './settings.ts';

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Maps pixels: input = picture * scale + offset, on each axis. JSON, so that it travels with the frame. */
export interface Letterbox {
  /** The picture, upright. */
  readonly image: Size;
  readonly input: Size;
  readonly scaleX: number;
  readonly scaleY: number;
  /** In pixels of the input; negative where the picture is cropped. */
  readonly offsetX: number;
  readonly offsetY: number;
}

/** What of a picture is read, to which size it is scaled, and where in the input it goes. Whole pixels. */
export interface Placement {
  readonly crop: Size & { readonly left: number; readonly top: number };
  readonly resized: Size;
  readonly left: number;
  readonly top: number;
  readonly letterbox: Letterbox;
}

/** The map of a raw tensor frame: its pixels are the input's. */
export function identity(input: Size): Letterbox {
  const size = { width: input.width, height: input.height };
  return { image: size, input: size, scaleX: 1, scaleY: 1, offsetX: 0, offsetY: 0 };
}

/** A letterbox that arrived with a frame; throws `wire-invalid`. */
export function parseLetterbox(value: unknown): Letterbox {
  const { image, input, scaleX, scaleY, offsetX, offsetY } = (value ?? {}) as Partial<Letterbox>;
  const positive = [image?.width, image?.height, input?.width, input?.height, scaleX, scaleY];
  if (
    positive.every((number) => Number.isFinite(number) && (number as number) > 0) &&
    [offsetX, offsetY].every(Number.isFinite)
  ) {
    return value as Letterbox;
  }
  throw new TilepipeError(
    'wire-invalid',
    "the frame's letterbox is malformed: sizes, scales and offsets must be numbers",
  );
}

/** Places a picture in an input; every result has at least one pixel. For `resize: none` both must have one size. */
export function place(image: Size, input: Size, preprocess: PreprocessSettings): Placement {
  const { resize, anchor } = preprocess;
  const half = anchor === 'center' ? 0.5 : 0;
  let crop = { left: 0, top: 0, width: image.width, height: image.height };
  let resized: Size = { width: input.width, height: input.height };
  if (resize === 'letterbox') {
    const scale = Math.min(input.width / image.width, input.height / image.height);
    resized = {
      width: clamp(Math.round(image.width * scale), input.width),
      height: clamp(Math.round(image.height * scale), input.height),
    };
  } else if (resize === 'crop') {
    const ratio = Math.min(image.width / input.width, image.height / input.height) * preprocess.cropRatio;
    const width = clamp(Math.round(input.width * ratio), image.width);
    const height = clamp(Math.round(input.height * ratio), image.height);
    crop = {
      left: Math.floor((image.width - width) * half),
      top: Math.floor((image.height - height) * half),
      width,
      height,
    };
  }
  const left = Math.floor((input.width - resized.width) * half);
  const top = Math.floor((input.height - resized.height) * half);
  const scaleX = resized.width / crop.width;
  const scaleY = resized.height / crop.height;
  return {
    crop,
    resized,
    left,
    top,
    letterbox: {
      image: { width: image.width, height: image.height },
      input: { width: input.width, height: input.height },
      scaleX,
      scaleY,
      offsetX: left - crop.left * scaleX,
      offsetY: top - crop.top * scaleY,
    },
  };
}

function clamp(value: number, most: number): number {
  return Math.max(1, Math.min(most, value));
}
