import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BlobCache } from '../../../services/core/runtime/blobs.ts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

let folder: string;
let server: Server | undefined;
let asked: IncomingMessage[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tilepipe-blobs-'));
  asked = [];
});

afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

/** A server of our own, so that it can misbehave; returns its address. */
async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  server = createServer((request, response) => {
    asked.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const from = (request: IncomingMessage): number =>
  Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);

/** Answers the range asked for; with a `limit`, no more than so many bytes of it, and then silence. */
function sendRange(
  request: IncomingMessage,
  response: ServerResponse,
  content: Buffer,
  limit = Number.POSITIVE_INFINITY,
): void {
  const begin = from(request);
  const rest = content.subarray(begin);
  response.writeHead(begin > 0 ? 206 : 200, {
    'content-length': rest.length,
    ...(begin > 0 ? { 'content-range': `bytes ${begin}-${content.length - 1}/${content.length}` } : {}),
  });
  if (rest.length <= limit) response.end(rest);
  else response.write(rest.subarray(0, limit));
}

/** Breaks the connection when the client has every byte the server sent: what is on its way would be lost with it. */
const breakAt =
  (...offsets: readonly number[]) =>
  (bytes: number): void => {
    if (offsets.includes(bytes)) asked.at(-1)?.socket.destroy();
  };

describe('storing', () => {
  it('names a file by the SHA-256 of everything the chunks add up to', async () => {
    const cache = new BlobCache({ folder });
    const content = randomBytes(300_000);
    async function* stream() {
      for (let at = 0; at < content.length; at += 70_000) yield content.subarray(at, at + 70_000);
    }
    const stored = await cache.putChunks(stream());
    expect(stored).toEqual({ digest: sha256(content), bytes: content.length });
    expect(cache.has(stored.digest)).toBe(true);
    expect(readFileSync(cache.path(stored.digest)).equals(content)).toBe(true);
    expect(await cache.putBytes(content)).toEqual(stored);
    expect(readdirSync(folder)).toEqual([stored.digest]);
  });

  it('leaves nothing behind when the source fails', async () => {
    const cache = new BlobCache({ folder });
    async function* broken() {
      yield randomBytes(1000);
      throw new Error('the source broke');
    }
    await expect(cache.putChunks(broken())).rejects.toThrow('the source broke');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('takes no name but a digest', () => {
    const cache = new BlobCache({ folder });
    for (const name of ['', '../secret', 'A'.repeat(64), `${'a'.repeat(63)}/`]) {
      expect(() => cache.path(name)).toThrow(/is no sha256/);
    }
  });

  it('says cache-unwritable where the disk refuses', async () => {
    const blocked = join(folder, 'file');
    writeFileSync(blocked, '');
    await expect(new BlobCache({ folder: blocked }).putBytes(randomBytes(10))).rejects.toMatchObject({
      code: 'cache-unwritable',
      message: expect.stringContaining(blocked),
    });
    if (process.getuid?.() === 0) return;
    chmodSync(folder, 0o500);
    await expect(new BlobCache({ folder }).putBytes(randomBytes(10))).rejects.toMatchObject({
      code: 'cache-unwritable',
    });
    chmodSync(folder, 0o700);
  });
});

describe('making room', () => {
  const old = (cache: BlobCache, digest: string, hours: number) => {
    const then = new Date(Date.now() - hours * 3_600_000);
    utimesSync(cache.path(digest), then, then);
  };

  it('removes the least recently used, never what is held or was just used', async () => {
    const patient = new BlobCache({ folder });
    const digests: string[] = [];
    for (let i = 0; i < 4; i++) digests.push((await patient.putBytes(randomBytes(1000))).digest);
    const [held, oldest, older, recent] = digests as [string, string, string, string];
    old(patient, held, 50);
    old(patient, oldest, 40);
    old(patient, older, 30);
    const cache = new BlobCache({ folder, maxBytes: 4000 });
    const release = cache.hold([held]);
    const { digest: newest } = await cache.putBytes(randomBytes(1000));
    expect(readdirSync(folder).sort()).toEqual([held, older, recent, newest].sort());
    release();
    const { digest: next } = await cache.putBytes(randomBytes(1000));
    expect(readdirSync(folder).sort()).toEqual([older, recent, newest, next].sort());
  });
});

describe('fetching', () => {
  it('downloads what is missing, checks it, and asks no more for what is there', async () => {
    const content = randomBytes(500_000);
    const digest = sha256(content);
    const url = await serve((request, response) => sendRange(request, response, content));
    const cache = new BlobCache({ folder });
    expect(await cache.fetch(digest, content.length, `${url}/`)).toBe(join(folder, digest));
    expect(readFileSync(join(folder, digest)).equals(content)).toBe(true);
    await cache.fetch(digest, content.length, url);
    expect(asked.map(({ url: path }) => path)).toEqual([`/blobs/${digest}`]);
    expect(readdirSync(folder)).toEqual([digest]);
  });

  it('fetches once for requests that come together', async () => {
    const content = randomBytes(1000);
    const url = await serve((request, response) => sendRange(request, response, content));
    const cache = new BlobCache({ folder });
    await Promise.all(Array.from({ length: 5 }, () => cache.fetch(sha256(content), 1000, url)));
    expect(asked).toHaveLength(1);
  });

  it('continues where the connection broke', async () => {
    const content = randomBytes(400_000);
    const url = await serve((request, response) => sendRange(request, response, content, 150_000));
    const cache = new BlobCache({ folder });
    const progress = breakAt(150_000, 300_000);
    await cache.fetch(sha256(content), content.length, url, { progress });
    expect(asked.map(from)).toEqual([0, 150_000, 300_000]);
    expect(readdirSync(folder)).toEqual([sha256(content)]);
  });

  it('continues what an earlier call, or a process that died, left behind', async () => {
    const content = randomBytes(200_000);
    const digest = sha256(content);
    let limit = 120_000;
    const url = await serve((request, response) => {
      if (limit === 0) response.writeHead(503).end();
      else sendRange(request, response, content, limit);
      limit = 0;
    });
    const cache = new BlobCache({ folder });
    await expect(
      cache.fetch(digest, content.length, url, { attempts: 2, progress: breakAt(120_000) }),
    ).rejects.toMatchObject({
      code: 'download-failed',
      message: expect.stringContaining('503'),
    });
    expect(cache.has(digest)).toBe(false);
    limit = 1e9;
    asked = [];
    await cache.fetch(digest, content.length, url);
    expect(asked.map(from)).toEqual([120_000]);

    const other = randomBytes(5000);
    const dead = join(folder, `${sha256(other)}.elsewhere-1.part`);
    writeFileSync(dead, other.subarray(0, 3000));
    const then = new Date(Date.now() - 3_600_000);
    utimesSync(dead, then, then);
    server?.removeAllListeners('request').on('request', (request, response) => {
      asked.push(request);
      sendRange(request, response, other);
    });
    await cache.fetch(sha256(other), other.length, url);
    expect(asked.map(from)).toEqual([120_000, 3000]);
    expect(readdirSync(folder).sort()).toEqual([digest, sha256(other)].sort());
  });

  it('leaves alone what another process is writing just now', async () => {
    const content = randomBytes(5000);
    const url = await serve((request, response) => sendRange(request, response, content));
    const busy = `${sha256(content)}.elsewhere-1.part`;
    writeFileSync(join(folder, busy), content.subarray(0, 3000));
    await new BlobCache({ folder }).fetch(sha256(content), content.length, url);
    expect(asked.map(from)).toEqual([0]);
    expect(readdirSync(folder)).toContain(busy);
  });

  it('begins again where a leftover is damaged, and refuses bytes of another digest', async () => {
    const content = randomBytes(4000);
    const url = await serve((request, response) => sendRange(request, response, content));
    const cache = new BlobCache({ folder });
    writeFileSync(join(folder, `${sha256(content)}.left.part`), randomBytes(1500));
    await cache.fetch(sha256(content), content.length, url);
    expect(asked.map(from)).toEqual([1500, 0]);
    const wrong = sha256(randomBytes(8));
    await expect(cache.fetch(wrong, content.length, url)).rejects.toMatchObject({ code: 'digest-mismatch' });
    expect(readdirSync(folder)).toEqual([sha256(content)]);
  });

  it('starts over at a server that knows no ranges', async () => {
    const content = randomBytes(3000);
    const url = await serve((_, response) => response.end(content));
    writeFileSync(join(folder, `${sha256(content)}.left.part`), content.subarray(0, 1000));
    await new BlobCache({ folder }).fetch(sha256(content), content.length, url);
    expect(readFileSync(join(folder, sha256(content))).equals(content)).toBe(true);
  });

  it('gives up at once where asking again is no help', async () => {
    const content = randomBytes(3000);
    const digest = sha256(content);
    const url = await serve((_, response) => response.writeHead(404).end());
    const cache = new BlobCache({ folder });
    await expect(cache.fetch(digest, 3000, url)).rejects.toMatchObject({
      code: 'download-failed',
      message: expect.stringContaining('404'),
    });
    expect(asked).toHaveLength(1);
    await expect(cache.fetch(digest, 3000, 'http://127.0.0.1:1', { attempts: 1 })).rejects.toMatchObject({
      code: 'download-failed',
    });
    const endless = await new Promise<string>((resolve) => {
      server?.removeAllListeners('request').on('request', (_, response) => {
        response.end(Buffer.alloc(50_000));
      });
      resolve(url);
    });
    await expect(cache.fetch(digest, 3000, endless)).rejects.toMatchObject({
      code: 'download-failed',
      message: expect.stringContaining('larger'),
    });
    expect(cache.has(digest)).toBe(false);
  });

  it('says cache-unwritable where the disk refuses', async () => {
    const content = randomBytes(10);
    const url = await serve((_, response) => response.end(content));
    mkdirSync(join(folder, 'x'));
    const cache = new BlobCache({ folder: join(folder, 'x') });
    rmSync(join(folder, 'x'), { recursive: true });
    writeFileSync(join(folder, 'x'), '');
    await expect(cache.fetch(sha256(content), 10, url)).rejects.toMatchObject({ code: 'cache-unwritable' });
  });
});
