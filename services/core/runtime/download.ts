/** One file over HTTP, resumed where it stopped and checked by its SHA-256 while it arrives. */

import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { TilepipeError } from './errors.ts';

export interface DownloadRequest {
  readonly url: string;
  /** File that receives the bytes; what it holds already is kept and continued. */
  readonly part: string;
  readonly digest: string;
  /** Size, where it is known; a larger answer is refused before it fills the disk. */
  readonly bytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Hears how many bytes are there. */
  readonly progress?: ((bytes: number) => void) | undefined;
  /** Attempts in a row that bring nothing new; 5 by default. */
  readonly attempts?: number | undefined;
}

const ATTEMPTS = 5;
const FIRST_WAIT_MS = 100;
/** A server that sends nothing for this long is given up. */
const SILENCE_MS = 30_000;

/** A failure that asking again would not change. */
class Final extends Error {}

interface Target {
  readonly file: FileHandle;
  hash: Hash;
  length: number;
}

/**
 * Downloads into `request.part` until its digest is the one asked for; returns the size in bytes. Rejects with
 * `download-failed` (the part stays, for the next time) or `digest-mismatch` (the part is emptied). Errors of
 * the disk come as they are.
 */
export async function download(request: DownloadRequest): Promise<number> {
  const file = await open(request.part, 'a+');
  try {
    const target: Target = { file, ...(await hashed(request.part)) };
    const resumed = target.length > 0;
    if (!(await complete(request, target, resumed)) && !(await complete(request, target, false))) {
      throw new TilepipeError('digest-mismatch', `${request.url}: its sha256 is not ${request.digest}`);
    }
    return target.length;
  } finally {
    await file.close();
  }
}

async function hashed(path: string): Promise<{ hash: Hash; length: number }> {
  const hash = createHash('sha256');
  let length = 0;
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk);
    length += chunk.length;
  }
  return { hash, length };
}

/** Gets the rest; false where the digest is wrong and the part was a leftover that may be to blame. */
async function complete(request: DownloadRequest, target: Target, resumed: boolean): Promise<boolean> {
  if (target.length !== request.bytes) await receiveAll(request, target);
  if (target.hash.copy().digest('hex') === request.digest) return true;
  await empty(target);
  if (resumed) return false;
  throw new TilepipeError('digest-mismatch', `${request.url}: its sha256 is not ${request.digest}`);
}

async function empty(target: Target): Promise<void> {
  await target.file.truncate(0);
  target.hash = createHash('sha256');
  target.length = 0;
}

async function receiveAll(request: DownloadRequest, target: Target): Promise<void> {
  const attempts = request.attempts ?? ATTEMPTS;
  for (let failures = 0; ; ) {
    const before = target.length;
    try {
      await receive(request, target);
      return;
    } catch (error) {
      if (request.signal?.aborted) throw failed(request, 'stopped', error);
      if (isDiskError(error)) throw error;
      failures = target.length > before ? 1 : failures + 1;
      if (error instanceof Final || failures >= attempts) throw failed(request, reason(error), error);
    }
    // Half of the wait is random: workers that lost the store together do not come back together.
    const wait = FIRST_WAIT_MS * 2 ** (failures - 1) * (0.5 + Math.random());
    await delay(wait, undefined, { signal: request.signal }).catch(() => undefined);
  }
}

async function receive({ url, bytes, signal, progress }: DownloadRequest, target: Target): Promise<void> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(new Error(`nothing for ${SILENCE_MS} ms`)), SILENCE_MS);
  try {
    const response = await fetch(url, {
      // Compressed on the way, the bytes would be counted and resumed wrongly.
      headers: {
        'accept-encoding': 'identity',
        ...(target.length > 0 ? { range: `bytes=${target.length}-` } : {}),
      },
      signal: signal === undefined ? silence.signal : AbortSignal.any([signal, silence.signal]),
    });
    await checkAnswer(response, target);
    for await (const chunk of response.body ?? []) {
      timer.refresh();
      if (bytes !== undefined && target.length + chunk.length > bytes) {
        await empty(target);
        throw new Final(`it is larger than the ${bytes} bytes announced`);
      }
      await writeAll(target, chunk);
      progress?.(target.length);
    }
  } finally {
    clearTimeout(timer);
  }
  if (bytes !== undefined && target.length < bytes)
    throw new Error(`ended after ${target.length} of ${bytes} bytes`);
}

async function checkAnswer(response: Response, target: Target): Promise<void> {
  const { status } = response;
  if (status === 206 && response.headers.get('content-range')?.startsWith(`bytes ${target.length}-`)) return;
  if (status === 200) {
    // The server does not resume: everything comes again.
    if (target.length > 0) await empty(target);
    return;
  }
  await response.body?.cancel();
  if (status === 416 || status === 206) {
    await empty(target);
    throw new Error('the part here does not fit the file there');
  }
  const words = `HTTP ${status} ${response.statusText}`;
  throw status >= 400 && status < 500 && status !== 408 && status !== 429
    ? new Final(words)
    : new Error(words);
}

async function writeAll(target: Target, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    const { bytesWritten } = await target.file.write(chunk, done, chunk.length - done);
    done += bytesWritten;
  }
  target.hash.update(chunk);
  target.length += chunk.length;
}

function failed({ url }: DownloadRequest, why: string, cause: unknown): TilepipeError {
  return new TilepipeError('download-failed', `${url}: ${why}`, { cause });
}

/** What undici says is "fetch failed"; its cause says why. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inner = error.cause instanceof Error ? error.cause : undefined;
  const code = (inner as { code?: string } | undefined)?.code;
  return inner === undefined
    ? error.message
    : [inner.message || error.message, code].filter(Boolean).join(' ');
}

const DISK_CODES: ReadonlySet<string> = new Set([
  'EACCES',
  'EPERM',
  'ENOSPC',
  'EROFS',
  'EDQUOT',
  'ENOTDIR',
  'EIO',
]);

/** Whether a failure is the disk's: asking the network again is no help. */
export function isDiskError(error: unknown): boolean {
  return (
    error instanceof Error && 'syscall' in error && DISK_CODES.has(String((error as { code?: unknown }).code))
  );
}
