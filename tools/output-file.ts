/** Files that commands write where they are told. */

import { statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { TilepipeError } from '../services/core/runtime/errors.ts';

/** Throws `usage` where the file's folder is not there: before minutes of work, not after them. */
export function checkFolder(path: string): void {
  const folder = dirname(resolve(path));
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new TilepipeError('usage', `cannot write ${path}: ${folder} is no folder`);
}

/** Throws `usage` where it cannot be written. */
export function writeOutput(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new TilepipeError('usage', `cannot write ${path}: ${(error as Error).message}`, { cause: error });
  }
}
