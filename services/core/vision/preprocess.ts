/** From RGB pixels to the network's input tensor. */

import type { DType, TensorInfo } from '../graph/types.ts';
import { TilepipeError } from '../runtime/errors.ts';
import { halfFromFloat, tensorBytes } from '../tensor/dtype.ts';
import type { Placement, Size } from './letterbox.ts';
import type { PreprocessSettings } from './settings.ts';

type Elements = Float32Array | Uint16Array | Uint8Array;

/** An input tensor that takes a picture, and what each of the 256 pixel values becomes in each channel. */
export interface InputFormat extends Size {
  readonly name: string;
  readonly dtype: 'float32' | 'float16' | 'uint8';
  readonly shape: readonly number[];
  readonly layout: 'NCHW' | 'NHWC';
  readonly channels: 1 | 3;
  readonly color: PreprocessSettings['color'];
  readonly fill: number;
  readonly byteLength: number;
  /** 256 elements per channel; float16 as bits. */
  readonly table: Elements;
  /** The tensor is the picture's rows as they are: interleaved RGB or gray bytes, not normalised. */
  readonly asIs: boolean;
}

/** Rows of pixels, `bands` bytes each: 3 for RGB, 1 for gray. */
export interface Pixels extends Size {
  readonly bands: 1 | 3;
  readonly bytes: Uint8Array;
}

/** Where the axes of a picture are in `shape`, or undefined where no picture of one frame fits it. */
export function imageAxes(
  shape: readonly number[],
  layout: PreprocessSettings['layout'] = 'auto',
): { layout: 'NCHW' | 'NHWC'; channels: 1 | 3; width: number; height: number } | undefined {
  const [batch, a, b, c] = shape;
  if (shape.length !== 4 || batch !== 1 || !a || !b || !c) return undefined;
  if (layout !== 'NHWC' && (a === 1 || a === 3)) return { layout: 'NCHW', channels: a, height: b, width: c };
  if (layout !== 'NCHW' && (c === 1 || c === 3)) return { layout: 'NHWC', channels: c, height: a, width: b };
  return undefined;
}

/** Throws `config-invalid` where the input takes no pictures or the settings contradict it. */
export function inputFormat(input: TensorInfo, preprocess: PreprocessSettings): InputFormat {
  const refuse = (problem: string): never => {
    throw new TilepipeError(
      'config-invalid',
      `input "${input.name}" [${input.shape.join(', ')}]: ${problem}`,
    );
  };
  const axes =
    imageAxes(input.shape, preprocess.layout) ?? refuse('takes no picture; send it as a raw tensor');
  const dtype =
    pictureType(input.dtype) ??
    refuse(`is ${input.dtype}, which no picture becomes; send it as a raw tensor`);
  const { channels, width, height, layout } = axes;
  for (const key of ['mean', 'std'] as const) {
    const { length } = preprocess[key];
    if (length !== 1 && length !== channels) {
      refuse(`preprocess.${key} has ${length} numbers, give one or ${channels}`);
    }
  }
  if (channels === 1 && preprocess.color !== 'GRAY')
    return inputFormat(input, { ...preprocess, color: 'GRAY' });
  const table = valueTable(dtype, channels, preprocess);
  const ordered = (layout === 'NHWC' && preprocess.color === 'RGB') || channels === 1;
  return {
    name: input.name,
    dtype,
    shape: input.shape,
    layout,
    channels,
    width,
    height,
    color: preprocess.color,
    fill: preprocess.fill,
    byteLength: tensorBytes(dtype, input.shape),
    table,
    asIs: dtype === 'uint8' && ordered && table.every((value, i) => value === (i & 255)),
  };
}

/** Types a picture can become; undefined for the others. */
export function pictureType(dtype: DType): InputFormat['dtype'] | undefined {
  return dtype === 'float32' || dtype === 'float16' || dtype === 'uint8' ? dtype : undefined;
}

function valueTable(dtype: InputFormat['dtype'], channels: number, preprocess: PreprocessSettings): Elements {
  const values = new Float32Array(256 * channels);
  for (let i = 0; i < values.length; i++) {
    const channel = i >> 8;
    const mean = preprocess.mean[channel] ?? (preprocess.mean[0] as number);
    const std = preprocess.std[channel] ?? (preprocess.std[0] as number);
    values[i] = ((i & 255) / preprocess.divide - mean) / std;
  }
  if (dtype === 'float16') return Uint16Array.from(values, halfFromFloat);
  // A plain cast would wrap 256 to 0.
  if (dtype === 'uint8') return new Uint8Array(Uint8ClampedArray.from(values).buffer);
  return values;
}

/**
 * Writes the whole input tensor, little-endian, into `target` (`format.byteLength` bytes, any alignment):
 * `pixels`, already scaled to `placement.resized`, at their place, and `fill` around them.
 */
export function writeTensor(
  format: InputFormat,
  pixels: Pixels,
  placement: Placement,
  target: Uint8Array,
): void {
  const source = format.color === 'GRAY' ? toGray(pixels) : pixels;
  if (format.asIs && source.bands === format.channels) {
    copyRows(format, source, placement, target);
    return;
  }
  const { table } = format;
  const size = table.BYTES_PER_ELEMENT;
  const direct = target.byteOffset % size === 0;
  const buffer = direct ? target.buffer : new ArrayBuffer(format.byteLength);
  const offset = direct ? target.byteOffset : 0;
  const count = format.byteLength / size;
  const out =
    format.dtype === 'float32'
      ? new Float32Array(buffer, offset, count)
      : format.dtype === 'float16'
        ? new Uint16Array(buffer, offset, count)
        : new Uint8Array(buffer, offset, count);
  const plane = format.width * format.height;
  const [step, channelStep] = format.layout === 'NCHW' ? [1, plane] : [format.channels, 1];
  for (let channel = 0; channel < format.channels; channel++) {
    const band = source.bands === 1 ? 0 : format.color === 'BGR' ? 2 - channel : channel;
    writeChannel(out, channel * channelStep, step, format, source, band, table, channel * 256, placement);
  }
  if (!direct) target.set(new Uint8Array(buffer));
}

function copyRows(
  { width, height, channels, fill }: InputFormat,
  { bytes }: Pixels,
  { left, top, resized }: Placement,
  target: Uint8Array,
): void {
  if (resized.width < width || resized.height < height) target.fill(fill);
  const length = resized.width * channels;
  for (let y = 0; y < resized.height; y++)
    target.set(bytes.subarray(y * length, (y + 1) * length), ((top + y) * width + left) * channels);
}

function writeChannel(
  out: Elements,
  start: number,
  step: number,
  { width, height, fill }: InputFormat,
  { bytes, bands }: Pixels,
  band: number,
  table: Elements,
  base: number,
  { left, top, resized }: Placement,
): void {
  if (resized.width < width || resized.height < height) {
    const around = table[base + fill] as number;
    const end = start + width * height * step;
    if (step === 1) out.fill(around, start, end);
    else for (let to = start; to < end; to += step) out[to] = around;
  }
  for (let y = 0; y < resized.height; y++) {
    const to = start + ((top + y) * width + left) * step;
    writeRow(out, to, step, bytes, y * resized.width * bands + band, bands, table, base, resized.width);
  }
}

/** A function of its own, because the compiler then keeps everything in registers: half the time. */
function writeRow(
  out: Elements,
  to: number,
  step: number,
  bytes: Uint8Array,
  from: number,
  bands: number,
  table: Elements,
  base: number,
  count: number,
): void {
  for (let x = 0, i = to, p = from; x < count; x++, i += step, p += bands) {
    out[i] = table[base + (bytes[p] as number)] as number;
  }
}

/** Luma of ITU-R BT.601, .299 R + .587 G + .114 B, in integers: the weights times 2^16. */
function toGray(pixels: Pixels): Pixels {
  if (pixels.bands === 1) return pixels;
  const rgb = pixels.bytes;
  const bytes = new Uint8Array(pixels.width * pixels.height);
  for (let i = 0, p = 0; i < bytes.length; i++, p += 3) {
    bytes[i] =
      ((rgb[p] as number) * 19595 + (rgb[p + 1] as number) * 38470 + (rgb[p + 2] as number) * 7471 + 32768) >>
      16;
  }
  return { width: pixels.width, height: pixels.height, bands: 1, bytes };
}
