/**
 * Files by their SHA-256: a cache for those who download, the shelf of the model store for those who serve.
 * A file appears under its digest only when it is whole, so that several processes can share the folder.
 */

import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type FileHandle, open, readdir, rename, rm, stat, unlink, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { download, isDiskError } from './download.ts';
import { TilepipeError } from './errors.ts';
import { slices } from './slices.ts';

export interface BlobOptions {
  /** An existing, writable folder: `cacheFolder('blobs')`. */
  readonly folder: string;
  /** Above this many bytes the least recently used files go; 20 GB by default. */
  readonly maxBytes?: number | undefined;
}

export interface Blob {
  readonly digest: string;
  readonly bytes: number;
}

/** Where a blob is fetched from, and how much of it there is. */
export interface FetchOptions {
  readonly bytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ((bytes: number) => void) | undefined;
  readonly attempts?: number | undefined;
}

const MAX_BYTES = 20e9;
const DIGEST = /^[0-9a-f]{64}$/;
/** Used this recently, a file may be another process's: it is never removed. */
const RECENT_MS = 3_600_000;
/** A part nobody wrote to for this long was left by a process that is gone. */
const ABANDONED_MS = 60_000;
/** Marks the temporary files of this machine: elsewhere a process number means nothing. */
const HERE = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

export class BlobCache {
  readonly folder: string;
  readonly #maxBytes: number;
  readonly #fetches = new Map<string, Promise<string>>();
  readonly #held = new Map<string, number>();
  #added = Number.POSITIVE_INFINITY;

  constructor(options: BlobOptions) {
    this.folder = options.folder;
    this.#maxBytes = options.maxBytes ?? MAX_BYTES;
  }

  has(digest: string): boolean {
    return existsSync(this.path(digest));
  }

  /** Where the blob is or would be; throws on what is no digest, so that no name leaves the folder. */
  path(digest: string): string {
    if (!DIGEST.test(digest)) throw new TilepipeError('digest-mismatch', `"${digest}" is no sha256`);
    return join(this.folder, digest);
  }

  /** Keeps blobs from being removed to make room; the returned function ends that. */
  hold(digests: Iterable<string>): () => void {
    const held = [...digests];
    for (const digest of held) this.#held.set(digest, (this.#held.get(digest) ?? 0) + 1);
    return () => {
      for (const digest of held.splice(0)) {
        const left = (this.#held.get(digest) ?? 1) - 1;
        if (left > 0) this.#held.set(digest, left);
        else this.#held.delete(digest);
      }
    };
  }

  putBytes(bytes: Uint8Array): Promise<Blob> {
    return this.putChunks([bytes]);
  }

  /** Stores what the chunks add up to, a stream or a generator. Rejects with `cache-unwritable`. */
  async putChunks(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<Blob> {
    const draft = this.#draft(randomUUID());
    const hash = createHash('sha256');
    let bytes = 0;
    try {
      const file = await open(draft, 'wx');
      try {
        for await (const chunk of chunks) {
          bytes += chunk.length;
          for (const [begin, end] of slices(chunk.length)) {
            const piece = chunk.subarray(begin, end);
            hash.update(piece);
            await writeAll(file, piece);
          }
        }
      } finally {
        await file.close();
      }
      const digest = hash.digest('hex');
      await this.#keep(draft, digest, bytes);
      return { digest, bytes };
    } catch (error) {
      await rm(draft, { force: true }).catch(() => undefined);
      throw this.#diskError(error);
    }
  }

  /**
   * The path of a blob, downloaded from `{baseUrl}/blobs/{digest}` where it is not here. Rejects with
   * `download-failed`, `digest-mismatch` or `cache-unwritable`.
   */
  fetch(digest: string, bytes: number, baseUrl: string, options: FetchOptions = {}): Promise<string> {
    return this.fetchUrl(digest, `${baseUrl.replace(/\/$/, '')}/blobs/${digest}`, { ...options, bytes });
  }

  /** The same from any address. Requests for one digest share a download. */
  fetchUrl(digest: string, url: string, options: FetchOptions = {}): Promise<string> {
    const running = this.#fetches.get(digest);
    if (running !== undefined) return running;
    const fetching = this.#fetch(digest, url, options).finally(() => this.#fetches.delete(digest));
    this.#fetches.set(digest, fetching);
    return fetching;
  }

  /** Says that a blob is in use now: the least recently used go first. */
  async touch(digest: string): Promise<void> {
    const now = new Date();
    // A shared folder may belong to somebody else: then its owner's uses count.
    await utimes(this.path(digest), now, now).catch(() => undefined);
  }

  async remove(digest: string): Promise<void> {
    await rm(this.path(digest), { force: true });
  }

  async #fetch(digest: string, url: string, options: FetchOptions): Promise<string> {
    const path = this.path(digest);
    if (this.has(digest)) {
      await this.touch(digest);
      return path;
    }
    const part = this.#draft(digest);
    const release = this.hold([digest]);
    try {
      await this.#adopt(digest, part);
      const bytes = await download({ url, part, digest, ...options });
      await this.#keep(part, digest, bytes);
      return path;
    } catch (error) {
      const leftover = error instanceof TilepipeError && error.code === 'download-failed';
      // What has arrived waits for the next attempt, of whichever process.
      if (leftover) await rename(part, join(this.folder, `${digest}.left.part`)).catch(() => undefined);
      else await rm(part, { force: true }).catch(() => undefined);
      throw this.#diskError(error);
    } finally {
      release();
    }
  }

  /** Continues what an earlier attempt left: renaming is atomic, so only one process gets it. */
  async #adopt(digest: string, part: string): Promise<void> {
    for (const name of await readdir(this.folder)) {
      if (!name.startsWith(`${digest}.`) || !(await this.#abandoned(name))) continue;
      const taken = await rename(join(this.folder, name), part).then(
        () => true,
        () => false,
      );
      if (taken) return;
    }
  }

  async #abandoned(name: string): Promise<boolean> {
    const [, owner = '', kind] = name.split('.');
    if (kind !== 'part') return false;
    if (owner === 'left') return true;
    const [host, pid] = owner.split('-');
    if (host === HERE && Number(pid) !== process.pid && !isAlive(Number(pid))) return true;
    const age = await stat(join(this.folder, name)).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );
    return age > ABANDONED_MS;
  }

  #draft(name: string): string {
    return join(this.folder, `${name}.${HERE}-${process.pid}.part`);
  }

  async #keep(draft: string, digest: string, bytes: number): Promise<void> {
    const path = this.path(digest);
    // Renaming onto a file that somebody has mapped into memory would leave two copies there.
    if (existsSync(path)) {
      await unlink(draft);
      await this.touch(digest);
      return;
    }
    await rename(draft, path);
    this.#added += bytes;
    if (this.#added > this.#maxBytes / 20) await this.#makeRoom(digest);
  }

  /** Removes the least recently used files until the limit is met, sparing what is held or was just used. */
  async #makeRoom(newest: string): Promise<void> {
    this.#added = 0;
    const files: { name: string; size: number; used: number }[] = [];
    for (const name of await readdir(this.folder)) {
      const entry = await stat(join(this.folder, name)).catch(() => undefined);
      if (entry?.isFile()) files.push({ name, size: entry.size, used: entry.mtimeMs });
    }
    let total = files.reduce((sum, { size }) => sum + size, 0);
    files.sort((a, b) => a.used - b.used);
    for (const { name, size, used } of files) {
      if (total <= this.#maxBytes) return;
      const spared = name === newest || this.#held.has(name) || Date.now() - used < RECENT_MS;
      if (spared) continue;
      await rm(join(this.folder, name), { force: true });
      total -= size;
    }
  }

  #diskError(error: unknown): unknown {
    if (!isDiskError(error)) return error;
    return new TilepipeError('cache-unwritable', `${this.folder}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    const { bytesWritten } = await file.write(chunk, done, chunk.length - done);
    done += bytesWritten;
  }
}

/** Whether a process of this machine runs (signal 0 only asks). */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: unknown }).code === 'EPERM';
  }
}
