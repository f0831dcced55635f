/** Brings a model into the model folder, through the blob cache that resumes and checks downloads. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { BlobCache } from '../services/core/runtime/blobs.ts';
import { TilepipeError } from '../services/core/runtime/errors.ts';
import { cacheFolder } from '../services/core/runtime/paths.ts';
import type { ModelNote } from '../services/core/schema/generated/model-note.ts';
import { bytes, Progress } from './output.ts';

export interface AddOptions {
  readonly sha256?: string;
  readonly name?: string;
  readonly licence?: string;
  readonly labels?: string;
}

const ADDRESS = /^https?:\/\//;
const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;
const SHA256 = /^[0-9a-f]{64}$/;
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/** Rejects with `digest-mismatch`, `download-failed`, `model-unreadable`, `cache-unwritable` or `usage`. */
export async function addModel(source: string, options: AddOptions): Promise<ModelNote> {
  const address = ADDRESS.test(source);
  if (!address && SCHEME.test(source))
    throw new TilepipeError('usage', `"${source}" is no http:// or https:// address`);
  if (address && !URL.canParse(source)) throw new TilepipeError('usage', `"${source}" is no address`);
  const name = options.name ?? basename(address ? new URL(source).pathname : source);
  if (!NAME.test(name))
    throw new TilepipeError(
      'usage',
      `"${name}" is no file name: give --name with letters, digits, "-", "_" and "."`,
    );
  const sha256 = options.sha256?.toLowerCase();
  if (sha256 !== undefined && !SHA256.test(sha256))
    throw new TilepipeError('usage', `--sha256 "${options.sha256}" is not 64 hexadecimal digits`);
  const blobs = new BlobCache({ folder: cacheFolder('blobs') });
  const digest = address ? await download(source, sha256, blobs) : await copy(source, sha256, blobs);
  const folder = cacheFolder('models');
  const file = join(folder, name);
  await copyFile(blobs.path(digest), file);
  const note: ModelNote = {
    name,
    file,
    sha256: digest,
    bytes: (await stat(file)).size,
    source,
    added: new Date().toISOString(),
    ...(options.licence === undefined ? {} : { licence: options.licence }),
    ...(options.labels === undefined ? {} : { labels: options.labels }),
  };
  await writeFile(`${file}.json`, `${JSON.stringify(note, null, 2)}\n`);
  return note;
}

async function download(url: string, sha256: string | undefined, blobs: BlobCache): Promise<string> {
  if (sha256 === undefined)
    throw new TilepipeError('usage', 'give --sha256 with an address: an unchecked download is not run');
  const progress = new Progress();
  try {
    await blobs.fetchUrl(sha256, url, { progress: (count) => progress.say(`${bytes(count)} received`) });
  } finally {
    progress.clear();
  }
  return sha256;
}

async function copy(path: string, sha256: string | undefined, blobs: BlobCache): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile())
    throw new TilepipeError('model-unreadable', `${path} ${found ? 'is no file' : 'does not exist'}`);
  // Checked before it is stored: the same bytes may be in the cache already, and in use.
  if (sha256 !== undefined) {
    const hash = createHash('sha256');
    await pipeline(createReadStream(path), hash);
    const actual = hash.digest('hex');
    if (actual !== sha256)
      throw new TilepipeError('digest-mismatch', `${path} has sha256 ${actual} instead of ${sha256}`);
  }
  return (await blobs.putChunks(createReadStream(path))).digest;
}
