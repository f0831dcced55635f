/** Opens model files: the rim between the disk and the graph. */

import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { ExternalData } from '../core/graph/constant.ts';
import { type ReadOptions, readGraph } from '../core/graph/read-graph.ts';
import type { Graph } from '../core/graph/types.ts';
import { TilepipeError } from '../core/runtime/errors.ts';
import { slices } from '../core/runtime/slices.ts';

export interface ModelFile {
  readonly graph: Graph;
  /** sha256 of the .onnx file, hexadecimal. */
  readonly digest: string;
  /** File name without its ending. */
  readonly name: string;
}

/**
 * Reads a model file and finds its external weights beside it. Rejects with `model-unreadable`,
 * `model-unsupported`, `model-shape` or `weights-missing`.
 */
export async function openModel(
  path: string,
  options: Omit<ReadOptions, 'external'> = {},
): Promise<ModelFile> {
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    const problem =
      cause.code === 'ENOENT' ? 'does not exist' : `cannot be read (${cause.code ?? cause.message})`;
    throw new TilepipeError('model-unreadable', `${path} ${problem}.`, { cause });
  });
  const folder = dirname(path);
  const { probe, ...rest } = options;
  const graph = await readGraph(bytes, {
    ...rest,
    external: externalData(folder),
    ...(probe ? { probe: (request) => probe({ ...request, folder }) } : {}),
  }).catch((cause) => {
    if (!(cause instanceof TilepipeError)) throw cause;
    throw new TilepipeError(cause.code, `${path}: ${cause.message}`, { cause });
  });
  return { graph, digest: await digestOf(bytes), name: basename(path).replace(/\.onnx$/i, '') };
}

/** Of the bytes that were read, not of the file again: it may have changed meanwhile. */
async function digestOf(bytes: Uint8Array): Promise<string> {
  const hash = createHash('sha256');
  for (const [begin, end] of slices(bytes.byteLength)) {
    hash.update(bytes.subarray(begin, end));
    await setImmediate();
  }
  return hash.digest('hex');
}

/**
 * External weights in the folder of their model, read when asked for. A location that leads out of the folder,
 * by itself or through a symbolic link, is refused: model files come from strangers.
 */
export function externalData(folder: string): ExternalData {
  const paths = new Map<string, string>();
  const resolve = (location: string): string => {
    const known = paths.get(location);
    if (known !== undefined) return known;
    const path = inside(folder, location);
    paths.set(location, path);
    return path;
  };
  return {
    size: (location) => statSync(resolve(location)).size,
    read(location, offset, length) {
      const bytes = new Uint8Array(length);
      const file = openSync(resolve(location), 'r');
      try {
        for (let done = 0; done < length; ) {
          const count = readSync(file, bytes, done, length - done, offset + done);
          if (count === 0) throw missing(location, folder, `ends before byte ${offset + length}`);
          done += count;
        }
      } finally {
        closeSync(file);
      }
      return bytes;
    },
  };
}

function missing(location: string, folder: string, problem: string): TilepipeError {
  return new TilepipeError(
    'weights-missing',
    `The weights ${JSON.stringify(location)} in ${folder} ${problem}.`,
  );
}

function inside(folder: string, location: string): string {
  const path = join(folder, location);
  let real: string;
  try {
    real = realpathSync(path);
    if (!statSync(real).isFile()) throw missing(location, folder, 'are not a file');
  } catch (cause) {
    if (cause instanceof TilepipeError) throw cause;
    if (leaves(folder, path) || isAbsolute(location))
      throw missing(location, folder, 'lead out of the folder');
    throw missing(location, folder, `cannot be read (${(cause as NodeJS.ErrnoException).code})`);
  }
  if (isAbsolute(location) || leaves(folder, path) || leaves(realpathSync(folder), real)) {
    throw missing(location, folder, 'lead out of the folder');
  }
  return real;
}

function leaves(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way);
}
