/** Where files live on this machine. */

import { accessSync, constants, mkdirSync, mkdtempSync, rmdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { TilepipeError } from './errors.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** TILEPIPE_CACHE, else XDG_CACHE_HOME/tilepipe, else ~/.cache/tilepipe; nothing is created or checked. */
export function cachePath(environment: Environment = process.env): string {
  if (environment.TILEPIPE_CACHE) return environment.TILEPIPE_CACHE;
  return join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tilepipe');
}

/** The cache folder, or one below it, created and proved writable; throws `cache-unwritable`. */
export function cacheFolder(below = '', environment: Environment = process.env): string {
  const folder = join(cachePath(environment), below);
  try {
    makeFolder(folder);
    accessSync(folder, constants.R_OK | constants.W_OK);
    // Permission bits say nothing of a read-only mount or a full disk: making something does.
    rmdirSync(mkdtempSync(join(folder, '.probe-')));
  } catch (error) {
    throw new TilepipeError('cache-unwritable', `${folder}: ${(error as Error).message}`, { cause: error });
  }
  return folder;
}

/**
 * Creates a folder and those above it; throws the file system's error. Node's own recursive mode never returns where an
 * existing folder answers that it does not exist, as /proc and automounted ones do.
 */
export function makeFolder(folder: string, parentMade = false): void {
  try {
    mkdirSync(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && statSync(folder).isDirectory()) return;
    if (code !== 'ENOENT' || parentMade || dirname(folder) === folder) throw error;
    makeFolder(dirname(folder));
    makeFolder(folder, true);
  }
}
