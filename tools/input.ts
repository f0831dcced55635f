/** Input tensors for checks: a picture as the pipeline would read it, or seeded noise in the network's natural range. */

import { readFile } from 'node:fs/promises';
import type { TensorInfo } from '../services/core/graph/types.ts';
import { TilepipeError } from '../services/core/runtime/errors.ts';
import { seededRandom } from '../services/core/runtime/seeded-random.ts';
import { pipelineSchema } from '../services/core/schema/generated/pipeline.ts';
import { elementBytes, halfFromFloat } from '../services/core/tensor/dtype.ts';
import type { Settings } from '../services/core/vision/settings.ts';
import type { TensorData } from '../services/core/wire/message.ts';
import { decodeFrame, frameReader } from '../services/splitter/decode.ts';

/** Reads a picture file as the pipeline's splitter does. */
export async function pictureInput(
  path: string,
  inputs: readonly TensorInfo[],
  settings: Settings,
): Promise<TensorData[]> {
  const [input] = inputs;
  if (input === undefined || inputs.length > 1)
    throw new TilepipeError('tensor-invalid', 'a picture fits only a model of one input');
  const { tensor } = await decodeFrame(frameReader(input, settings), await readPicture(path));
  return [tensor];
}

/** Largest picture file a command sends: what a pipeline takes by default, and with it the embedded broker. */
export const PICTURE_BYTES = pipelineSchema.properties.limits.properties.maxImageBytes.default;

/** The bytes of a picture file. Throws `file-unreadable`. */
export async function readPicture(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** `file-unreadable` for what the file system said. */
export function unreadable(path: string, error: unknown): TilepipeError {
  const { code, message } = error as NodeJS.ErrnoException;
  const problem = code === 'ENOENT' ? 'there is no such file' : message;
  return new TilepipeError('file-unreadable', `${path}: ${problem}`, { cause: error });
}

/** The values a picture's pixels take at the input of a network. */
export interface InputRange {
  readonly low: number;
  readonly high: number;
}

/** Seeded uniform noise for every input; `range` is for pictures. */
export function randomInput(
  inputs: readonly TensorInfo[],
  { low, high }: InputRange,
  seed: number,
): TensorData[] {
  const random = seededRandom(seed);
  return inputs.map(({ name, dtype, shape }) => {
    const count = shape.reduce((product, extent) => product * extent, 1);
    const values = new Float32Array(count);
    const picture = shape.length === 4;
    for (let i = 0; i < count; i++) values[i] = picture ? low + (high - low) * random() : random();
    return { name, dtype, shape, bytes: store(values, dtype, name) };
  });
}

/** The ranges pictures are commonly given in, for networks that nothing is known of. */
const COMMON_RANGES: readonly InputRange[] = [
  { low: 0, high: 1 },
  { low: -2.1, high: 2.6 },
  { low: -1, high: 1 },
  { low: 0, high: 255 },
];

/** The range that goes with the preprocessing; where only defaults stand there, others that are common after it. */
export function inputRanges(settings: Settings): InputRange[] {
  const own = naturalRange(settings);
  return settings.answer.task === 'tensors'
    ? [own, ...COMMON_RANGES.filter(({ low, high }) => low !== own.low || high !== own.high)]
    : [own];
}

export function naturalRange({ preprocess: { divide, mean, std } }: Settings): InputRange {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const [channel, centre] of mean.entries()) {
    const spread = std[channel] ?? std[0] ?? 1;
    low = Math.min(low, (0 - centre) / spread);
    high = Math.max(high, (255 / divide - centre) / spread);
  }
  return { low, high };
}

function store(values: Float32Array, dtype: TensorInfo['dtype'], name: string): Uint8Array {
  if (dtype === 'float32') return new Uint8Array(values.buffer);
  if (dtype === 'float16') return new Uint8Array(Uint16Array.from(values, halfFromFloat).buffer);
  if (dtype === 'float64') return new Uint8Array(Float64Array.from(values).buffer);
  if (dtype === 'uint8')
    return Uint8Array.from(values, (value) => Math.max(0, Math.min(255, Math.round(value * 255))));
  if (dtype === 'bool') return new Uint8Array(values.length * elementBytes(dtype));
  throw new TilepipeError(
    'tensor-invalid',
    `input "${name}" is ${dtype}: no random value is natural for it; give --input`,
  );
}
