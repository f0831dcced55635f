/** Sample frames: what codecs are calibrated and checked on. */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { OpenedModel } from '../../services/controller/prepare.ts';
import { TilepipeError } from '../../services/core/runtime/errors.ts';
import type { Letterbox } from '../../services/core/vision/letterbox.ts';
import type { Settings } from '../../services/core/vision/settings.ts';
import type { TensorData } from '../../services/core/wire/message.ts';
import { decodeFrame, frameReader } from '../../services/splitter/decode.ts';
import { readPicture } from '../input.ts';

export interface Sample {
  readonly name: string;
  readonly inputs: readonly TensorData[];
  /** Of a picture: where it lies in the input; without it answers are not compared. */
  readonly letterbox?: Letterbox;
}

/** The most pictures of a folder that are read: those that come first by name. */
const MOST_SAMPLES = 32;
const PICTURE = /\.(jpe?g|png|webp)$/i;

/** Reads pictures as the pipeline's splitter does. Throws `config-invalid` where the model takes no pictures. */
export async function readSamples(
  { graph }: OpenedModel,
  settings: Settings,
  files: readonly string[],
): Promise<Sample[]> {
  const [input] = graph.inputs;
  if (input === undefined || graph.inputs.length > 1)
    throw new TilepipeError('config-invalid', 'sample pictures fit only a model of one input');
  const reader = frameReader(input, settings);
  const samples: Sample[] = [];
  for (const name of files) {
    const { tensor, letterbox } = await decodeFrame(reader, await readPicture(name));
    samples.push({ name, inputs: [tensor], letterbox });
  }
  return samples;
}

/** The pictures of a folder, by name. Throws `config-invalid` where it cannot be read or has none. */
export async function samplePictures(folder: string): Promise<string[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    throw new TilepipeError(
      'config-invalid',
      `sample frames: ${folder} cannot be read: ${(error as Error).message}`,
      { cause: error },
    );
  }
  const pictures = names.filter((name) => PICTURE.test(name)).sort();
  if (pictures.length === 0)
    throw new TilepipeError('config-invalid', `sample frames: ${folder} has no JPEG, PNG or WebP file`);
  return pictures.slice(0, MOST_SAMPLES).map((name) => join(folder, name));
}
