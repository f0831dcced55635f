/** Writes a network of the zoo: the .onnx file and, beside it, its seeded weights. */

import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ExternalInitializer, encodeModel } from '../../services/core/graph/write.ts';
import { isDiskError } from '../../services/core/runtime/download.ts';
import { TilepipeError } from '../../services/core/runtime/errors.ts';
import { SLICE_BYTES } from '../../services/core/runtime/slices.ts';
import type { ZooNetwork } from './networks.ts';
import { centreRows, fillNormal, startOf } from './normals.ts';
import type { Drawing, Weight } from './sketch.ts';

/** What was written, or was there already. */
export interface WrittenNetwork {
  readonly file: string;
  readonly weights: string;
  /** Of the weights. */
  readonly bytes: number;
  readonly parameters: number;
  /** False: the same network with the same weights was there. */
  readonly written: boolean;
}

export interface WriteOptions {
  /** Equal seeds make equal weights. */
  readonly seed: number;
  /** Bytes of the weights so far. */
  readonly progress?: (bytes: number, total: number) => void;
  /** Ends the writing; what was begun is removed. */
  readonly signal?: AbortSignal;
}

/** Raise it when the numbers change: files written before are then made anew. */
const FORM = 1;
/** Weights start at multiples of it, in bytes, so that they can be mapped as they lie. */
const ALIGNMENT = 64;
const FLOAT_BYTES = 4;
/** Numbers made and written at once, about: whole rows of one output channel each. */
const CHUNK = SLICE_BYTES / FLOAT_BYTES;

/** The .onnx file of a drawing whose weights lie in `location`, and their bytes. */
export function encodeDrawing(
  name: string,
  drawing: Drawing,
  location: string,
): { model: Uint8Array; externals: readonly ExternalInitializer[]; bytes: number } {
  let end = 0;
  const externals = drawing.weights.map((weight): ExternalInitializer => {
    const offset = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    const length = count(weight) * FLOAT_BYTES;
    end = offset + length;
    return { name: weight.name, dtype: 'float32', shape: weight.shape, location, offset, length };
  });
  const { nodes, inputs, outputs, constants } = drawing;
  const model = encodeModel({
    name,
    nodes,
    inputs,
    outputs,
    initializers: constants,
    externalInitializers: externals,
    opsets: new Map([['', 17]]),
    irVersion: 8,
  });
  return { model, externals, bytes: end };
}

/**
 * Writes `<name>.onnx` and `<name>.weights` into `folder`; what is there with the same seed is left alone. The .onnx
 * file names the seed and appears last, so that it never stands beside other weights. Rejects with `cache-unwritable`.
 */
export async function writeNetwork(
  network: ZooNetwork,
  folder: string,
  { seed, progress, signal }: WriteOptions,
): Promise<WrittenNetwork> {
  const drawing = network.draw();
  const location = `${network.name}.weights`;
  const title = `${network.name}, seed ${seed}, form ${FORM}`;
  const { model, externals, bytes } = encodeDrawing(title, drawing, location);
  const file = join(folder, `${network.name}.onnx`);
  const weights = join(folder, location);
  const parameters = drawing.weights.reduce((sum, weight) => sum + count(weight), 0);
  const result = { file, weights, bytes, parameters };
  if (await isThere(file, model, weights, bytes)) return { ...result, written: false };
  const drafts = [weights, file].map((path) => `${path}.${process.pid}.part`) as [string, string];
  try {
    await rm(file, { force: true });
    await writeWeights(drafts[0], drawing.weights, externals, seed, (done) => {
      signal?.throwIfAborted();
      progress?.(done, bytes);
    });
    await rename(drafts[0], weights);
    await writeFile(drafts[1], model);
    await rename(drafts[1], file);
  } catch (error) {
    await Promise.all(drafts.map((draft) => rm(draft, { force: true }).catch(() => undefined)));
    if (!isDiskError(error)) throw error;
    throw new TilepipeError('cache-unwritable', `${folder}: ${(error as Error).message}`, { cause: error });
  }
  return { ...result, written: true };
}

function count({ shape }: Weight): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

async function isThere(file: string, model: Uint8Array, weights: string, bytes: number): Promise<boolean> {
  const found = await readFile(file).catch(() => undefined);
  if (found?.equals(model) !== true) return false;
  return stat(weights).then(
    ({ size }) => size === bytes,
    () => false,
  );
}

async function writeWeights(
  path: string,
  weights: readonly Weight[],
  externals: readonly ExternalInitializer[],
  seed: number,
  progress: (bytes: number) => void,
): Promise<void> {
  const chunk = new Float32Array(CHUNK);
  const file = await open(path, 'w');
  try {
    for (const [at, weight] of weights.entries()) {
      const row = count(weight) / (weight.shape[0] ?? 1);
      const most = CHUNK - (CHUNK % row);
      let state = startOf(weight.name, seed);
      let offset = externals[at]?.offset ?? 0;
      for (let left = count(weight); left > 0; ) {
        const part = chunk.subarray(0, Math.min(left, most));
        state = fillNormal(part, state, weight.deviation);
        if (weight.centred !== undefined) centreRows(part, row, weight.centred);
        await writeAll(file, new Uint8Array(part.buffer, 0, part.byteLength), offset);
        left -= part.length;
        offset += part.byteLength;
        progress(offset);
      }
    }
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}
